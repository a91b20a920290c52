"""A look at the first rows, before any event is sent: whether they say what they are, and when it was."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from antinode._importing.chunks import Chunk, Chunks, is_sprawling
from antinode._importing.columns import NOW, Columns, Pick
from antinode._importing.decoding import decoded
from antinode._importing.errors import Damaged, LeftOut, Unclear, Unmappable
from antinode._importing.mapper import Mapper, is_counted
from antinode._importing.mapping import is_met
from antinode._importing.objects import as_object
from antinode._importing.readers.detect import SourceReading
from antinode._importing.sources import Source
from antinode._importing.suggestions import fitting_options, listed, nearest, time_column
from antinode._protocol.fields import ID_FIELDS
from antinode._protocol.words import counted

# Rows of a source that are looked at for a named column, or a time, that was not found so far.
_MOST_ROWS: Final = 10_000
_MOST_LINES: Final = 100_000
_MOST_BYTES: Final = 32 * 1024 * 1024
# Rows that are enough to know what a source holds, if nothing is missed in them.
_ENOUGH: Final = 200
# Thousands of files in one archive are alike: in each source after these, one dated row is enough.
_MOST_SOURCES: Final = 100
_MOST_NAMES: Final = 500


class Reading:
    """A source being read, from its first row on though some were looked at before."""

    def __init__(self, reading: SourceReading) -> None:
        self._reading = reading
        self._rest: Chunks = reading.chunks()
        self._seen: list[Chunk] = []

    @property
    def position(self) -> int:
        """Bytes of the source that were read."""
        return self._reading.position

    @property
    def rows(self) -> int:
        """The number of the last row that was read."""
        return self._reading.rows

    def peek(self, *, is_kept: bool) -> Iterator[Chunk]:
        """The rows from the first on, which `chunks` gives again if they are kept."""
        for chunk in self._rest:
            if is_kept:
                self._seen.append(chunk)
            yield chunk

    def chunks(self) -> Chunks:
        """All rows. Raises `NotReadable` and `NotInstalled`."""
        while self._seen:
            yield self._seen.pop(0)
        yield from self._rest

    def close(self) -> None:
        """Release the source: nothing more will be read."""
        close = getattr(self._rest, "close", None)
        if close is not None:
            close()


@dataclass
class _Sample:
    """What the first rows of a source show."""

    source: Source
    missing: list[Pick]
    names: dict[str, None] = field(default_factory=dict)
    rows: int = 0
    lines: int = 0
    """Rows, and what is none."""
    bytes: int = 0
    is_table: bool = False
    dated: int = 0
    undated: int = 0
    told: int = 0
    """Events with a type and an id."""
    untold: int = 0
    is_brief: bool = False
    """Whether only a time is looked for."""

    @property
    def is_enough(self) -> bool:
        """Whether the sample lacks nothing, or has reached its bounds."""
        if self.rows >= _MOST_ROWS or self.lines >= _MOST_LINES or self.bytes >= _MOST_BYTES:
            return True
        if self.is_brief and self.dated:
            return True
        return self.rows >= _ENOUGH and not self.missing and bool(self.dated or not self.undated)


class Preflight:
    """Looks at the first rows of each source, and keeps those that can be read only once."""

    def __init__(
        self,
        sources: Sequence[Source],
        columns: Columns,
        open_reading: Callable[[Source, Collection[str] | None], SourceReading],
        used: Collection[str] | None = None,
        *,
        encoding: str | None = None,
        allows_missing: bool = False,
        judges: bool = False,
        command: str | None = None,
    ) -> None:
        """With `judges`, rows are not sent, and whoever looks at them says what they lack.

        `command` is the one that messages write, if not `validate` or `import`.
        """
        self._sources = sources
        self._columns = columns
        self._open = open_reading
        self._used = used
        self._allows_missing = allows_missing
        self._encoding = encoding
        self._judges = judges
        self._command = command or ("validate" if judges else "import")
        self._kept: dict[int, Reading] = {}

    def open(self, number: int) -> Reading:
        """The source of that number, to be read from its first row on."""
        kept = self._kept.pop(number, None)
        return kept if kept is not None else Reading(self._open(self._sources[number], self._used))

    def look(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Look at the first rows. Raises `NotReadable`, and `Unclear` if they do not say what they are."""
        missing = [each for each in self._columns.picks() if not each.is_pattern]
        nowhere = list(missing)
        names: dict[str, None] = {}
        looked_at: list[Source] = []
        for number, source in enumerate(self._sources):
            if is_stopped():
                return
            is_brief = number >= _MOST_SOURCES
            sample = _Sample(source, [] if is_brief else list(missing), is_brief=is_brief)
            self._sample(number, sample, is_stopped)
            if not sample.rows:
                continue
            if is_brief:
                self._check_times(sample)
                continue
            self._check(sample)
            nowhere = [each for each in nowhere if each in sample.missing]
            names |= sample.names
            looked_at.append(source)
        if looked_at and nowhere and not self._allows_missing:
            raise Unclear(_missing(looked_at[0].name if len(looked_at) == 1 else "", nowhere, list(names)))

    def _sample(self, number: int, sample: _Sample, is_stopped: Callable[[], bool]) -> None:
        reading = Reading(self._open(sample.source, None))
        mapper = Mapper(self._columns, self._encoding)
        try:
            for chunk in reading.peek(is_kept=sample.source.path is None):
                sample.lines += len(chunk.texts)
                for position, text in enumerate(chunk.texts):
                    if text and position not in chunk.problems and not is_sprawling(text):
                        _take(sample, mapper, text, has_cells=chunk.has_cells)
                    if sample.is_brief and sample.is_enough:
                        break
                if sample.is_enough or is_stopped():
                    break
        except Damaged:
            pass  # reading the source will meet the error again, and tell it
        if sample.source.path is None:
            self._kept[number] = reading
        else:
            reading.close()

    def _check(self, sample: _Sample) -> None:
        names = list(sample.names)
        is_unclear = sample.untold and not sample.told and not self._columns.is_given
        if is_unclear and not _says_what(sample) and (sample.is_table or not self._judges):
            raise Unclear(_untold(sample, names, self._command))
        if sample.is_table and not self._allows_missing:
            gone = [each for each in sample.missing if each.column.partition(".")[0] not in sample.names]
            if gone:
                raise Unclear(_missing(sample.source.name, gone, names))
        self._check_times(sample)

    def _check_times(self, sample: _Sample) -> None:
        is_meant = self._judges or self._columns.undated == NOW
        if sample.undated and not sample.dated and not is_meant:
            raise Unclear(_undated(sample, list(sample.names)))


