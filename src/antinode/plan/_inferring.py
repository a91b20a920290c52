"""A plan from the events that there are: the same whatever their order, in memory that is bounded."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from antinode import MiddlewarePayload
from antinode._protocol.fields import GROUP_IDENTIFY
from antinode.middleware import redact
from antinode.plan._checking import is_own, written_properties
from antinode.plan._models import PlannedEvent, TrackingPlan
from antinode.plan._schemas import TYPES, PropertySchema, type_of
from antinode.plan._yaml import Path

MOST_EVENT_TYPES: Final = 2_000
"""As many as a project of Amplitude keeps."""
_MOST_NAMES: Final = 1_000
"""Properties of an event; an object with more has ids for names, and is planned as open."""
_MOST_NESTED: Final = 50
_MOST_LAYERS: Final = 4
_MOST_SHAPES: Final = 200_000
_MOST_VALUES: Final = 10
"""Distinct texts that are an enum, if each was seen ten times in the mean."""
_SEEN_EACH: Final = 10
_MOST_EXAMPLES: Final = 3
_LONGEST_VALUE: Final = 100


class TooVaried(ValueError):
    """There are more event types or properties than any plan has. The message says what to do."""


class EventShapes:
    """What a number of events hold. Raises TooVaried where that grows without bound."""

    def __init__(self) -> None:
        self.events = 0
        self._room = [_MOST_SHAPES]
        self._types: dict[str, _Shape] = {}
        self._users = _Shape(self._room)
        self._groups: dict[str, _Shape] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        """One event, in JSON's types."""
        self.events += 1
        event_type = event.get("event_type")
        if isinstance(event_type, str) and event_type.strip() and not is_own(event_type):
            self._shape_of(self._types, event_type, "event types").add_object(
                event.get("event_properties"), _MOST_NAMES, 0
            )
        _add_written(self._users, event.get("user_properties"))
        groups = event.get("groups")
        if event_type == GROUP_IDENTIFY and isinstance(groups, dict):
            for kind in groups:
                _add_written(self._shape_of(self._groups, kind, "group types"), event.get("group_properties"))

    def _shape_of(self, shapes: dict[str, _Shape], name: str, what: str) -> _Shape:
        shape = shapes.get(name)
        if shape is None:
            if len(shapes) >= MOST_EVENT_TYPES:
                raise TooVaried(
                    f"there are more than {MOST_EVENT_TYPES:,} {what}, more than Amplitude keeps: "
                    f"does their name hold an id, as {name[:60]!r} may?"
                )
            shape = shapes[name] = _Shape(self._room)
        return shape

    def plan(self, *, has_examples: bool = True) -> TrackingPlan:
        """The plan to which these events conform."""
        users = self._users.schema("", has_examples, is_partial=True)
        return TrackingPlan(
            events={
                name: PlannedEvent(name, shape.schema(name, has_examples))
                for name, shape in sorted(self._types.items())
            },
            user_properties=users if users.properties else None,
            group_properties={
                kind: shape.schema(kind, has_examples, is_partial=True)
                for kind, shape in sorted(self._groups.items())
            }
            or None,
        )

    def remarks(self) -> dict[Path, str]:
        """How often each event, and in which share of its events each property was there."""
        told: dict[Path, str] = {}
        for name, shape in self._types.items():
            told["events", name] = f"{shape.objects:,} seen"
            for key, each in (shape.fields or {}).items():
                if each.count < shape.objects:
                    told["events", name, "properties", key] = f"in {_share(each.count, shape.objects)}"
        return told


def _share(count: int, of: int) -> str:
    percent = 100 * count / of
    return f"{percent:.0f}%" if 1 <= percent <= 99 else f"{count:,} of {of:,}"


def _add_written(shape: _Shape, given: object) -> None:
    whole: dict[str, Any] = {}
    for name, value, is_whole in written_properties(given):
        if is_whole:
            whole[name] = value
        else:
            shape.touch(name)
    if whole:
        shape.add_object(whole, _MOST_NAMES, 0)


