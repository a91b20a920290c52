"""A worker of multiprocessing, forked: it leaves by os._exit, past atexit."""

from __future__ import annotations

import multiprocessing

from tests.accidents.drivers.scribe import Driver


def main() -> None:
    driver = Driver()
    share = driver.args["events"] // 3
    for number in range(share):
        driver.log(f"user-{number % 20}")

    def work() -> None:
        for number in range(share):
            driver.log(f"user-{number % 20}")
        driver.leave()

    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    for number in range(share):
        driver.log(f"user-{number % 20}")
    assert worker.pid is not None
    driver.await_child(worker.pid)
    driver.leave()


if __name__ == "__main__":
    main()
