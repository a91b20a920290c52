"""As under gunicorn with preload: the master initialises and logs, its workers log, the master logs on.

The workers end as gunicorn's do: the master sends SIGTERM, their handler leaves by SystemExit.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from tests.accidents.drivers.scribe import Driver


def main() -> None:
    driver = Driver()
    workers = driver.args["workers"]
    share = driver.args["events"] // (workers + 2)
    for number in range(share):
        driver.log(f"user-{number % 20}")
    children = []
    for _ in range(workers):
        logged, is_logged = os.pipe()
        pid = os.fork()
        if pid == 0:
            serve(driver, share, is_logged)
        children.append((pid, logged))
    for number in range(share):
        driver.log(f"user-{number % 20}")
    for pid, logged in children:
        os.read(logged, 1)
        os.kill(pid, signal.SIGTERM)
    for pid, _ in children:
        driver.await_child(pid)
    driver.leave()


def serve(driver: Driver, events: int, is_logged: int) -> None:
    def leave(number: int, frame: FrameType | None) -> None:
        driver.leave()
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    for number in range(events):
        driver.log(f"user-{number % 20}")
    os.write(is_logged, b"!")
    driver.idle()


if __name__ == "__main__":
    main()
