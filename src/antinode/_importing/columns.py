"""Which column of a row becomes what of an event: the mapping, as it was given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from antinode._importing.errors import BadMapping, NotInstalled
from antinode._importing.filters import all_of, column_of
from antinode._importing.readers.timestamps import time_reader
from antinode._protocol.fields import FIELDS, GROUP_IDENTIFY, ID_FIELDS
from antinode._protocol.unknown_keys import meant_key

OBJECTS: Final = ("event_properties", "user_properties", "groups", "group_properties")
"""What `prefix.key` may name a key of."""


NOW: Final = "now"
"""What `undated` says of rows that have no time."""


@dataclass(frozen=True)
class Pick:
    """Something that was named: a column, or a pattern of them."""

    label: str
    """As it would be written on the command line."""
    column: str

    @property
    def is_pattern(self) -> bool:
        """Whether this names a pattern of columns rather than one column."""
        return is_pattern(self.column)


def is_pattern(text: str) -> bool:
    """Whether `text` is a pattern, which stands for every column that it matches."""
    return "*" in text or "?" in text


@dataclass(frozen=True)
class Columns:
    """The mapping. Without any column in it, rows are events in Amplitude's own words already."""

    fields: Mapping[str, str] = field(default_factory=dict)
    """Key of the event -> column."""
    properties: tuple[str, ...] = ()
    """Of the event: a column, `name=column`, or a pattern such as `prop_*`, whose beginning is cut off."""
    user_properties: tuple[str, ...] = ()
    """Of the user, in the same way."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Group type -> column."""
    constants: Mapping[str, Any] = field(default_factory=dict)
    """Key of the event, or `event_properties.name` and the like -> value."""
    time_format: str = "auto"
    time_zone: str = "UTC"
    null: tuple[str, ...] = ()
    """Texts of cells that stand for nothing, beside the empty one."""
    text: tuple[str, ...] = ()
    """Columns, or patterns of them, whose cells stay text though they look like numbers."""
    where: tuple[str, ...] = ()
    """Conditions that rows have to meet, `column=value` or `column!=value`; others are left out."""
    undated: str = ""
    """`now` if rows without a time are meant to be dated at the time of the import."""

    def __post_init__(self) -> None:
        for key in self.fields:
            _check_key(key)
        for key in self.constants:
            _check_key(key)
        time_reader(self.time_format, self.time_zone)
        all_of(self.where)
        if self.undated not in ("", NOW):
            raise BadMapping(f"undated must be {NOW!r}, not {self.undated!r:.60}")
        if self.is_given:
            self._check_completeness()

    @property
    def is_given(self) -> bool:
        """Whether events are made of what is named, and of nothing else.

        A time or a group alone is named beside what rows say in Amplitude's own words.
        """
        return bool(self.fields.keys() - {"time"} or self.properties or self.user_properties)

    def used(self) -> frozenset[str] | None:
        """The columns of a row that make its event, None if any may be needed.

        A row whose event has no insert_id of its own is needed as a whole, since that is made of all of it.
        """
        picks = self.picks()
        if "insert_id" not in self.fields or not self.is_given:
            return None
        if any(each.is_pattern and "." not in each.column for each in picks):
            return None
        return frozenset(name for each in picks for name in (each.column, each.column.partition(".")[0]))

    def picks(self) -> list[Pick]:
        """All that is named."""
        found = [Pick(_label(key, column), column) for key, column in self.fields.items()]
        for option, texts in (("--properties", self.properties), ("--user-properties", self.user_properties)):
            found += [Pick(f"{option} {_quoted(each)}", each.rpartition("=")[2]) for each in texts]
        found += [Pick(f"--group {kind}={column}", column) for kind, column in self.groups.items()]
        return found + [Pick(f"--where {_quoted(each)}", column_of(each)) for each in self.where]

    def _check_completeness(self) -> None:
        told = {*self.fields, *self.constants}
        if "event_type" not in told:
            raise BadMapping(
                "columns are mapped, but not what happened: "
                "add --event-type COLUMN, or --constant event_type=NAME"
            )
        if told.isdisjoint(ID_FIELDS) and self.constants.get("event_type") != GROUP_IDENTIFY:
            raise BadMapping(
                "columns are mapped, but not whose event it is: add --user-id COLUMN or --device-id COLUMN"
            )

    def merged(self, over: Columns) -> Columns:
        """This mapping with what `over` says in addition or instead."""
        usual = Columns()
        return Columns(
            fields={key: column for key, column in {**self.fields, **over.fields}.items() if column},
            properties=(*self.properties, *over.properties),
            user_properties=(*self.user_properties, *over.user_properties),
            groups={**self.groups, **over.groups},
            constants={**self.constants, **over.constants},
            time_format=self.time_format if over.time_format == usual.time_format else over.time_format,
            time_zone=self.time_zone if over.time_zone == usual.time_zone else over.time_zone,
            null=(*self.null, *over.null),
            text=(*self.text, *over.text),
            where=(*self.where, *over.where),
            undated=over.undated or self.undated,
        )

    def as_json(self) -> str:
        """The mapping as text that is equal for equal mappings, to tell whether it has changed."""
        return json.dumps(asdict(self), sort_keys=True, default=str)


