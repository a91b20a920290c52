"""What every reader yields: some consecutive rows of one source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MAX_ROW: Final = 32 * 1024 * 1024
"""Bytes of one row; a longer one is nothing that any request could carry, and must not fill memory."""

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

    @property
    def last(self) -> int:
        """The number of the last row, if there are rows."""
        return self.first + len(self.texts) - 1


Chunks: TypeAlias = Iterator[Chunk]


def nothing_yet(first: int) -> Chunk:
    return Chunk(first, [])
