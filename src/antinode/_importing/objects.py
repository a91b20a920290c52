"""Objects in the ways that files hold them, and the way into them.

An object may be one, the JSON text of one, what Python prints for one, or an array of keys with their values,
as BigQuery and Avro write maps: `[{"key": "plan", "value": {"string_value": "pro"}}]`.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from typing import Any, Final

from antinode._importing.errors import Unmappable
from antinode._protocol import exact

_KEYS: Final = ("key", "name", "Key", "Name")
_VALUES: Final = ("value", "Value")
_TYPED: Final = "_value"
# A key that stands beside the typed values, of which one is set.
_STAMP: Final = "set_timestamp_micros"
# A longer literal is hardly written by hand, and Python's parser takes hundreds of times its memory.
_MAX_LITERAL: Final = 10_000


def as_object(value: Any) -> dict[str, Any] | None:
    """The object that `value` is or stands for; None if there is none."""
    if type(value) is dict:
        return value
    if type(value) is str:
        value = _parsed(value)
        if type(value) is dict:
            return value
    return _from_entries(value) if type(value) is list else None


def object_of(column: str, value: Any) -> Any:
    """The object in a column, or a value that is no text as it is. Raises `Unmappable` for other text."""
    held = as_object(value)
    if held is None and type(value) is str:
        raise Unmappable(f"`{column:.60}` is to hold an object, and {value!r:.60} is no JSON: write {{…}}")
    return value if held is None else held


def dig(row: dict[str, Any], steps: Sequence[str]) -> Any:
    """What lies at the end of a dotted path, None if nothing does. A step may be the place in an array."""
    value: Any = row
    for at, step in enumerate(steps):
        if type(value) is list and step.isdecimal() and len(step) < 6:
            value = value[int(step)] if int(step) < len(value) else None
            continue
        held = as_object(value)
        if held is None:
            return None
        if step not in held and at:
            # The name itself may have dots in it.
            return held.get(".".join(steps[at:]))
        value = held.get(step)
    return value


def _parsed(text: str) -> Any:
    start = text.lstrip()[:1]
    if start not in ("{", "["):
        return None
    try:
        return exact.loads(text)
    except ValueError:
        pass
    if "'" not in text or len(text) > _MAX_LITERAL:
        return None
    try:
        with warnings.catch_warnings():
            # Escapes that Python does not know would be warned of.
            warnings.simplefilter("ignore")
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def _from_entries(entries: list[Any]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for entry in entries:
        if type(entry) is not dict:
            return None
        key = next((entry[name] for name in _KEYS if type(entry.get(name)) is str), None)
        value = next((name for name in _VALUES if name in entry), None)
        if key is None or value is None:
            return None
        found[key] = _chosen(entry[value])
    return found


def _chosen(value: Any) -> Any:
    """The field that is set, of a value that has a field for each type."""
    if type(value) is not dict or not value:
        return value
    if not all(name.endswith(_TYPED) or name == _STAMP for name in value):
        return value
    for name, held in value.items():
        if held is not None and name != _STAMP:
            return _number(name, held) if type(held) is str and name != "string_value" else held
    return None


def _number(name: str, text: str) -> Any:
    """The number in `text`: BigQuery writes whole numbers as text, so that no reader cuts their digits."""
    try:
        return int(text) if name.startswith("int") else float(text)
    except ValueError:
        return text
