"""Values, callbacks and steps that run code in the middle of whatever is going on."""

from __future__ import annotations

import enum
import gc
import random
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from types import FrameType
from typing import Any
from uuid import UUID

from tests.fuzz_native.watched import NAME, Watched

DEEPEST = 2
"""So often may an act begin within another, on one thread."""


class Interrupted(BaseException):
    """What a signal handler raises in the middle of logging."""


class Mischief:
    """What hostile code does when it gets to run: one of a few acts, by chance, `acts` times in all."""

    def __init__(self, seed: int, acts: int) -> None:
        self.random = random.Random(seed)
        self.watched: list[Watched] = []
        self.log: Callable[[], object] = lambda: None
        self._depth = threading.local()
        self._junk: list[Any] = []
        self._kinds = list(_acting_enum(self))
        self._acts_left = acts

    def act(self, chance: float = 1.0) -> None:
        """Change what is watched, log, collect garbage, or let other threads run; rarely nest."""
        depth = getattr(self._depth, "now", 0)
        if self._acts_left <= 0 or depth >= DEEPEST or self.random.random() > chance:
            return
        self._depth.now = depth + 1
        self._acts_left -= 1
        try:
            choice = self.random.randrange(20)
            if choice < 13:
                self.change_something()
            elif choice < 15:
                self.log()
            elif choice < 16:
                gc.collect(self.random.randrange(2))
            elif choice < 18:
                self._junk[:] = ["q" * (n % 300) + str(n) for n in range(50)]
            elif choice < 19:
                Cycle(self)
            else:
                time.sleep(0)
        finally:
            self._depth.now = depth

    def stop(self) -> None:
        """Nothing acts any more."""
        self._acts_left = 0

    def change_something(self) -> None:
        """One step of one of the containers that are watched."""
        if self.watched:
            each = self.random.choice(self.watched)
            each.change(self.step_for(each))

    def step_for(self, each: Watched) -> Callable[[Any], object]:
        if isinstance(each.live, list):
            return self._step_of_list()
        return self._step_of_event(each) if each.is_event else self._step_of_dict()

    def _step_of_list(self) -> Callable[[list[Any]], object]:
        value, choice = self.value(), self.random.randrange(4)
        if choice == 0:
            return lambda live: live.__delitem__(slice(1, None))
        if choice == 1:
            return lambda live: live.__setitem__(slice(1, 3), [value])
        return lambda live: live.append(value) if len(live) < 30 else live.__delitem__(slice(20, None))

    def _step_of_dict(self) -> Callable[[dict[Any, Any]], object]:
        key, value = self.key(), self.value()
        if self.random.random() < 0.4:
            return lambda live: live.pop(key, None)
        return lambda live: live.__setitem__(key, value)

    def _step_of_event(self, each: Watched) -> Callable[[dict[Any, Any]], object]:
        number, choice = self.random.randrange(10**6), self.random.randrange(12)
        changes: list[tuple[str, Any]] = [
            ("user_id", f"user-{number}" + "x" * (number % 200)),
            ("device_id", f"device-{number}"),
            ("user_id", f"usér-{number}"),
            ("event_type", f"Type {number % 50}" if number % 3 else f"Type {number}"),
            ("time", 1_700_000_000_000 + number),
            ("session_id", number),
            ("price", self.random.choice([number, number / 4, Decimal(number)])),
            ("country", Text(f"country-{number}", self)),
            (f"unknown {number % 7}", number),
        ]
        if choice < len(changes):
            return lambda live: live.__setitem__(*changes[choice])
        if choice == 9:
            return lambda live: live.pop("time", None)
        if choice == 10:
            return lambda live: live.pop("device_id", None)
        properties = self.random.choice(self.watched).live
        if self.random.random() < 0.5 or not isinstance(properties, dict) or "event_type" in properties:
            return lambda live: live.update({NAME: each.name, "event_type": "Back", "user_id": "user-back"})
        return lambda live: live.__setitem__("event_properties", properties)

    def key(self) -> str:
        """A key of properties, whose comparison may run code."""
        number = self.random.randrange(40)
        return f"key-{number}" if number < 35 else Text(f"odd-{number}", self)

    def value(self) -> Any:
        """A property's value: mostly plain, or one whose reading runs code."""
        number, choice = self.random.randrange(10**9), self.random.randrange(14)
        if choice == 0:
            return Decimal(number) / 4
        if choice == 1:
            zone = timezone(timedelta(hours=number % 12))
            return datetime(2024, 5, 1, tzinfo=zone) + timedelta(seconds=number % 10**6)
        if choice == 2:
            return datetime(2024, 5, 1) + timedelta(seconds=number % 10**6)
        if choice == 3:
            return UUID(int=number)
        if choice == 4:
            return Text(number, self)
        if choice < 7:
            return self._kinds[number % len(self._kinds)]
        return self.random.choice([number, str(number) * (number % 20), number / 8, None, True])

    # What the interpreter calls.

    def on_profile(self, frame: FrameType, what: str, argument: object) -> None:
        if what in ("call", "c_call"):
            self.act(0.03)

    def on_collection(self, phase: str, details: object) -> None:
        self.act(0.2)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        self.act()


def _acting_enum(mischief: Mischief) -> type[enum.Enum]:
    """An enum whose value is a property that acts."""

    class Kind(enum.Enum):
        ONE = "one"
        TWO = 2

        @property
        def value(self) -> Any:
            mischief.act()
            return self._value_

    return Kind


class Text(str):
    """Text that acts when it is hashed or compared."""

    __slots__ = ("mischief",)
    mischief: Mischief

    def __new__(cls, text: object, mischief: Mischief) -> Text:
        made = super().__new__(cls, text)
        made.mischief = mischief
        return made

    def __hash__(self) -> int:
        self.mischief.act(0.3)
        return str.__hash__(self)

    def __eq__(self, other: object) -> bool:
        self.mischief.act(0.3)
        return str.__eq__(self, other)


class Cycle:
    """Garbage that acts when it is collected."""

    def __init__(self, mischief: Mischief) -> None:
        self.mischief = mischief
        self.me = self

    def __del__(self) -> None:
        # A signal handler may have raised before it had any.
        if hasattr(self, "mischief"):
            self.mischief.act()


class OddDict(dict[Any, Any]):
    """A dict that acts when it is read."""

    mischief: Mischief

    def items(self) -> Any:
        self.mischief.act(0.3)
        return super().items()

    def get(self, *arguments: Any) -> Any:
        self.mischief.act(0.3)
        return super().get(*arguments)


def let_all_act(mischief: Mischief, *, profiles: bool) -> None:
    """From now on, as often as can be."""
    gc.callbacks.append(mischief.on_collection)
    if profiles:
        threading.setprofile(mischief.on_profile)
        sys.setprofile(mischief.on_profile)


def let_none_act(mischief: Mischief) -> None:
    """The end of it."""
    sys.setprofile(None)
    threading.setprofile(None)
    mischief.stop()
    if mischief.on_collection in gc.callbacks:
        gc.callbacks.remove(mischief.on_collection)
