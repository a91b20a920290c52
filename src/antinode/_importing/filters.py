"""Which rows are events that are wanted: conditions on columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from antinode._importing.errors import BadMapping
from antinode._importing.objects import dig
from antinode._protocol.ids import as_text

Row: TypeAlias = dict[str, Any]
Condition: TypeAlias = Callable[[Row], bool]

_FORM: Final = "write COLUMN=VALUE or COLUMN!=VALUE, with commas between values, such as type=track,page"
_SPELT: Final = {True: "true", False: "false", None: ""}


def condition(text: str) -> Condition:
    """The condition that `column=value` or `column!=value` states; values may be patterns.

    A value that is not there, or null, is empty text. Raises `BadMapping`.
    """
    column, equals, wanted = text.partition("=")
    is_negated = column.endswith("!")
    column = column.removesuffix("!").strip()
    if not equals or not column:
        raise BadMapping(f"{text!r:.60} is no condition: {_FORM}")
    values = [each.strip() for each in wanted.split(",")]
    plain = {each for each in values if not _is_pattern(each)}
    patterns = [each for each in values if _is_pattern(each)]
    steps = column.split(".")

    def holds(row: Row) -> bool:
        value = row.get(column)
        if value is None and len(steps) > 1:
            value = dig(row, steps)
        found = _text(value)
        is_one = found in plain or any(fnmatchcase(found, each) for each in patterns)
        return is_one is not is_negated

    return holds


def column_of(text: str) -> str:
    """The column that a condition looks at."""
    return text.partition("=")[0].removesuffix("!").strip()


def all_of(texts: Sequence[str]) -> Condition | None:
    """The condition that all of them hold, None if there are none. Raises `BadMapping`."""
    conditions = [condition(each) for each in texts]
    if not conditions:
        return None
    return lambda row: all(holds(row) for holds in conditions)


def _is_pattern(value: str) -> bool:
    return "*" in value or "?" in value


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return _SPELT[value]
    if isinstance(value, int | float):
        return as_text(value)
    return value if isinstance(value, str) else str(value)
