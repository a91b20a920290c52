"""Events at a steady rate, perhaps large ones; then perhaps a flush; then the normal exit."""

from __future__ import annotations

import math
import time

from tests.accidents.drivers.scribe import Driver


def main() -> None:
    driver = Driver()
    args = driver.args
    count, seconds, users = args["events"], args.get("over", 0), args.get("users", 20)
    # Kilobytes in strings of less than 1024 characters, which is where the API cuts them.
    filler = {f"filler_{i}": "x" * 1000 for i in range(args.get("kilobytes", 0))}
    # In lumps of 10: sleeping for less than a millisecond or two is not a thing computers do well.
    pause = seconds / count * 10
    for number in range(count):
        driver.log(f"user-{number % users}", **filler)
        if pause and number % 10 == 9:
            time.sleep(pause)
    if "flush" in args:
        began = time.monotonic()
        # Without a bound: by itself a flush does not wait out an outage.
        report = driver.client.flush(math.inf if args["flush"] is None else args["flush"])
        driver.write("note", "flush_seconds", time.monotonic() - began)
        driver.write("note", "flush_pending", report.pending)
    driver.leave()


if __name__ == "__main__":
    main()
