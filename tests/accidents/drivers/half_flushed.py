"""Half of the events are flushed, the other half is still in memory when the process ends."""

from __future__ import annotations

import math
import sys

from tests.accidents.drivers.scribe import Driver


def main() -> None:
    driver = Driver()
    half = driver.args["events"] // 2
    for number in range(half):
        driver.log(f"user-{number % 20}")
    driver.client.flush(math.inf)
    for number in range(half):
        driver.log(f"user-{number % 20}")
    way = driver.args["way"]
    if way == "signal":
        driver.wait_for_signal()
    driver.leave()
    if way == "exit":
        sys.exit(3)
    if way == "raise":
        raise RuntimeError("nobody handles this")


if __name__ == "__main__":
    main()
