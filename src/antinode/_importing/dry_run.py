"""The dry run: every row is read, mapped and checked, and none is sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import orjson

from antinode._importing.chunks import Chunk
from antinode._importing.errors import Damaged
from antinode._importing.findings import Findings
from antinode._importing.pool import open_pool, usual_processes
from antinode._importing.prepare import Prepared
from antinode._importing.reports import ImportProgress, Observer, Survey, unmet
from antinode._importing.settings import ImportSettings
from antinode._importing.sources import Source
from antinode._importing.tracking import Span

_SAMPLE_BYTES: Final = 64 * 1024
"""Bytes of an event that is shown; nobody reads a longer one on a terminal."""


class DryRun:
    """One look at all rows."""

    def __init__(self, settings: ImportSettings, observer: Observer, *, samples: int = 3) -> None:
        self._settings = settings
        self._observer = observer
        self._samples = samples
        self._findings, self._notes = Findings(), Findings()
        self._shown: list[tuple[Source, int, dict[str, Any]]] = []
        self._rows = self._good = self._left_out = 0
        self._unmatched = {each.label for each in settings.columns.picks()}
        self._remarks = list(settings.remarks)
        self._preflight = settings.preflight()
        self._is_stopped = False
        self._unread: list[str] = []

    def stop(self) -> None:
        """Have `run` return with what was found so far."""
        self._is_stopped = True

    def run(self) -> Survey:
        """Read, map and check every row. Raises `NotReadable`, `NotInstalled` and `Halted`."""
        settings, began = self._settings, time.monotonic()
        self._preflight.look(lambda: self._is_stopped)
        ready = threading.Semaphore(0)
        processes = usual_processes(settings.size) if settings.processes is None else settings.processes
        pool = open_pool(settings.recipe(), processes, ready.release)
        try:
            for source, chunk in self._chunks():
                pool.put(Span(source, chunk.first, bytearray(len(chunk.texts)), len(chunk.texts)), chunk)
                self._drain(pool.take)
                while pool.is_full and not self._is_stopped:
                    ready.acquire(timeout=0.1)
                    self._drain(pool.take)
            while not (pool.is_empty or self._is_stopped):
                ready.acquire(timeout=0.1)
                self._drain(pool.take)
        finally:
            pool.close()
        return Survey(
            self._rows,
            self._good,
            self._shown,
            self._findings,
            self._notes,
            time.monotonic() - began,
            is_whole=not self._is_stopped,
            unread=tuple(self._unread),
            left_out=self._left_out,
            remarks=(*self._remarks, *(unmet(self._unmatched) if self._rows else ())),
        )

    def _chunks(self) -> Iterator[tuple[int, Chunk]]:
        settings, read, tell_at = self._settings, 0, 0.0
        for number, source in enumerate(settings.sources):
            reading = self._preflight.open(number)
            try:
                for chunk in reading.chunks():
                    if self._is_stopped:
                        return
                    self._remarks += [f"{source.name}: {each}" for each in chunk.remarks]
                    if chunk.texts:
                        yield number, chunk
                    if time.monotonic() > tell_at:
                        tell_at = time.monotonic() + 0.1
                        self._tell(read + reading.position)
            except Damaged as error:
                self._unread.append(f"{error} (behind row {reading.rows:,})")
            read += source.size

    def _tell(self, position: int) -> None:
        found, size = self._findings.count, self._settings.size
        self._observer.progressed(ImportProgress(self._good, found, 0, position, size, None))

    def _drain(self, take: Callable[[], tuple[Span, Chunk, Prepared] | None]) -> None:
        while (taken := take()) is not None:
            self._look(*taken)

    def _look(self, span: Span, chunk: Chunk, made: Prepared) -> None:
        source = self._settings.sources[span.source]
        self._rows += len(chunk.texts) - chunk.texts.count(b"")
        self._good += len(made.bodies)
        self._left_out += len(made.left_out)
        self._unmatched.intersection_update(made.unmatched)
        for position, reason in made.refused:
            self._findings.add(reason, source.name, chunk.first + position)
        for position, note in made.notes:
            self._notes.add(note, source.name, chunk.first + position)
        wanted = self._samples - len(self._shown)
        if wanted:
            pairs = zip(made.positions, made.bodies, strict=True)
            for position, body in islice((pair for pair in pairs if len(pair[1]) <= _SAMPLE_BYTES), wanted):
                self._shown.append((source, chunk.first + position, orjson.loads(body)))