_OPTIONS: Final = frozenset({"event_type", "user_id", "device_id", "time", "insert_id", "session_id"})
"""Keys with an option of their own."""


def _label(key: str, column: str) -> str:
    return f"--{key.replace('_', '-')} {column}" if key in _OPTIONS else f"--field {key}={column}"


def _quoted(text: str) -> str:
    return f"'{text}'" if is_pattern(text) else text


def _check_key(key: str) -> None:
    top, dot, name = key.partition(".")
    if key in FIELDS or (dot and name and top in OBJECTS):
        return
    meant = meant_key(key)
    hint = f"did you mean {meant}?" if meant else f"write event_properties.{key} for a property"
    raise BadMapping(f"{key!r:.60} is no key of an event: {hint}")


_MAX_MAPPING_BYTES: Final = 256 * 1024
# Dots in one line of TOML. The time to parse a dotted name grows with the square of its parts.
_MAX_DOTS: Final = 200
_TABLES: Final = ("fields", "groups", "constants")
_LISTS: Final = ("properties", "user_properties", "null", "text", "where")


def read_mapping(path: Path) -> dict[str, Any]:
    """The arguments of `Columns` in a TOML or JSON file. Raises `BadMapping` and `NotInstalled`."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_MAPPING_BYTES + 1)
        if len(data) > _MAX_MAPPING_BYTES:
            raise BadMapping(
                f"the mapping {path} is longer than {_MAX_MAPPING_BYTES >> 10} KiB: is it the right file?"
            )
        text = data.decode()
    except OSError as error:
        raise BadMapping(f"the mapping {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadMapping(f"the mapping {path} is not UTF-8") from None
    try:
        given = json.loads(text) if path.suffix.lower() == ".json" else _toml(text)
    except ValueError as error:
        raise BadMapping(f"the mapping {path} cannot be understood: {error}") from None
    except RecursionError:
        raise BadMapping(f"the mapping {path} is nested too deep") from None
    if not isinstance(given, dict):
        raise BadMapping(f"the mapping {path} must be an object with keys such as fields and properties")
    return _checked(given, str(path))


def _toml(text: str) -> Any:
    try:
        import tomllib  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - from Python 3.11 on
    except ImportError:
        try:
            import tomli as tomllib  # type: ignore[import-not-found, no-redef, unused-ignore]  # noqa: PLC0415
        except ImportError:
            raise NotInstalled("a mapping in TOML", "tomli") from None
    number = next((at for at, line in enumerate(text.split("\n"), 1) if line.count(".") > _MAX_DOTS), None)
    if number is not None:
        raise ValueError(f"line {number} has more than {_MAX_DOTS} dots: divide it")
    return tomllib.loads(text)


def _checked(given: dict[str, Any], where: str) -> dict[str, Any]:
    known = [each.name for each in fields(Columns)]
    checked: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise BadMapping(f"{where}: there is no {name!r:.60} in a mapping; it has {', '.join(known)}")
        if name in _TABLES:
            if not isinstance(value, dict) or (
                name != "constants" and not all(isinstance(each, str) for each in value.values())
            ):
                raise BadMapping(f"{where}: {name} must be a table of key = {_MEANS[name]}")
            checked[name] = value
        elif name in _LISTS:
            checked[name] = _list(name, value, where)
        elif isinstance(value, str):
            checked[name] = value
        else:
            raise BadMapping(f"{where}: {name} must be text")
    return checked


_MEANS: Final = {"fields": '"column"', "groups": '"column"', "constants": "value"}


def _list(name: str, value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, dict) and name.endswith("properties"):
        value = [f"{key}={column}" for key, column in value.items()]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadMapping(f"{where}: {name} must be a list of texts")
    return tuple(value)
