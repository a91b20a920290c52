"""The mapping of named columns, compiled once into what is done for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from antinode._importing.cells import NULLS, id_of, typed
from antinode._importing.columns import Columns, Pick, is_pattern
from antinode._importing.errors import Unmappable
from antinode._importing.objects import as_object, dig, object_of
from antinode._importing.readers.timestamps import Convert
from antinode._protocol.fields import FIELDS, ID_FIELDS, FieldKind
from antinode._protocol.ids import as_text

Row: TypeAlias = dict[str, Any]
Event: TypeAlias = dict[str, Any]

# How many cells and columns are remembered with what they mean, so that they cannot fill memory.
_MAX_REMEMBERED: Final = 20_000
_MISSING: Final = object()
_UNKNOWN: Final = ""
_IDENTIFYING: Final = frozenset({*ID_FIELDS, "insert_id"})


@dataclass(frozen=True)
class _Pattern:
    """Columns that become properties under the names that they have."""

    target: str
    text: str
    """As it was given: it is compared with whole names of columns."""
    path: tuple[str, ...]
    """The steps to the object whose keys are compared with `keys`, none for the row alone."""
    keys: str
    taken: frozenset[str]
    """Keys of that object that are used otherwise."""
    names: dict[str, str | None] = field(default_factory=dict, compare=False)
    """What keys become that were looked into once, None if they are not taken."""

    def name(self, key: str, pattern: str) -> str:
        """What a matching name becomes: of `prop_*`, the beginning is cut off."""
        before, _, after = pattern.partition("*")
        is_beginning = not after and "?" not in before and "[" not in before
        return key[len(before) :] if is_beginning else key


class ColumnMapping:
    """Makes events of rows by the columns that are named."""

    def __init__(
        self, columns: Columns, time: Convert, *, needs_time: bool, prefixes: tuple[str, ...] = ()
    ) -> None:
        """With `needs_time`, a row without a time makes no event; columns may be called `prefix.key`."""
        self._time, self._needs_time = time, needs_time
        self._fields = [(key, column, _steps(column)) for key, column in columns.fields.items()]
        self._groups = [(kind, column, _steps(column)) for kind, column in columns.groups.items()]
        self._nulls = NULLS.union(columns.null)
        self._text = columns.text
        self._named: list[tuple[str, str, str, tuple[str, ...]]] = []
        taken = {*columns.fields.values(), *columns.groups.values()}
        given: list[tuple[str, str]] = []
        for target, pick in (
            *(("event_properties", each) for each in columns.properties),
            *(("user_properties", each) for each in columns.user_properties),
        ):
            name, equals, column = pick.partition("=")
            if not equals and is_pattern(pick):
                given.append((target, pick))
                continue
            name, column = (name, column) if equals else (pick.rpartition(".")[2], pick)
            self._named.append((target, name, column, _steps(column)))
            taken.add(column)
        self._taken = frozenset(taken)
        self._patterns = [_pattern(target, pick, taken) for target, pick in given]
        self._patterns += [_Pattern(each, f"{each}.*", (), "*", frozenset()) for each in prefixes]
        self._nested = [each for each in self._patterns if each.path]
        self._spread = {each.path[0] for each in self._nested}
        deep = [column for column in taken if "." in column]
        self._texts = tuple({*self._spread, *(each.partition(".")[0] for each in deep)} - taken)
        """Columns that are reached into: what is the text of an object is decoded once."""
        self._places: dict[str, list[tuple[str, str]]] = {}
        self._values: dict[str, Any] = {}
        self._textual: dict[str, bool] = {}
        self.unmatched: list[Pick] = columns.picks()
        """What was named, and has met nothing in any row so far."""

    def apply(self, row: Row, *, has_cells: bool) -> Event:
        """The event of a row. Raises `Unmappable`."""
        event: Event = {}
        nulls = self._nulls
        if self.unmatched:
            self.unmatched = [each for each in self.unmatched if not is_met(each, row)]
        for column in self._texts:
            if type(row.get(column)) is not dict and (held := as_object(row.get(column))) is not None:
                row[column] = held
        for key, column, steps in self._fields:
            value = row.get(column)
            if value is None and steps:
                value = dig(row, steps)
            if value is None or (type(value) is str and value in nulls):
                if key == "time" and self._needs_time:
                    raise Unmappable(f"`{column:.60}` is empty, which is to be the event's time")
                continue
            event[key] = self._field(key, column, value, has_cells=has_cells)
        for target, name, column, steps in self._named:
            value = row.get(column)
            if value is None and steps:
                value = dig(row, steps)
            if value is not None:
                self._put(event, target, name, column, value, has_cells=has_cells)
        if self._patterns:
            self._pick(row, event, has_cells=has_cells)
        for kind, column, steps in self._groups:
            value = row.get(column)
            if value is None and steps:
                value = dig(row, steps)
            if value is not None and not (type(value) is str and value in nulls):
                event.setdefault("groups", {})[kind] = _group(column, value, has_cells=has_cells)
        return event

    def _pick(self, row: Row, event: Event, *, has_cells: bool) -> None:
        places = self._places
        for column, value in row.items():
            if value is None:
                continue
            found = places.get(column)
            if found is None:
                found = self._place(column)
            for target, name in found:
                self._put(event, target, name, column, value, has_cells=has_cells)
        for pattern in self._nested:
            names = pattern.names
            for key, value in _held(row, pattern.path).items():
                called = names.get(key, _UNKNOWN)
                if called == _UNKNOWN:
                    called = _remembered(pattern, key)
                if called is not None and value is not None:
                    self._put(event, pattern.target, called, key, value)

    def _place(self, column: str) -> list[tuple[str, str]]:
        """The fields and names under which the patterns place a column."""
        found: list[tuple[str, str]] = []
        if column not in self._taken and column not in self._spread:
            found = [
                (each.target, each.name(column, each.text))
                for each in self._patterns
                if fnmatchcase(column, each.text)
            ]
        if len(self._places) >= _MAX_REMEMBERED:
            self._places.clear()
        self._places[column] = found
        return found

    def _put(
        self, event: Event, target: str, name: str, column: str, value: Any, *, has_cells: bool = False
    ) -> None:
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
        if key in _IDENTIFYING:
            return id_of(column, value, is_cell=has_cells)
        kind = FIELDS.get(key)
        if kind is FieldKind.STRING:
            return as_text(value) if type(value) in (int, float) else value
        if kind is FieldKind.OBJECT:
            return object_of(column, value)
        if type(value) is not str or kind is None or kind is FieldKind.ANY:
            return value
        return typed(value) if has_cells else value


def is_met(pick: Pick, row: Row) -> bool:
    """Whether a row has the column that was named, or one that the pattern matches."""
    column = pick.column
    if not pick.is_pattern:
        return column in row or ("." in column and dig(row, column.split(".")) is not None)
    path, _, keys = column.rpartition(".")
    if any(fnmatchcase(each, column) for each in row):
        return True
    return bool(path) and any(fnmatchcase(each, keys) for each in _held(row, path.split(".")))


def itself(columns: Columns) -> Columns:
    """The mapping of a table whose columns are called as the keys of an event."""
    fields = {key: key for key in FIELDS} | dict(columns.fields)
    return Columns(fields=fields, null=columns.null, text=columns.text)


def _pattern(target: str, pick: str, taken: set[str]) -> _Pattern:
    path, dot, keys = pick.rpartition(".")
    if is_pattern(path):
        return _Pattern(target, pick, (), pick, frozenset())
    own = frozenset(each[len(path) + 1 :] for each in taken if dot and each.startswith(f"{path}."))
    return _Pattern(target, pick, tuple(path.split(".")) if dot else (), keys, own)


def _remembered(pattern: _Pattern, key: str) -> str | None:
    name = None
    if key not in pattern.taken and fnmatchcase(key, pattern.keys):
        name = pattern.name(key, pattern.keys)
    if len(pattern.names) >= _MAX_REMEMBERED:
        pattern.names.clear()
    pattern.names[key] = name
    return name


def _steps(column: str) -> tuple[str, ...]:
    """The steps of a dotted name, for rows with objects in them; none of a plain one."""
    return tuple(column.split(".")) if "." in column else ()


def _held(row: Row, path: Sequence[str]) -> dict[str, Any]:
    value = row.get(path[0]) if len(path) == 1 else dig(row, path)
    if type(value) is dict:
        return value
    return as_object(value) or {}


def _group(column: str, value: Any, *, has_cells: bool) -> Any:
    if type(value) is list:
        return [id_of(column, each, is_cell=has_cells) for each in value]
    return id_of(column, value, is_cell=has_cells)
