"""Rows into events: a mapping, compiled once into a function that does little for each row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

import orjson

from antinode._importing.columns import OBJECTS, Columns
from antinode._importing.readers.amplitude_export import from_export, is_exported
from antinode._importing.readers.timestamps import Convert, time_reader
from antinode._protocol.fields import FIELDS, FieldKind
from antinode._protocol.validation import as_text

Row: TypeAlias = dict[str, Any]
Event: TypeAlias = dict[str, Any]

NOTE: Final = "_rejected"
"""The key under which a rejected row carries why, which is no part of it."""
TEXT: Final = "_text"
"""In a rejected row that could not be read: what was there."""

EARLIEST_MS: Final = 100_000_000_000

# Cells and columns that were looked into once. They must not fill memory.
_MAX_REMEMBERED: Final = 20_000
_MISSING: Final = object()
# 007 and 1e5 are names more often than numbers; beyond 15 digits, JSON's readers lose some.
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?")
_WORDS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Unmappable(ValueError):
    """A row that the mapping makes no event of; the message says why."""


class Mapper:
    """Makes events of rows by a mapping.

    Without one, a row in Amplitude's own words is the event, and a row of its export becomes the one that it
    was. `to_event` may return the row itself, changed.
    """

    def __init__(self, columns: Columns) -> None:
        self._time = time_reader(columns.time_format, columns.time_zone)
        self._has_own_time = columns.time_format != "auto"
        self._constants = _nested(columns.constants)
        self._is_given = columns.is_given
        self._plan = _Plan(columns if columns.is_given else _ITSELF, columns, self._time)

    def to_event(self, row: Any, *, has_cells: bool = False) -> Event:
        """The event of a decoded row; `has_cells` if its values are text that may stand for other values.

        Raises `Unmappable`.
        """
        if type(row) is not dict:
            raise Unmappable(f"the row is {_article(row)}, not an object: write {{…}} with the event's keys")
        if NOTE in row or TEXT in row:
            row, has_cells = _mended(row, has_cells=has_cells)
        if self._is_given or has_cells:
            return self._plan.apply(row, self._constants, has_cells=has_cells)
        try:
            if "$insert_id" in row and is_exported(row):
                row = from_export(row, self._time if self._has_own_time else None)
            else:
                time = row.get("time")
                if time is not None and (type(time) is not int or time < EARLIEST_MS or self._has_own_time):
                    row["time"] = self._time(time)
        except ValueError as error:
            raise Unmappable(f"`time`: {error}") from None
        return _overlaid(row, self._constants) if self._constants else row


class _Plan:
    """The mapping of named columns."""

    def __init__(self, columns: Columns, settings: Columns, time: Convert) -> None:
        self._fields = [(key, column, *_path(column)) for key, column in columns.fields.items()]
        self._groups = [(kind, column, *_path(column)) for kind, column in columns.groups.items()]
        self._has_time = "time" in columns.fields and columns is settings
        self._time = time
        self._nulls = frozenset({"", *settings.null})
        self._text = settings.text
        self._named: list[tuple[str, str, str, str | None, tuple[str, ...]]] = []
        self._patterns: list[tuple[str, str]] = []
        for target, picks in (
            ("event_properties", columns.properties),
            ("user_properties", columns.user_properties),
        ):
            self._add(target, picks)
        if columns is not settings:
            self._patterns += [(target, f"{target}.*") for target in OBJECTS]
        self._taken = {
            *columns.fields.values(),
            *columns.groups.values(),
            *(column for _, _, column, *_ in self._named),
        }
        self._places: dict[str, list[tuple[str, str | None]]] = {}
        self._values: dict[str, Any] = {}
        self._textual: dict[str, bool] = {}

    def _add(self, target: str, picks: tuple[str, ...]) -> None:
        for pick in picks:
            name, equals, column = pick.partition("=")
            if equals:
                self._named.append((target, name, column, *_path(column)))
            elif "*" in pick or "?" in pick:
                self._patterns.append((target, pick))
            else:
                self._named.append((target, pick.rpartition(".")[2], pick, *_path(pick)))

    def apply(self, row: Row, constants: Event, *, has_cells: bool) -> Event:
        event: Event = {}
        nulls = self._nulls
        for key, column, first, trail in self._fields:
            value = row.get(column)
            if value is None and trail:
                value = _dug(row, first, trail)
            if value is None or (type(value) is str and value in nulls):
                if key == "time" and self._has_time:
                    raise Unmappable(f"`{column:.60}` is empty, which is to be the event's time")
                continue
            event[key] = self._field(key, column, value, has_cells=has_cells)
        for target, name, column, first, trail in self._named:
            value = row.get(column)
            if value is None and trail:
                value = _dug(row, first, trail)
            if value is not None:
                self._put(event, target, name, column, value, has_cells=has_cells)
        if self._patterns:
            self._pick(row, event, has_cells=has_cells)
        for kind, column, first, trail in self._groups:
            value = row.get(column)
            if value is None and trail:
                value = _dug(row, first, trail)
            if value is not None and not (type(value) is str and value in nulls):
                event.setdefault("groups", {})[kind] = (
                    as_text(value) if type(value) in (int, float) else value
                )
        return _overlaid(event, constants) if constants else event

    def _pick(self, row: Row, event: Event, *, has_cells: bool) -> None:
        places = self._places
        for column, value in row.items():
            if value is None:
                continue
            found = places.get(column)
            if found is None:
                found = self._place(column)
            for target, name in found:
                if name is not None:
                    self._put(event, target, name, column, value, has_cells=has_cells)
                elif type(value) is dict:
                    event.setdefault(target, {}).update(value)

    def _place(self, column: str) -> list[tuple[str, str | None]]:
        """Where a column goes by the patterns; None as a name spreads the object that it holds."""
        found: list[tuple[str, str | None]] = []
        for target, pattern in self._patterns:
            before, _, after = pattern.partition("*")
            if before[-1:] == "." and column == before[:-1] and after == "":
                found.append((target, None))
            elif column not in self._taken and fnmatchcase(column, pattern):
                is_prefix = not after and "?" not in before and "[" not in before
                found.append((target, column[len(before) :] if is_prefix else column))
        if len(self._places) >= _MAX_REMEMBERED:
            self._places.clear()
        self._places[column] = found
        return found

    def _put(self, event: Event, target: str, name: str, column: str, value: Any, *, has_cells: bool) -> None:
        if type(value) is str:
            if value in self._nulls:
                return
            if has_cells:
                value = self._value(column, value) if target != "groups" else value
        held = event.get(target)
        if type(held) is dict:
            held[name] = value
        else:
            event[target] = {name: value}

    def _value(self, column: str, cell: str) -> Any:
        """A cell as the number or truth value that it spells, unless its column is to stay text."""
        if self._text:
            textual = self._textual.get(column)
            if textual is None:
                textual = self._textual[column] = any(fnmatchcase(column, each) for each in self._text)
            if textual:
                return cell
        value = self._values.get(cell, _MISSING)
        if value is _MISSING:
            if len(self._values) >= _MAX_REMEMBERED:
                self._values.clear()
            value = typed(cell)
            if len(cell) < 100:
                self._values[cell] = value
        return value

    def _field(self, key: str, column: str, value: Any, *, has_cells: bool) -> Any:
        if key == "time":
            try:
                return self._time(value)
            except ValueError as error:
                raise Unmappable(f"`{column:.60}`: {error}") from None
        kind = FIELDS.get(key)
        if kind is FieldKind.STRING:
            return as_text(value) if type(value) in (int, float) else value
        if type(value) is not str or kind is None or kind is FieldKind.ANY:
            return value
        if kind is FieldKind.OBJECT:
            return _decoded(column, value)
        return typed(value) if has_cells else value


def typed(cell: str) -> Any:
    """What a cell spells: a number, a truth value, or the text that it is."""
    if _NUMBER.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    return _WORDS.get(cell, cell)


def _decoded(column: str, value: str) -> Any:
    try:
        return orjson.loads(value)
    except ValueError:
        raise Unmappable(
            f"`{column:.60}` is to hold an object, and {value!r:.60} is no JSON: write {{…}}"
        ) from None


def _path(column: str) -> tuple[str | None, tuple[str, ...]]:
    """The steps of a dotted name, for rows with objects in them."""
    first, *trail = column.split(".")
    return first, tuple(trail)


def _dug(row: Row, first: str | None, trail: tuple[str, ...]) -> Any:
    value = row.get(first or "")
    for step in trail:
        if type(value) is not dict:
            return None
        value = value.get(step)
    return value


def _nested(constants: Mapping[str, Any]) -> Event:
    event: Event = {}
    for key, value in constants.items():
        top, dot, name = key.partition(".")
        if dot:
            event.setdefault(top, {})[name] = value
        else:
            event[key] = value
    return event


def _overlaid(event: Event, constants: Event) -> Event:
    """The event with the constants where it has nothing of its own."""
    for key, value in constants.items():
        own = event.get(key)
        if own is None:
            event[key] = dict(value) if type(value) is dict else value
        elif type(value) is dict and type(own) is dict:
            event[key] = {**value, **own}
    return event


def _mended(row: Row, *, has_cells: bool) -> tuple[Any, bool]:
    """A row that was rejected once, without the note that says so."""
    row = dict(row)
    note = row.pop(NOTE, None)
    if isinstance(note, dict) and note.get("cells") is True:
        has_cells = True
    text = row.pop(TEXT, None)
    if isinstance(text, str) and not row:
        try:
            return _checked(orjson.loads(text)), has_cells
        except ValueError as error:
            raise Unmappable(f"`{TEXT}` is no JSON ({error}): mend it") from None
    return row, has_cells


def _checked(row: Any) -> Row:
    if type(row) is not dict:
        raise Unmappable(f"`{TEXT}` is {_article(row)}, not an object: write {{…}} with the event's keys")
    return row


def _article(value: Any) -> str:
    return {list: "an array", str: "text", type(None): "null", bool: "true or false"}.get(
        type(value), "a number"
    )


_ITSELF: Final = Columns(
    fields={key: key for key in FIELDS},
)
"""A table whose columns are called as the keys of an event."""

Make: TypeAlias = Callable[[Any], Event]
