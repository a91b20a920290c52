"""What SQLite can compare with: numbers that it can hold, and patterns for LIKE."""

from __future__ import annotations

from typing import Final

LONGEST_PATTERN: Final = 1_000
"""Characters of what is searched for; SQLite takes 50,000 bytes, and no id has more than 1,024."""


def as_number(value: int) -> int:
    """`value` as SQLite can hold it: nothing has a number beyond 64 bits."""
    return min(max(value, -(2**63)), 2**63 - 1)


def holding(search: str) -> str:
    """A pattern, with the escape `\\`, for what holds `search` in any case of ASCII letters."""
    escaped = search[:LONGEST_PATTERN].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
