"""The rows of files as events, read by the importer's readers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from antinode._importing.chunks import SPRAWLING, is_sprawling
from antinode._importing.decoding import decoded
from antinode._importing.errors import Damaged, LeftOut, Unmappable
from antinode._importing.mapper import Mapper
from antinode._protocol import exact
from antinode.cli.validate.judging import Row

if TYPE_CHECKING:
    from antinode._importing.chunks import Chunk
    from antinode._importing.columns import Columns
    from antinode._importing.preflight import Reading
    from antinode._importing.sources import Source


class Rows:
    """The rows of one source. Blank lines are none."""

    def __init__(
        self,
        source: Source,
        columns: Columns,
        reading: Reading,
        encoding: str | None = None,
    ) -> None:
        self._source = source
        self._reading = reading
        self._mapper = Mapper(columns, encoding)
        self.damage = ""
        """Why the rest could not be read, once that was met."""
        self.remarks: list[str] = []
        """What is worth knowing of the source as a whole."""

    @property
    def share(self) -> float | None:
        """How much of the source is read, from 0 to 1; None where its size is not known."""
        return min(1.0, self._reading.position / self._source.size) if self._source.size else None

    @property
    def unmatched(self) -> set[str]:
        """The options whose columns no row had so far."""
        return {each.label for each in self._mapper.unmatched}

    def __iter__(self) -> Iterator[Row]:
        """Ends where the source is damaged. Raises ImportTrouble when it cannot be read."""
        try:
            for chunk in self._reading.chunks():
                self.remarks += [f"{self._source.name}: {each}" for each in chunk.remarks]
                for position, text in enumerate(chunk.texts):
                    if text or position in chunk.problems:
                        with suppress(LeftOut):
                            yield self._row(chunk, position, text)
        except Damaged as error:
            self.damage = f"{error} (behind row {self._reading.rows:,})"

    def _row(self, chunk: Chunk, position: int, text: bytes) -> Row:
        number = chunk.first + position
        if position in chunk.problems:
            return Row(number, None, chunk.problems[position])
        try:
            if is_sprawling(text):
                return Row(number, None, SPRAWLING)
            return Row(number, self._event(exact.loads(text), has_cells=chunk.has_cells), size=len(text))
        except Unmappable as error:
            return Row(number, None, str(error))
        except orjson.JSONDecodeError as error:
            return Row(number, None, _no_json(text, error))

    def _event(self, row: Any, *, has_cells: bool) -> Any:
        """The event to judge: a row in Amplitude's own words as it stands, though an import would mend it."""
        if self._mapper.is_event(row, has_cells=has_cells):
            return row
        return self._mapper.to_event(row, has_cells=has_cells)


def _no_json(text: bytes, error: orjson.JSONDecodeError) -> str:
    message = f"this is no JSON, from character {error.pos + 1} on: {error.msg}"
    try:
        _, note = decoded(text)
    except (ValueError, RecursionError):
        return message
    return f"{message}; antinode import would read it: {note}"