def _take(sample: _Sample, mapper: Mapper, text: bytes, *, has_cells: bool) -> None:
    """Add one row to the sample."""
    sample.bytes += len(text)
    try:
        row, _ = decoded(text)
        if type(row) is not dict:
            return
        row, has_cells = mapper.mended(row, has_cells=has_cells)
    except (ValueError, RecursionError):
        return
    sample.rows += 1
    sample.is_table = sample.is_table or has_cells
    if len(sample.names) < _MOST_NAMES:
        _note_names(sample.names, row)
    if sample.missing:
        sample.missing = [each for each in sample.missing if not is_met(each, row)]
    try:
        event = mapper.to_event(row, has_cells=has_cells)
    except (Unmappable, LeftOut):
        # The row was refused or left out for another reason than its time, so it says nothing about times.
        return
    finally:
        mapper.notes.clear()
    is_told = event.get("event_type") is not None and (
        not is_counted(event) or any(event.get(key) is not None for key in ID_FIELDS)
    )
    sample.told += is_told
    sample.untold += not is_told
    if event.get("time") is not None:
        sample.dated += 1
    elif is_counted(event) and is_told:
        sample.undated += 1


def _note_names(names: dict[str, None], row: dict[str, Any]) -> None:
    for name, value in row.items():
        names[name] = None
        held = as_object(value)
        if held:
            names |= dict.fromkeys(f"{name}.{key}" for key in held)


def _missing(source: str, picks: list[Pick], names: list[str]) -> str:
    of = f"{source} has" if source else "the files have"
    told = []
    for pick in picks:
        meant = nearest(pick.column, names)
        hint = f": is it {meant}?" if meant else ""
        told.append(f"{of} no column {pick.column}, which {pick.label} names{hint}")
    return "\n".join([*told, f"Columns: {listed(names)}", "--allow-missing goes on without."])


def _says_what(sample: _Sample) -> bool:
    """Whether rows have the keys of an event, though what these hold may be wrong."""
    known = {name.lower() for name in sample.names}
    return "event_type" in known and (not sample.is_table or not known.isdisjoint(ID_FIELDS))


def _untold(sample: _Sample, names: list[str], command: str) -> str:
    source = sample.source.name
    options = " ".join(fitting_options(names))
    look = " --dry-run" if command == "import" else ""
    return (
        f"{source} does not say by itself what its rows are: none is an event with an event_type and an id. "
        f"Say which column is what, for example:\n"
        f"antinode {command} {shlex.quote(_shown(sample.source))} {options}{look}\n"
        f"Columns: {listed(names)}"
        + ("\nIf these are the cells of a row, name the columns with --columns." if sample.is_table else "")
    )


def _shown(source: Source) -> str:
    """The source as it is written on the command line."""
    return "-" if source.path is None else str(source.path)


def _undated(sample: _Sample, names: list[str]) -> str:
    likely = time_column(names)
    column = likely if likely is not None and likely != "time" else "COLUMN"
    which = f"none of the first {counted(sample.rows, 'row')}" if sample.is_enough else "no row"
    return (
        f"{sample.source.name}: {which} has a time, so that its events would be dated today. "
        f"Write --time {column}, or --time now if that is meant.\nColumns: {listed(names)}"
    )
