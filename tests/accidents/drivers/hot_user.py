"""One user among others is over the limit. The others log before, while and after it is found out."""

from __future__ import annotations

import math
import time

from tests.accidents.drivers.scribe import Driver


def main() -> None:
    driver = Driver()
    hot, others = driver.args["hot"], driver.args["others"]
    every = others // hot
    for number in range(others):
        driver.log(f"user-{number % 20}")
        if number % every == 0:
            driver.log("hot-user")
        if number % 50 == 49:
            time.sleep(0.1)
    driver.client.flush(math.inf)
    driver.leave()


if __name__ == "__main__":
    main()
