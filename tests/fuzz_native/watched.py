"""Containers that change all the time, and every state that they have had."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

NAME = "platform"
"""The field of an event, and the key of a dict in it, that tells which container it is."""
MADE_UP = frozenset({"partner_id", "insert_id", "library"})
"""What antinode adds to each event; a `time` only to those that have none."""


def in_json(value: Any) -> Any:
    """What a value is in JSON, to be compared and hashed; another container is its name."""
    if isinstance(value, Watched):
        return value.name
    if isinstance(value, enum.Enum):
        return value._value_
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return value


def _known(value: Any) -> Any:
    """The name of a container that has been received; any other value as it is compared."""
    if isinstance(value, dict):
        return value.get(NAME)
    return value[0] if isinstance(value, list) else in_json(value)


def _fingerprint(items: Any) -> int:
    return hash(tuple(items))


class Watched:
    """A dict or a list that is changed in single steps, each state of which is noted before it is there."""

    def __init__(self, name: str, live: Any, children: dict[int, Watched], *, is_event: bool = False) -> None:
        self.name = name
        self.is_read_by_itself = not is_event and type(live) not in (dict, list)
        """Then it gives its items one by one, and others may change it meanwhile."""
        self.live = live
        self.is_event = is_event
        self._children = children
        children[id(live)] = self
        self._changing = threading.Lock()
        self.states = {self._state(live)}

    def change(self, step: Callable[[Any], object]) -> bool:
        """Do a step, which must be one call into C; nothing if one is under way, of this thread too."""
        if not self._changing.acquire(blocking=False):
            return False
        try:
            following = dict(self.live) if isinstance(self.live, dict) else list(self.live)
            step(following)
            self.states.add(self._state(following))
            step(self.live)
        finally:
            self._changing.release()
        return True

    def _state(self, container: Any) -> int:
        def told(value: Any) -> Any:
            return in_json(self._children.get(id(value), value))

        if isinstance(container, list):
            return _fingerprint(map(told, container))
        items = ((in_json(key), told(value)) for key, value in container.items())
        # None is no value for a field of an event.
        return _fingerprint(
            sorted(((k, v) for k, v in items if not (self.is_event and v == "None")), key=repr)
        )

    def has_been(self, received: Any) -> bool:
        """Whether it has ever held just this, as far as that can be said."""
        if self.is_read_by_itself:
            return True
        if isinstance(received, list):
            return _fingerprint(map(_known, received)) in self.states
        items = {key: _known(value) for key, value in received.items()}
        if self.is_event:
            items = {key: value for key, value in items.items() if key not in MADE_UP}
        variants = [items, {key: value for key, value in items.items() if key != "time"}]
        return any(_fingerprint(sorted(each.items(), key=repr)) in self.states for each in variants)


def strangers(received: Any, by_name: dict[str, Watched]) -> list[Any]:
    """The containers in what was received that have never been so."""
    found = [] if (known := by_name.get(_known(received))) and known.has_been(received) else [received]
    values = received.values() if isinstance(received, dict) else received
    for value in values:
        if isinstance(value, (dict, list)):
            found += strangers(value, by_name)
    return found
