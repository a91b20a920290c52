"""What is done to an event before it is sent again: what was asked for, and what it would lose otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from antinode._deadletters import Letter
from antinode._protocol.fields import FIELDS, FieldKind
from antinode.cli.replay.reading import ReadableLine


class Item(NamedTuple):
    """An event that is to be sent."""

    where: str
    """The line it comes from."""
    event: dict[str, Any]
    letter: Letter


class _Name(NamedTuple):
    """`user_id`, or a property: `event_properties.title`."""

    field: str
    key: str | None

    @classmethod
    def read(cls, text: str) -> _Name:
        field, dot, key = text.partition(".")
        # A property's name may itself have dots in it.
        return cls(field, key) if dot and FIELDS.get(field) is FieldKind.OBJECT else cls(text, None)


@dataclass(frozen=True)
class Mending:
    """Fields to set and to take out. Raises ValueError for one that is not spelled as it should be."""

    sets: tuple[tuple[_Name, Any], ...]
    drops: tuple[_Name, ...]

    @classmethod
    def read(cls, sets: Sequence[str], drops: Sequence[str]) -> Mending:
        return cls(tuple(map(_read_set, sets)), tuple(map(_Name.read, drops)))

    def mend(self, entry: ReadableLine) -> Item:
        """The event as it is to be sent. It has a time and an insert_id, whatever was done to it."""
        letter = entry.letter
        event = dict(letter.event or {})
        for name in self.drops:
            _drop(event, name)
        for name, value in self.sets:
            _set(event, name, value)
        if event.get("time") is None and letter.buried_at is not None:
            # An event that was refused when it was logged has no time yet; it was buried at that moment.
            event["time"] = int(letter.buried_at.timestamp() * 1000)
        if event.get("insert_id") in (None, ""):
            event["insert_id"] = _insert_id(entry)
        return Item(entry.where, event, letter)


def _read_set(text: str) -> tuple[_Name, Any]:
    field, equals, value = text.partition("=")
    if not equals or not field:
        raise ValueError(f"{text!r:.60} is not FIELD=VALUE, such as user_id=user-20391")
    name = _Name.read(field)
    if name.key is None and FIELDS.get(name.field) is FieldKind.STRING:
        return name, value
    try:
        return name, msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return name, value


def _set(event: dict[str, Any], name: _Name, value: Any) -> None:
    if name.key is None:
        event[name.field] = value
    else:
        inner = event.get(name.field)
        event[name.field] = {**(inner if isinstance(inner, dict) else {}), name.key: value}


def _drop(event: dict[str, Any], name: _Name) -> None:
    inner = event.get(name.field)
    if name.key is None:
        event.pop(name.field, None)
    elif isinstance(inner, dict):
        event[name.field] = {key: value for key, value in inner.items() if key != name.key}


def _insert_id(entry: ReadableLine) -> str:
    """An insert_id that is equal for equal lines, so that an event counts once when a replay is repeated."""
    digest = hashlib.sha256(b"%d %b" % (entry.number, entry.line)).hexdigest()
    return f"replay-{digest[:32]}"
