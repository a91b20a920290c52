"""The caller goes on using the dict that it has logged, and changes it in every way."""

from __future__ import annotations

from tests.accidents.drivers.scribe import Driver


def main() -> None:
    driver = Driver()
    properties: dict[str, object] = {}
    basket: list[object] = []
    event = {"event_type": "Accident", "user_id": "", "event_properties": properties}
    for number in range(driver.args["events"]):
        name, fresh = driver.event(f"user-{number % 20}")
        properties.clear()
        properties.update(fresh["event_properties"], basket=basket, is_as_logged=True)
        basket[:] = [number, number + 1]
        event["user_id"] = fresh["user_id"]
        driver.hand_in(name, event)
        basket.append("added afterwards")
        properties.update(id="changed afterwards", seq=-1, is_as_logged=False)
        event["user_id"] = "somebody-else"
    driver.leave()


if __name__ == "__main__":
    main()
