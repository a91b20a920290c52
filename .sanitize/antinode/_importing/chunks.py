"""What every reader yields: some consecutive rows of one source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MAX_ROW: Final = 8 * 1024 * 1024
"""Bytes of one row. Events are a few kilobytes; a row without end must not fill memory."""

MAX_VALUES: Final = 100_000
"""Values of one row. In memory each takes twenty times what it takes as JSON."""

CHUNK_ROWS: Final = 1000
"""Rows of one chunk, about: enough that what is done once for each costs nothing."""

Blocks: TypeAlias = Iterable[bytes]
"""The bytes of a source, cut anywhere. An empty block says: nothing more yet."""


@dataclass(frozen=True)
class Chunk:
    """Rows by their position in the chunk.

    `texts` holds each row as JSON; empty where there is nothing in it (a blank line). A row in `problems`
    cannot be read, and its text is whatever was there.
    """

    first: int
    """The number of the first row within its source, from 1: of the line, in JSON lines."""
    texts: list[bytes]
    problems: dict[int, str] = field(default_factory=dict)
    has_cells: bool = False
    """Whether values are the text of cells, which says nothing of their types."""
    remarks: tuple[str, ...] = ()
    """What is worth knowing of the source as a whole; with its first rows."""

    @property
    def last(self) -> int:
        """The number of the last row, if there are rows."""
        return self.first + len(self.texts) - 1


Chunks: TypeAlias = Iterator[Chunk]


_STRING_OR_VALUE: Final = re.compile(rb'["\[{,]')


def is_sprawling(text: bytes) -> bool:
    """Whether a row holds more values than are worth being decoded."""
    if len(text) <= MAX_VALUES or text.count(b",") + text.count(b"[") + text.count(b"{") <= MAX_VALUES:
        return False
    count = at = 0
    while count <= MAX_VALUES and (found := _STRING_OR_VALUE.search(text, at)):
        count += 1
        at = found.end()
        if found.group() == b'"':
            at = string_end(text, at)
            if at < 0:
                break
    return count > MAX_VALUES


def string_end(text: bytes, start: int) -> int:
    """Where a JSON string ends whose first character is at `start`: behind its quote; -1 if nowhere."""
    at = start
    while (at := text.find(b'"', at)) >= 0:
        begun = at
        while begun > start and text[begun - 1] == _BACKSLASH:
            begun -= 1
        start = at = at + 1
        if (at - 1 - begun) % 2 == 0:
            return at
    return -1


_BACKSLASH: Final = ord("\\")

NOT_UTF8: Final = "the row is not UTF-8: say what it is with --encoding, such as windows-1252"
SPRAWLING: Final = f"the row holds more than {MAX_VALUES:,} values: flatten or divide it"


def divided(chunk: Chunk) -> Chunks:
    """The chunk in parts: a block of blank or tiny rows holds hundreds of thousands."""
    if len(chunk.texts) <= _MOST_ROWS:
        yield chunk
        return
    for start in range(0, len(chunk.texts), _MOST_ROWS):
        end = start + _MOST_ROWS
        problems = {at - start: why for at, why in chunk.problems.items() if start <= at < end}
        remarks = () if start else chunk.remarks
        yield Chunk(chunk.first + start, chunk.texts[start:end], problems, chunk.has_cells, remarks)


_MOST_ROWS: Final = 10 * CHUNK_ROWS


def nothing_yet(first: int) -> Chunk:
    return Chunk(first, [])
