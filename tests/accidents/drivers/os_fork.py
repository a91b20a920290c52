"""A process that has logged forks; parent and child both log on with the client they have."""

from __future__ import annotations

import ctypes
import os
import time

from tests.accidents.drivers.scribe import Driver


def main() -> None:
    driver = Driver()
    share = driver.args["events"] // 3
    for number in range(share):
        driver.log(f"user-{number % 20}")
    pid = fork_in_c() if driver.args["in_c"] else os.fork()
    for number in range(share):
        driver.log(f"user-{number % 20}")
    if pid:
        driver.await_child(pid)
    driver.leave()


def fork_in_c() -> int:
    """Fork as uWSGI does: with the interpreter's lock held, and past all of Python's fork hooks."""
    # Without the hooks, a thread that waits for the interpreter's lock at this moment leaves it damaged in
    # the child, whoever's thread that is. So this fork comes in a quiet moment, as it does in a server.
    time.sleep(0.3)
    pid: int = ctypes.PyDLL(None).fork()
    return pid


if __name__ == "__main__":
    main()
