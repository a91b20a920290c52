"""What text in a table spells: a number, a truth value, an id."""

from __future__ import annotations

import re
from typing import Any, Final

from antinode._importing.errors import Unmappable
from antinode._protocol.ids import as_text, has_lost_digits

# 007 and 1e5 are names more often than numbers; beyond 15 digits, JSON's readers lose some.
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?")
_WORDS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
NULLS: Final = frozenset({"", "NaN", "NaT", "<NA>", "\\N"})
"""What pandas and databases write where there is nothing, and what is no word of any language."""

# Long numbers as spreadsheets and pandas shorten them: 1.84467E+19.
_SHORTENED: Final = re.compile(r"-?[0-9](\.[0-9]+)?[eE]\+[0-9]{2,3}")
# Whole numbers as pandas writes those of a column that has gaps.
_WHOLE: Final = re.compile(r"-?[0-9]+\.0")
LOST: Final = (
    "is a number that has lost digits, so that different ones become one: "
    "write it as text where it comes from"
)


def typed(cell: str) -> Any:
    """What a cell spells: a number, a truth value, or the text that it is."""
    if _NUMBER.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    return _WORDS.get(cell, cell)


def identifier(value: Any, *, is_cell: bool) -> Any:
    """An id as text, with all its digits. Raises ValueError for one that has lost some."""
    if type(value) is str:
        if _SHORTENED.fullmatch(value):
            raise ValueError(f"{value!r:.60} {LOST}")
        if is_cell and _WHOLE.fullmatch(value):
            if has_lost_digits(float(value)):
                raise ValueError(f"{value!r:.60} {LOST}")
            return value[:-2]
        return value
    if type(value) is float and has_lost_digits(value):
        raise ValueError(f"{value!r} {LOST}")
    return as_text(value) if type(value) in (int, float) else value


def id_of(column: str, value: Any, *, is_cell: bool) -> Any:
    """The id in a column, as text. Raises `Unmappable`, with the column, for one that has lost digits."""
    try:
        return identifier(value, is_cell=is_cell)
    except ValueError as error:
        raise Unmappable(f"`{column:.60}` {error}") from None
