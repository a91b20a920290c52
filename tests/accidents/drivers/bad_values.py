"""Values that cannot be sent, or not as they are, each between two good events of the same user."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from tests.accidents.drivers.scribe import Driver

SENT, REFUSED = "sent", "refused"


class Broken:
    """Raises, whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class BrokenMapping(Mapping[str, object]):
    def __getitem__(self, key: str) -> object:
        raise RuntimeError("no item")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no iteration")

    def __len__(self) -> int:
        return 1


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int


def nest(depth: int) -> object:
    value: object = "leaf"
    for _ in range(depth):
        value = {"k": value}
    return value


def cycle() -> object:
    around: list[object] = []
    around.append({"again": around})
    return around


# What is under event_properties["value"].
VALUES: tuple[tuple[object, str], ...] = (
    (float("nan"), SENT),
    (float("inf"), SENT),
    (float("-inf"), SENT),
    ("lone \ud800 surrogate", SENT),
    ({"key \udfff": 1}, SENT),
    (cycle(), SENT),
    (object(), SENT),
    (Broken(), SENT),
    (10**400, SENT),
    (2**70, SENT),
    (-(2**63) - 1, SENT),
    (b"bytes \xff", SENT),
    (bytearray(b"bytes"), SENT),
    (memoryview(b"bytes"), SENT),
    ({1, 2, 3}, SENT),
    (frozenset("abc"), SENT),
    (datetime(2026, 11, 4, 18, 46, 10), SENT),
    (datetime(2026, 11, 4, 18, 46, 10, tzinfo=timezone.utc), SENT),
    (date(2026, 11, 4), SENT),
    (timedelta(seconds=90), SENT),
    (Decimal("19.99"), SENT),
    (Decimal("NaN"), SENT),
    (uuid.UUID(int=1), SENT),
    (Colour.RED, SENT),
    (Point(1, 2), SENT),
    (1 + 2j, SENT),
    ({1: "one", None: "none"}, SENT),
    ({(1, 2): "pair"}, SENT),
    ((i for i in range(3)), SENT),
    (len, SENT),
    (Broken, SENT),
    (BrokenMapping(), SENT),
    ("\0 null", SENT),
    ("x" * 5000, SENT),
    (nest(60), SENT),
    (nest(5000), SENT),
    (list(range(400_000)), REFUSED),
    ("x" * 2_000_000, SENT),
)

# What takes the place of keys of the event itself.
KEYS: tuple[tuple[dict[str, object], str], ...] = (
    ({"user_id": None}, REFUSED),
    ({"user_id": ""}, REFUSED),
    ({"user_id": "abc"}, REFUSED),
    ({"user_id": "anonymous"}, REFUSED),
    ({"user_id": "unknown"}, REFUSED),
    ({"user_id": object()}, REFUSED),
    ({"user_id": "lone \ud800"}, SENT),
    ({"device_id": "abc"}, SENT),
    ({"event_type": None}, REFUSED),
    ({"event_type": " "}, REFUSED),
    ({"event_type": 5}, SENT),
    ({"event_type": "[Amplitude] Start Session"}, REFUSED),
    ({"time": "yesterday"}, SENT),
    ({"time": float("nan")}, SENT),
    ({"time": datetime(2026, 11, 4, 18, 46, 10, tzinfo=timezone.utc)}, SENT),
    ({"time": 1793817970.5}, SENT),
    ({"user_properties": [1, 2]}, SENT),
    ({"user_properties": {str(i): i for i in range(2000)}}, SENT),
    ({"groups": "not a dict"}, SENT),
    ({"price": float("inf")}, SENT),
    ({"session_id": 10**30}, SENT),
)

# What is no event at all.
NO_EVENTS: tuple[object, ...] = (None, 5, "an event", b"an event", [], ["event_type"], object(), Broken(), {})


def main() -> None:
    driver = Driver()

    def hand_in_bad(event: Any, name: str, expected: str, what: object) -> None:
        outcome = driver.hand_in(name, event).outcome
        found = SENT if outcome is None or outcome.ok else REFUSED
        if found != expected:
            driver.write("note", "surprise", f"{what} was {found}, not {expected}", outcome)

    for number, (value, expected) in enumerate(VALUES):
        driver.log(f"user-{number % 7}")
        name, event = driver.event(f"user-{number % 7}", value=value)
        hand_in_bad(event, name, expected, f"value {number}, a {type(value).__name__},")
    for number, (change, expected) in enumerate(KEYS):
        driver.log(f"user-{number % 7}")
        name, event = driver.event(f"user-{number % 7}")
        hand_in_bad({**event, **change}, name, expected, change)
    for number, no_event in enumerate(NO_EVENTS):
        driver.log(f"user-{number % 7}")
        name, _ = driver.next_id()
        hand_in_bad(no_event, name, REFUSED, f"a {type(no_event).__name__} as event")
    driver.log("user-0")
    driver.leave()


if __name__ == "__main__":
    main()
