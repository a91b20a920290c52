"""How a measure's figures are laid out as a table."""

from __future__ import annotations

from typing import NamedTuple

TIMES = "×"  # noqa: RUF001 - the sign for people to read
PLAIN_CALL = "a plain dict"
"""The row of a call with nothing else to it."""
NOTHING = "–"  # noqa: RUF001 - the same


class Column(NamedTuple):
    """One figure."""

    figure: str
    heading: str
    unit: str


class Section(NamedTuple):
    """One table: the peers of one case of a measure, and how their figures compare."""

    measure: str
    case: str
    title: str
    columns: tuple[Column, ...]
    ratio: str = ""
    """The figure of the last column, which tells how many times another's it is."""
    to: str = "floor"
    """The peer that the ratio is to."""


CALLS = (
    Column("p50", "p50", "µs"),
    Column("p99", "p99", "µs"),
    Column("p999", "p99.9", "µs"),
    Column("max", "max", "µs"),
)