class _Shape:
    """What the values at one place are."""

    __slots__ = ("_examples", "_room", "_values", "count", "fields", "items", "kinds", "objects")

    def __init__(self, room: list[int]) -> None:
        room[0] -= 1
        if room[0] < 0:
            raise TooVaried(
                f"there are more than {_MOST_SHAPES:,} properties: do the names of some hold ids? "
                "Leave such events out with --where"
            )
        self._room = room
        self.count = 0
        self.objects = 0
        self.kinds: set[str] = set()
        self.fields: dict[str, _Shape] | None = {}
        """None: too many to name."""
        self.items: _Shape | None = None
        self._values: set[str] | None = set()
        """The distinct texts; None: too many."""
        self._examples: list[tuple[int, str, Any]] = []
        """Those whose hash is least, which no order changes."""

    def touch(self, name: str) -> None:
        """A property of that name is there, with whatever value."""
        if self.fields is not None and name not in self.fields:
            self.fields[name] = _Shape(self._room)

    def add(self, value: Any, layer: int) -> None:
        """One value."""
        self.count += 1
        kind = type_of(value)
        self.kinds.add(kind)
        if kind == "object":
            if layer < _MOST_LAYERS:
                self.add_object(value, _MOST_NESTED, layer)
            else:
                self.fields = None
        elif kind == "array":
            if layer < _MOST_LAYERS:
                if self.items is None:
                    self.items = _Shape(self._room)
                for each in value:
                    self.items.add(each, layer + 1)
        elif kind != "null":
            self._note_value(kind, value)

    def add_object(self, value: object, most: int, layer: int) -> None:
        """One object; what is none stands for one without properties."""
        self.objects += 1
        if not isinstance(value, dict) or self.fields is None:
            return
        for name, each in value.items():
            shape = self.fields.get(name)
            if shape is None:
                if len(self.fields) >= most:
                    self.fields = None
                    return
                shape = self.fields[name] = _Shape(self._room)
            shape.add(each, layer + 1)

    def _note_value(self, kind: str, value: Any) -> None:
        if kind == "string":
            if self._values is not None:
                if value in self._values:
                    return
                if len(self._values) >= _MOST_VALUES or len(value) > _LONGEST_VALUE:
                    self._values = None
                else:
                    self._values.add(value)
            if len(value) > _LONGEST_VALUE:
                return
        text = f"{kind} {value!r}"
        rank = (zlib.crc32(text.encode("utf-8", "surrogatepass")), text)
        is_kept = len(self._examples) < _MOST_EXAMPLES or rank < self._examples[-1][:2]
        if is_kept and all(rank != each[:2] for each in self._examples):
            self._examples.append((*rank, value))
            self._examples.sort(key=lambda each: each[:2])
            del self._examples[_MOST_EXAMPLES:]

    def schema(
        self, name: str, has_examples: bool, *, is_partial: bool = False, layer: int = 0
    ) -> PropertySchema:
        """The schema that all these values fit; of the top of an event, that of its properties."""
        fields = self.fields or {}
        is_top = layer == 0
        required = (
            ()
            if is_partial
            else tuple(sorted(key for key, each in fields.items() if each.count == self.objects))
        )
        properties = {
            key: each.schema(key, has_examples, layer=layer + 1) for key, each in sorted(fields.items())
        }
        takes_others = self.fields is None
        if is_top:
            return PropertySchema(properties=properties, required=required, takes_others=takes_others)
        kinds = self.kinds - {"integer"} if "number" in self.kinds else self.kinds
        enum = self._enum(name)
        return PropertySchema(
            types=tuple(each for each in TYPES if each in kinds),
            enum=enum,
            items=None if self.items is None else self.items.schema(name, has_examples, layer=layer + 1),
            properties=properties,
            required=required,
            takes_others=takes_others or not properties,
            examples=self._shown(name) if has_examples and enum is None and kinds != {"boolean"} else (),
        )

    def _enum(self, name: str) -> tuple[Any, ...] | None:
        values = self._values
        is_enum = self.kinds == {"string"} and values and self.count >= _SEEN_EACH * max(2, len(values))
        if not is_enum or values is None or _gives_away(name, values):
            return None
        return tuple(sorted(values))

    def _shown(self, name: str) -> tuple[Any, ...]:
        return tuple(value for _, _, value in self._examples if not _gives_away(name, (value,)))


_redact = redact()


def _gives_away(name: str, values: Iterable[Any]) -> bool:
    """Whether values are personal data or secrets, by what `redact` knows: no file is to keep them."""
    for value in values:
        passed: list[MiddlewarePayload] = []
        _redact(MiddlewarePayload({"event_properties": {name: value}}), passed.append)
        if not passed or passed[0].event.get("event_properties") != {name: value}:
            return True
    return False
