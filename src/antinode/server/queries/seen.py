"""What event types and properties have been seen: their types, how often they are filled, examples."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from antinode._protocol import exact
from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY
from antinode.server.models import SchemaPage, SeenEventType, SeenProperty
from antinode.server.storage.store import EventStore

_PATIENCE_SECONDS: Final = 0.05
"""How long one reading may take; what it has not come to is read the next time."""

_SLICE_ENTRIES: Final = 1_024
_MOST_TYPES: Final = 1_000
_MOST_PROPERTIES: Final = 300
"""Of one event type. What comes beyond is not listed."""

_MOST_EXAMPLES: Final = 5
_LONGEST_EXAMPLE: Final = 60
"""Characters of its JSON text."""

_ENTRIES: Final = """
SELECT e.event_type, e.event, u.received_at FROM entries AS e JOIN uploads AS u ON u.id = e.upload
WHERE e.seq >= ? AND e.seq < ? AND e.outcome = 0 ORDER BY e.seq
"""

_KINDS: Final = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


class _Property:
    """One property of an event type."""

    __slots__ = ("examples", "first_seen", "kinds", "last_seen")

    def __init__(self, at: int) -> None:
        self.kinds = Counter[str]()
        self.examples: dict[str, None] = {}
        self.first_seen = self.last_seen = at

    def add(self, value: Any, at: int) -> None:
        self.kinds[_KINDS[type(value)]] += 1
        self.last_seen = at
        if len(self.examples) < _MOST_EXAMPLES:
            text = exact.dumps(value).decode()
            if len(text) <= _LONGEST_EXAMPLE:
                self.examples[text] = None


class _EventType:
    """One event type."""

    __slots__ = ("count", "first_seen", "last_seen", "properties")

    def __init__(self, at: int) -> None:
        self.count = 0
        self.properties: dict[str, _Property] = {}
        self.first_seen = self.last_seen = at

    def add(self, properties: Iterator[tuple[str, Any]], at: int) -> None:
        self.count += 1
        self.last_seen = at
        for name, value in properties:
            found = self.properties.get(name)
            if found is None:
                if len(self.properties) == _MOST_PROPERTIES:
                    continue
                found = self.properties[name] = _Property(at)
            found.add(value, at)


class Seen:
    """Reads the accepted events of `store`, each once, and remembers what they were like.

    What is forgotten of the oldest events stays counted, until `clear`.
    """

    def __init__(self, store: EventStore, timer: Callable[[], float] = time.perf_counter) -> None:
        self._store = store
        self._timer = timer
        self._types: dict[str, _EventType] = {}
        self._next = 0

    def clear(self) -> None:
        """Begin anew: the store was emptied, or users were erased whose values are among the examples."""
        self._types = {}
        self._next = 0

    def page(self) -> SchemaPage:
        """What is known by now, the event types seen most often first; reads on for 50 ms at most."""
        progress = self._store.progress
        self._next = max(self._next, progress.floor)
        until = self._timer() + _PATIENCE_SECONDS
        while self._next < progress.next_seq and self._timer() < until:
            end = min(self._next + _SLICE_ENTRIES, progress.next_seq)
            for event_type, text, at in self._store.connection.execute(_ENTRIES, (self._next, end)):
                self._add(event_type, exact.loads(text), at)
            self._next = end
        ranked = sorted(self._types.items(), key=lambda each: (-each[1].count, each[0]))
        return SchemaPage(
            event_types=[_event_type(name, found) for name, found in ranked],
            unread=progress.next_seq - self._next,
        )

    def _add(self, event_type: str, event: Any, at: int) -> None:
        found = self._types.get(event_type)
        if found is None:
            if len(self._types) == _MOST_TYPES:
                return
            found = self._types[event_type] = _EventType(at)
        found.add(_properties(event_type, event), at)


def _properties(event_type: str, event: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The properties that an event is about: those of the user or group, where it changes these."""
    if event_type not in (IDENTIFY, GROUP_IDENTIFY):
        held = event.get("event_properties")
        yield from held.items() if isinstance(held, dict) else ()
        return
    held = event.get("user_properties" if event_type == IDENTIFY else "group_properties")
    for name, value in held.items() if isinstance(held, dict) else ():
        if name.startswith("$") and isinstance(value, dict):
            yield from value.items()
        elif not name.startswith("$"):
            yield name, value


def _event_type(name: str, found: _EventType) -> SeenEventType:
    return SeenEventType(
        event_type=name,
        events=found.count,
        first_seen=found.first_seen,
        last_seen=found.last_seen,
        properties=[
            SeenProperty(
                name=each,
                events=held.kinds.total(),
                types=dict(held.kinds.most_common()),
                examples=list(held.examples),
                first_seen=held.first_seen,
                last_seen=held.last_seen,
            )
            for each, held in sorted(
                found.properties.items(), key=lambda item: (-item[1].kinds.total(), item[0])
            )
        ],
    )
