"""Events that the server finds invalid are strewn among good ones of the same users."""

from __future__ import annotations

import math

from tests.accidents.drivers.scribe import Driver


def main() -> None:
    driver = Driver()
    for number in range(driver.args["events"]):
        driver.log(f"user-{number % 20}", bad=number % driver.args["every"] == 0)
    driver.client.flush(math.inf)
    driver.leave()


if __name__ == "__main__":
    main()
