"""CSV and TSV: rows of cells under a header, read as spreadsheets and databases write them."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import orjson

from antinode._importing.chunks import NOT_UTF8, Blocks, Chunk, Chunks, nothing_yet
from antinode._importing.errors import NotReadable
from antinode._importing.readers.tabs import parse_tabs
from antinode._protocol.words import counted

# Characters of one cell. A cell whose quote is never closed is read up to this length before it is given up.
_MAX_CELL: Final = 1024 * 1024
MAX_TABLE_ROW: Final = 2 * 1024 * 1024
"""Bytes of a line, and characters of the lines of one row. As cells they take many times that."""
_TOO_LONG: Final = f"is longer than {MAX_TABLE_ROW >> 20} MiB: a line break or a quote is missing"
# Lines of one row: the shorter they are, the more memory each takes beside its text.
_MAX_LINES: Final = 20_000
# As many columns as a spreadsheet can have.
_MAX_COLUMNS: Final = 16_384
_MAX_NAME: Final = 1000
_CHUNK_BYTES: Final = 1024 * 1024
# Shows whether the last row has ended. Separators of records and units do not come in tables of text.
_SENTINEL: Final = "\x1e\x1fantinode\x1f\x1e\n"
_DELIMITERS: Final = ",\t;|"
# What Excel writes, and hides, before the header.
_SEP: Final = re.compile(r'"?sep=(.)"?\r?\n?', re.IGNORECASE)


def sniff(header: str) -> str:
    """The character that most likely stands between the cells."""
    return max(_DELIMITERS, key=header.count)


def read_table(blocks: Blocks, *, delimiter: str | None, columns: Sequence[str] | None = None) -> Chunks:
    """Rows as dicts of text, by column; the first row of the file, unless `columns` are given, names them.

    A row with too few or too many cells is a problem of its own. A quote that is never closed costs the line
    it stands in. Raises `NotReadable` for a header that names a column twice, or none.
    """
    table = _Table(delimiter, columns)
    rest: list[bytes] = []
    size = 0
    """Bytes of the line in `rest`."""
    for read in blocks:
        block = read
        if not block:
            yield nothing_yet(table.first)
            continue
        if size > MAX_TABLE_ROW:
            # The rest of a line that is known to be too long is passed over.
            _, end, block = block.partition(b"\n")
            if not end:
                continue
            yield from table.pass_over(b"".join(rest))
            rest, size = [], 0
        head, end, tail = block.rpartition(b"\n")
        if not end:
            rest.append(block)
            size += len(block)
            continue
        rest += (head, end)
        yield from table.feed(b"".join(rest), is_last=False)
        rest, size = [tail], len(tail)
    if size > MAX_TABLE_ROW:
        yield from table.pass_over(b"".join(rest))
        rest = []
    yield from table.feed(b"".join(rest), is_last=True)


class _Table:
    """Makes rows of whole lines, and keeps those that a row has begun with until it is whole too."""

    def __init__(self, delimiter: str | None, columns: Sequence[str] | None) -> None:
        self.first = 1
        self._delimiter = delimiter
        self._columns = None if columns is None else _checked(columns)
        self._named: tuple[int, ...] | None = None
        """The places of columns that have a name, if some have none."""
        self._width = None if columns is None else len(columns)
        self._has_begun = False
        self._carried: list[str] = []
        self._remarks: tuple[str, ...] = ()
        # The csv module has one limit, for the whole process.
        csv.field_size_limit(_MAX_CELL)

    def feed(self, data: bytes, *, is_last: bool) -> Chunks:
        # What is not UTF-8 is kept, so that it is found out in its row.
        lines = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
        if not lines[-1]:
            lines.pop()
        lines = [*self._carried, *(f"{line}\n" for line in lines)]
        self._carried = []
        found = self._parse(lines, is_last=is_last)
        texts: list[bytes] = []
        problems: dict[int, str] = {}
        size = 0
        for cells in found:
            if self._columns is None and isinstance(cells, list):
                self._name(cells)
                continue
            row, problem = self._row(cells)
            if problem:
                problems[len(texts)] = problem
            try:
                # A copy, since orjson hands out the whole buffer of some kilobytes that it wrote into.
                texts.append(b"%b" % orjson.dumps(row))
            except TypeError:
                # The row's bytes are kept, so that it can be read once its encoding is known.
                problems[len(texts)] = NOT_UTF8
                texts.append(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogateescape"))
            size += len(texts[-1])
            if size > _CHUNK_BYTES:
                # Every row repeats the names of the columns, however short its cells are.
                yield self._chunk(texts, problems)
                texts, problems, size = [], {}, 0
        if texts:
            yield self._chunk(texts, problems)

    def _chunk(self, texts: list[bytes], problems: dict[int, str]) -> Chunk:
        chunk = Chunk(self.first, texts, problems, has_cells=True, remarks=self._remarks)
        self.first += len(texts)
        self._remarks = ()
        return chunk

    def _name(self, header: list[str]) -> None:
        """Take the first row as the names of the columns; what has none is left out."""
        self._width = len(header)
        places = tuple(place for place, name in enumerate(header) if name.strip())
        if len(places) < len(header):
            self._named = places
            unnamed = [place for place, name in enumerate(header, 1) if not name.strip()]
            which = ", ".join(map(str, unnamed[:5])) + (", …" if len(unnamed) > 5 else "")
            noun = "column" if len(unnamed) == 1 else "columns"
            self._remarks = (f"{noun} {which} without a name left out",)
        self._columns = _checked([header[place] for place in places])

    def pass_over(self, line: bytes) -> Chunks:
        """A line is too long; this is its beginning."""
        yield from self.feed(b"", is_last=True)
        if self._columns is None:
            raise NotReadable(f"the header {_TOO_LONG}")
        text = line[:1000].decode("utf-8", "replace") + "\N{HORIZONTAL ELLIPSIS}"
        yield Chunk(self.first, [orjson.dumps({_LINE: text})], {0: f"the row {_TOO_LONG}"}, has_cells=True)
        self.first += 1

    def _parse(self, lines: list[str], *, is_last: bool) -> list[list[str] | str]:
        """The cells of each row that ends within these lines; of an unreadable line, its text."""
        if not self._has_begun and lines:
            self._has_begun = True
            told = _SEP.fullmatch(lines[0])
            if told is not None and self._columns is None:
                self._delimiter, lines = told.group(1), lines[1:]
        if self._delimiter is None and lines:
            self._delimiter = sniff(lines[0])
        if self._delimiter == "\t":
            parsed = parse_tabs(lines, self._width, is_last=is_last)
            carried = parsed.carried
            if len(carried) <= _MAX_LINES and sum(map(len, carried)) <= MAX_TABLE_ROW:
                self._carried = carried
                return parsed.found
            # A quote whose end is nowhere near stands for itself.
            self._carried = []
            return [*parsed.found, *parse_tabs(carried, self._width, is_last=True).found]
        found: list[list[str] | str] = []
        start = 0
        while start < len(lines):
            start = self._parse_from(lines, start, found, is_last=is_last)
        return found

    def _parse_from(
        self, lines: list[str], start: int, found: list[list[str] | str], *, is_last: bool
    ) -> int:
        """Parse from a line on; where to go on: behind the first line that is broken, if one is."""
        left = len(lines) - start
        # A copy of the lines from each broken one on would take quadratic time.
        part = map(lines.__getitem__, range(start, len(lines)))
        # Strict, or a quote that is left open would make one plausible row out of several.
        reader = csv.reader(chain(part, (_SENTINEL,)), delimiter=self._delimiter or ",", strict=True)
        begun = 0
        width = self._width
        try:
            for cells in reader:
                ended = reader.line_num
                if ended > left:
                    return len(lines)  # the sentinel, as a row of its own
                if ended - begun > 1 and width is not None and len(cells) != width:
                    break
                if cells:
                    if width is None:
                        width = len(cells)
                    found.append(cells)
                begun = ended
        except csv.Error:
            if reader.line_num > left and not is_last:
                # A cell that the sentinel fell into has not ended here.
                carried = lines[start + begun :]
                if len(carried) <= _MAX_LINES and sum(map(len, carried)) <= MAX_TABLE_ROW:
                    self._carried = carried
                    return len(lines)
        found.append(lines[start + begun].rstrip("\n"))
        return start + begun + 1

    def _row(self, cells: list[str] | str) -> tuple[dict[str, Any], str]:
        columns = self._columns or ()
        if isinstance(cells, str):
            return {_LINE: cells}, "a quote is not closed, or stands where none may: write it twice"
        width = len(cells)
        if width == self._width:
            named = cells if self._named is None else [cells[place] for place in self._named]
            return dict(zip(columns, named, strict=True)), ""
        row: dict[str, Any] = dict(zip(columns, cells, strict=False))
        if width > len(columns):
            row[_MORE] = cells[len(columns) :]
        return row, f"the row has {counted(width, 'cell')} and the header {self._width:,}"


_LINE: Final = "_line"
_MORE: Final = "_more"


def _checked(columns: Sequence[str]) -> tuple[str, ...]:
    names = [name.strip().lstrip("\ufeff") for name in columns]
    if len(names) > _MAX_COLUMNS:
        raise NotReadable(
            f"the header has {len(names):,} columns, more than {_MAX_COLUMNS:,}: leave some out"
        )
    if any(len(name) > _MAX_NAME for name in names):
        raise NotReadable(f"the header has a name longer than {_MAX_NAME:,} characters: is it a row?")
    counts = Counter(names)
    twice = next((name for name in names if counts[name] > 1), None)
    if twice is not None:
        raise NotReadable(
            f"the header has the column {twice!r:.60} twice: rename one, or give --columns if it is a row"
        )
    if not names:
        raise NotReadable("the header has columns without a name only: give --columns")
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        raise NotReadable(
            "the header is not UTF-8: say what it is with --encoding, such as windows-1252"
        ) from None
    return tuple(names)
