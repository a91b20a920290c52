"""What the values at one place of many events are: whatever their order, in memory that is bounded."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from antinode import MiddlewarePayload
from antinode.middleware import redact
from antinode.plan._schemas import TYPES, PropertySchema, type_of

MOST_NAMES: Final = 1_000
"""Properties of an event; an object with more has ids for names, and is planned as open."""
MOST_SHAPES: Final = 200_000
_MOST_NESTED: Final = 50
_MOST_LAYERS: Final = 4
_MOST_VALUES: Final = 10
"""Distinct texts that are an enum, if each was seen ten times in the mean."""
_SEEN_EACH: Final = 10
_MOST_EXAMPLES: Final = 3
_LONGEST_VALUE: Final = 100


class TooVaried(ValueError):
    """There are more event types or properties than any plan has. The message says what to do."""


class ShapeRoom:
    """How many shapes there may be yet. Where none may, a strict one raises TooVaried."""

    __slots__ = ("_is_strict", "_left")

    def __init__(self, *, is_strict: bool) -> None:
        self._left = MOST_SHAPES
        self._is_strict = is_strict

    def take(self) -> bool:
        """Whether there may be one more, which is counted."""
        if self._left == 0:
            if self._is_strict:
                raise TooVaried(
                    f"there are more than {MOST_SHAPES:,} properties: do the names of some hold ids? "
                    "Leave such events out with --where"
                )
            return False
        self._left -= 1
        return True


class ValueShape:
    """What the values at one place are."""

    __slots__ = ("_examples", "_room", "_values", "count", "fields", "is_open", "items", "kinds", "objects")

    def __init__(self, room: ShapeRoom) -> None:
        self._room = room
        self.count = 0
        self.objects = 0
        self.kinds = Counter[str]()
        """How many values are of which type, in JSON's words."""
        self.fields: dict[str, ValueShape] = {}
        self.is_open = False
        """Whether the objects have more names than `fields` has: too many, or too deep."""
        self.items: ValueShape | None = None
        self._values: set[str] | None = set()
        """The distinct texts; None: too many."""
        self._examples: list[tuple[int, str, Any]] = []
        """Those whose hash is least, which no order changes."""

    def touch(self, name: str) -> None:
        """A property of that name is there, with whatever value."""
        self._field(name, MOST_NAMES)

    def add(self, value: Any, layer: int) -> None:
        """One value."""
        self.count += 1
        kind = type_of(value)
        self.kinds[kind] += 1
        if kind == "object":
            if layer < _MOST_LAYERS:
                self.add_object(value, _MOST_NESTED, layer)
            else:
                self.is_open = True
        elif kind == "array":
            if self.items is None and layer < _MOST_LAYERS and self._room.take():
                self.items = ValueShape(self._room)
            if self.items is not None:
                for each in value:
                    self.items.add(each, layer + 1)
        elif kind != "null":
            self._note_value(kind, value)

    def add_object(self, value: object, most: int, layer: int) -> None:
        """One object; what is none stands for one without properties."""
        self.objects += 1
        if isinstance(value, dict):
            for name, each in value.items():
                shape = self._field(name, most)
                if shape is not None:
                    shape.add(each, layer + 1)

    def _field(self, name: str, most: int) -> ValueShape | None:
        shape = self.fields.get(name)
        if shape is None:
            if len(self.fields) >= most or not self._room.take():
                self.is_open = True
                return None
            shape = self.fields[name] = ValueShape(self._room)
        return shape

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
        fields = {} if self.is_open else self.fields
        is_top = layer == 0
        required = (
            ()
            if is_partial
            else tuple(sorted(key for key, each in fields.items() if each.count == self.objects))
        )
        properties = {
            key: each.schema(key, has_examples, layer=layer + 1) for key, each in sorted(fields.items())
        }
        if is_top:
            return PropertySchema(properties=properties, required=required, takes_others=self.is_open)
        types = self.types
        enum = self._enum(name)
        return PropertySchema(
            types=types,
            enum=enum,
            items=None if self.items is None else self.items.schema(name, has_examples, layer=layer + 1),
            properties=properties,
            required=required,
            takes_others=self.is_open or not properties,
            examples=self._shown(name) if has_examples and enum is None and types != ("boolean",) else (),
        )

    @property
    def types(self) -> tuple[str, ...]:
        """The types seen, in a plan's order; whole numbers among others are numbers."""
        return tuple(
            each
            for each in TYPES
            if each in self.kinds and not (each == "integer" and "number" in self.kinds)
        )

    @property
    def values(self) -> frozenset[str] | None:
        """All values, if they are a few short texts."""
        if self._values is None or self.kinds.keys() - {"string"}:
            return None
        return frozenset(self._values)

    def _enum(self, name: str) -> tuple[Any, ...] | None:
        values = self.values
        if not values or self.count < _SEEN_EACH * max(2, len(values)) or gives_away(name, values):
            return None
        return tuple(sorted(values))

    def _shown(self, name: str) -> tuple[Any, ...]:
        return tuple(value for _, _, value in self._examples if not gives_away(name, (value,)))


_redact = redact()


def gives_away(name: str, values: Iterable[Any]) -> bool:
    """Whether values are personal data or secrets, by what `redact` knows: no file is to keep them."""
    for value in values:
        passed: list[MiddlewarePayload] = []
        _redact(MiddlewarePayload({"event_properties": {name: value}}), passed.append)
        if not passed or passed[0].event.get("event_properties") != {name: value}:
            return True
    return False
