"""Many threads log at once, each for users of its own; nobody flushes."""

from __future__ import annotations

import threading

from tests.accidents.drivers.scribe import Driver


def main() -> None:
    driver = Driver()
    share = driver.args["events"] // driver.args["threads"]
    numbering = threading.Lock()

    def work(thread: int) -> None:
        for number in range(share):
            with numbering:
                name, event = driver.event(f"thread-{thread}-user-{number % 3}")
            driver.hand_in(name, event)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(driver.args["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    driver.leave()


if __name__ == "__main__":
    main()
