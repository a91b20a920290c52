"""Rows into events: by the columns that are named, or by what a row is."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from antinode._encoding.encoder import EARLIEST_MS
from antinode._importing.calls import NoEvent, from_call, is_call, of_kind
from antinode._importing.chunks import NOT_UTF8
from antinode._importing.columns import NOW, OBJECTS, Columns, Pick
from antinode._importing.decoding import decoded
from antinode._importing.errors import LeftOut, Unmappable
from antinode._importing.filters import all_of
from antinode._importing.mapping import ColumnMapping, itself
from antinode._importing.objects import as_object, dig
from antinode._importing.readers.amplitude_export import from_export, is_exported
from antinode._importing.readers.timestamps import time_reader
from antinode._protocol.fields import FIELDS, GROUP_IDENTIFY, IDENTIFY
from antinode._protocol.ids import as_text

Row: TypeAlias = dict[str, Any]
Event: TypeAlias = dict[str, Any]

NOTE: Final = "_rejected"
"""The key under which a rejected row carries why, which is no part of it."""
TEXT: Final = "_text"
"""In a rejected row that could not be read: what was there."""
BYTES: Final = "bytes"
"""In the note of a rejected row that was not UTF-8: the row as it was, in Base64."""

_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
UNDATED: Final = "the row has no time, and is dated at the time of the import: name its column with --time"

_LATEST_MS: Final = 100_000_000_000_000
_NO_EVENTS: Final = (IDENTIFY, GROUP_IDENTIFY)
_SPELT: Final = {key.lower(): key for key in FIELDS}


class Mapper:
    """Makes events of rows by a mapping.

    Without one, a row in Amplitude's own words is the event, a row of its export becomes the one that it was,
    and so does a call of the Segment specification. `to_event` may return the row itself, changed.
    """

    def __init__(self, columns: Columns, encoding: str | None = None) -> None:
        """`encoding` is that of the bytes which are kept with rejected rows that were not UTF-8."""
        self._columns = columns
        self._encoding = encoding
        self._time = time_reader(columns.time_format, columns.time_zone)
        self._has_own_time = columns.time_format != "auto"
        self._time_column = columns.fields.get("time")
        self._constants = _nested(columns.constants)
        self._is_given = columns.is_given
        self._where = all_of(columns.where)
        self._is_undated_meant = columns.undated == NOW
        if columns.is_given:
            self._mapping = ColumnMapping(columns, self._time, needs_time="time" in columns.fields)
        else:
            self._mapping = ColumnMapping(itself(columns), self._time, needs_time=False, prefixes=OBJECTS)
            self._mapping.unmatched = []
        self.notes: list[str] = []
        """What is worth knowing of the rows so far; whoever asks takes it out."""

    @property
    def unmatched(self) -> list[Pick]:
        """The columns and patterns that were named and that no row has had so far."""
        return self._mapping.unmatched

    def to_event(self, row: Any, *, has_cells: bool = False) -> Event:
        """The event of a decoded row; `has_cells` if its values are text that may stand for other values.

        Raises `Unmappable` and `LeftOut`.
        """
        if type(row) is not dict:
            raise Unmappable(f"the row is {_article(row)}, not an object: write {{…}} with the event's keys")
        if NOTE in row or TEXT in row:
            row, has_cells = self.mended(row, has_cells=has_cells)
        if self._where is not None and not self._where(row):
            raise LeftOut
        try:
            event = self._mapped(row, has_cells=has_cells) if self._is_given else self._own(row, has_cells)
        except NoEvent as error:
            raise LeftOut(str(error)) from None
        if self._constants:
            event = _overlaid(event, self._constants)
        if event.get("time") is None and not self._is_undated_meant and is_counted(event):
            self.notes.append(UNDATED)
        return event

    def mended(self, row: Row, *, has_cells: bool) -> tuple[Row, bool]:
        """A row without the note that it was rejected once, if it has one, and whether its values are cells.

        Raises `Unmappable`.
        """
        if NOTE not in row and TEXT not in row:
            return row, has_cells
        row = dict(row)
        note = row.pop(NOTE, None)
        note = note if type(note) is dict else {}
        has_cells = has_cells or note.get("cells") is True
        text = row.pop(TEXT, None)
        raw = note.get(BYTES)
        if type(raw) is str and self._encoding is not None:
            return _restored(raw, self._encoding), has_cells
        if type(raw) is str and _REPLACED in repr((row, text)):
            raise Unmappable(NOT_UTF8)
        if type(text) is str and not row:
            try:
                return _checked(decoded(text.encode(errors="surrogatepass"))[0]), has_cells
            except (ValueError, RecursionError) as error:
                raise Unmappable(f"`{TEXT}` is no JSON ({error}): mend it") from None
        return row, has_cells

    def is_event(self, row: Any, *, has_cells: bool) -> bool:
        """Whether a row is meant to be an event as it stands."""
        if self._is_given or self._time_column or self._columns.groups or has_cells:
            return False
        if type(row) is not dict:
            return True
        if "event_type" in row:
            return not is_exported(row)
        return not (is_call(row) or _is_in_capitals(row))

    def _mapped(self, row: Row, *, has_cells: bool) -> Event:
        event = self._mapping.apply(row, has_cells=has_cells)
        if event.get("event_type") is None and "event_type" not in self._constants and is_call(row):
            event |= of_kind(row, dict(self._columns.groups))
            if event.get("event_type") in _NO_EVENTS:
                event.pop("event_properties", None)
        return event

    def _own(self, row: Row, has_cells: bool) -> Event:
        """The event of a row that says by itself what it is."""
        if "event_type" not in row:
            row = _in_lower_case(row)
        is_of_export = is_exported(row)
        if self._time_column is not None:
            row["event_time" if is_of_export else "time"] = _found_time(row, self._time_column)
        if is_of_export:
            try:
                event = from_export(row, self._time if self._has_own_time else None, has_cells=has_cells)
            except ValueError as error:
                raise Unmappable(str(error)) from None
        elif "event_type" not in row and is_call(row):
            event = from_call(row, dict(self._columns.groups))
            self._convert_time(event)
        elif has_cells:
            event = self._mapping.apply(row, has_cells=True)
        else:
            event = row
            self._convert_time(event)
            for key in OBJECTS:
                if type(event.get(key)) is str and (held := as_object(event[key])) is not None:
                    event[key] = held
        for kind, column in self._columns.groups.items():
            value = row.get(column)
            if value is not None and kind not in (event.get("groups") or {}):
                event["groups"] = {
                    **(event.get("groups") or {}),
                    kind: as_text(value) if type(value) in (int, float) else value,
                }
        return event

    def _convert_time(self, event: Event) -> None:
        time = event.get("time")
        if time is None:
            return
        if type(time) is int and EARLIEST_MS <= time < _LATEST_MS and not self._has_own_time:
            return
        try:
            event["time"] = self._time(time)
        except ValueError as error:
            raise Unmappable(f"`time`: {error}") from None


def _found_time(row: Row, column: str) -> Any:
    value = row.get(column)
    if value is None:
        value = dig(row, column.split("."))
    if value in (None, ""):
        raise Unmappable(f"`{column:.60}` is empty, which is to be the event's time")
    return value


def is_counted(event: Event) -> bool:
    """Whether an event appears on charts, so that its time matters."""
    return event.get("event_type") not in _NO_EVENTS


def _is_in_capitals(row: Row) -> bool:
    return any(key.lower() == "event_type" for key in row)


def _in_lower_case(row: Row) -> Row:
    """The row with its column names in lower case, if a warehouse has written them in capitals."""
    if not _is_in_capitals(row):
        return row
    found: Row = {}
    for key, value in row.items():
        found.setdefault(_SPELT.get(key.lower(), key.lower()), value)
    return found


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
    """The event with each constant whose key it does not have."""
    for key, value in constants.items():
        own = event.get(key)
        if own is None:
            event[key] = dict(value) if type(value) is dict else value
        elif type(value) is dict and type(own) is dict:
            event[key] = {**value, **own}
    return event


def _restored(raw: str, encoding: str) -> Row:
    """The row whose bytes were kept, now that their encoding is known."""
    try:
        return _checked(decoded(base64.b64decode(raw).decode(encoding).encode())[0])
    except (ValueError, RecursionError, LookupError) as error:
        raise Unmappable(f"the row is not {encoding} ({error})") from None


def _checked(row: Any) -> Row:
    if type(row) is not dict:
        raise Unmappable(f"`{TEXT}` is {_article(row)}, not an object: mend it")
    return row


def _article(value: Any) -> str:
    return {list: "an array", str: "text", type(None): "null", bool: "true or false"}.get(
        type(value), "a number"
    )
