"""The cells of lines with tabs between them, in which a quote may be no more than a quote.

Some writers put quotes around cells as in CSV, and others write cells as they are. A quote that opens a cell
and is not closed in its line belongs to a cell of several lines only if the next line is no row by itself.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple, TypeAlias

Cells: TypeAlias = "list[str] | str"
"""Those of a row; of a line that is none, its text."""

_TAB: Final = "\t"
_QUOTE: Final = '"'
# Lines that may be searched for the end of a cell, per line of the text.
_SCANS: Final = 20
# Shows whether the last row has ended.
_SENTINEL: Final = "\x1e\x1fantinode\x1f\x1e\n"


class Parsed(NamedTuple):
    """The rows found in some lines."""

    found: list[Cells]
    carried: list[str]
    """Lines of a row that has begun and not ended."""


def parse_tabs(lines: Sequence[str], width: int | None, *, is_last: bool) -> Parsed:
    """The rows of `lines`, each of which ends with a line break; `width` is how many cells a row has."""
    found: list[Cells] = []
    at, left_to_scan = 0, _SCANS * len(lines) + 1000
    while at < len(lines):
        line = lines[at].rstrip("\n")
        plain = line.split(_TAB)
        if _QUOTE not in line:
            if line:
                found.append(plain)
                width = width or len(plain)
            at += 1
            continue
        cells, is_open = _quoted(line)
        used = 1
        if is_open and not (_is_row(plain, width) and _is_followed(lines, at, width)) and left_to_scan > 0:
            cells, used = _over_lines(lines, at)
            left_to_scan -= used
            if cells is None and not is_last:
                return Parsed(found, list(lines[at:]))
        if cells is not None and _is_row(cells, width):
            found.append(cells)
            at += used
        else:
            # The quotes belong to the text of the cells, or the line is not a row.
            found.append(plain if _is_row(plain, width) else line)
            at += 1
        width = width or len(plain)
    return Parsed(found, [])


def _is_row(cells: list[str], width: int | None) -> bool:
    return width is None or len(cells) == width


def _is_followed(lines: Sequence[str], at: int, width: int | None) -> bool:
    """Whether the next line is a row; in a table of one column, every line would be."""
    return at + 1 < len(lines) and width != 1 and len(lines[at + 1].rstrip("\n").split(_TAB)) == width


def _quoted(line: str) -> tuple[list[str] | None, bool]:
    """The cells of a line by the rules of CSV, None if it breaks them, and whether a quote is left open."""
    reader = csv.reader((line, _SENTINEL), delimiter=_TAB, strict=True)
    try:
        cells = next(reader)
    except csv.Error:
        return None, reader.line_num > 1
    return (cells, False) if reader.line_num == 1 else (None, True)


def _over_lines(lines: Sequence[str], at: int) -> tuple[list[str] | None, int]:
    """The cells of the row that begins there, over as many lines as it says; None if it does not end."""
    rest = (lines[each] for each in range(at, len(lines)))
    reader = csv.reader(chain(rest, (_SENTINEL,)), delimiter=_TAB, strict=True)
    try:
        cells = next(reader)
    except csv.Error:
        # A quote that is closed in the midst of a cell is no reason to wait for more.
        is_open = reader.line_num > len(lines) - at
        return (None if is_open else []), reader.line_num
    return cells, reader.line_num
