"""The importer's shell: one thread reads rows, drives the delivery core and keeps track of what settled."""

from __future__ import annotations

import queue
import random
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from antinode._delivery.core.batch import Upload
from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.core.response_handler import Note
from antinode._delivery.outcome import DELIVERED, REJECTED
from antinode._delivery.record import Record
from antinode._delivery.shell.exchange import Exchanger, UploadRoute
from antinode._delivery.shell.flights import Flights
from antinode._delivery.shell.uploaders import Uploaders
from antinode._factory import destination
from antinode._importing import checkpoint
from antinode._importing.checkpoint import RowCounts, State
from antinode._importing.chunks import Chunk
from antinode._importing.errors import CannotResume, Damaged, Halted, NotReadable
from antinode._importing.findings import Findings
from antinode._importing.pacing import ProjectRate, UserRates
from antinode._importing.pool import open_pool, usual_processes
from antinode._importing.preflight import Reading
from antinode._importing.prepare import Prepared
from antinode._importing.rejects import Rejects, default_rejects
from antinode._importing.reports import ImportProgress, ImportReport, Observer, unmet
from antinode._importing.settings import ImportSettings, max_upload_bytes, project_rate, user_rate
from antinode._importing.tracking import Span, Tracker
from antinode._protocol.ids import stream_of

# Events on their way at most, and their bytes, of which memory holds three times as much: enough to keep
# every connection busy, while those of a user who is paced wait.
WINDOW_EVENTS: Final = 50_000
WINDOW_BYTES: Final = 18 * 1024 * 1024
# Long events take more besides, while they are decoded; fewer bytes of them keep the connections busy.
LONG_EVENT: Final = 64 * 1024
WINDOW_LONG_BYTES: Final = 12 * 1024 * 1024
# Rows from the first unsettled one to the last one read at most: what the checkpoint may have to list.
WINDOW_ROWS: Final = 200_000

_SAVE_EVERY_SECONDS: Final = 1.0
_TELL_EVERY: Final = 0.1
# The longest wait for any one thing before looking at everything else again.
_LOOK_EVERY_SECONDS: Final = 0.1
# How long a stopped import waits for the requests that are under way.
_LAST_ANSWERS_SECONDS: Final = 10.0
# A trouble is told once, and once more if it comes back after it was over.
_OVER: Final = "recovered"
_UNTIL_OVER: Final = frozenset({"retry", "outage", "refusal", _OVER})


def window_bytes(events: int, size: int) -> int:
    """Bytes that may be on their way, if so many events of so many bytes together are."""
    return WINDOW_LONG_BYTES if size > events * LONG_EVENT else WINDOW_BYTES


class RowRecord(Record, gc=False, eq=False):
    """An event on its way, with the row that it was made of."""

    span: Span | None = None
    position: int = 0
    text: bytes = b""


class Importer:
    """One run of an import. `run` does it all, on the thread that calls it; `stop` may come from a signal.

    Only uploads are made elsewhere: the threads of `Flights` ring `_bell` when they have posted what came of
    one, and nothing else is shared with them.
    """

    def __init__(self, settings: ImportSettings, observer: Observer) -> None:
        self._settings = settings
        self._observer = observer
        self._clock = time.monotonic
        options = settings.options
        self._url, endpoint, make_transport = destination(options)
        self._exchanger = Exchanger(
            make_transport,
            {endpoint: UploadRoute(self._url, settings.envelope())},
            headers={},
            clock=self._clock,
        )
        # Made here so that options which cannot work fail before anything is read.
        _ = self._exchanger.transport
        self._core = Core(
            CoreConfig(
                max_batch_events=endpoint.events_per_request,
                max_batch_bytes=max_upload_bytes(settings),
                connections=options.connections,
                endpoint=endpoint,
                max_events=2 * WINDOW_ROWS,
                max_bytes=1 << 40,  # the window bounds them
            ),
            random=random.random,
            keeps_all=True,
        )
        limit = user_rate(settings.user_rate, endpoint)
        self._user_rates = UserRates(limit, self._core.backlog.rate_limits) if limit else None
        limit = project_rate(settings.project_rate, endpoint)
        self._project_rate = ProjectRate(limit) if limit else None
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Rung when an upload was answered, and when rows are prepared."""
        self._flights = Flights(
            self._exchanger,
            lambda: Uploaders(options.connections, "antinode-import"),
            timeout=options.request_timeout_millis / 1000,
            clock=self._clock,
            is_awaited=self._core.awaits,
            on_reply=self._ring,
        )
        processes = usual_processes(settings.size) if settings.processes is None else settings.processes
        self._pool = open_pool(settings.recipe(), processes, self._ring)
        self._due: deque[tuple[float, Upload]] = deque()
        """Uploads that the project's limit keeps waiting."""
        self._findings, self._notes = Findings(), Findings()
        self._unmatched = {each.label for each in settings.columns.picks()}
        """What was named, and no row has had so far."""
        self._remarks = list(settings.remarks)
        self._told: set[str] = set()
        self._tell_at = self._save_at = float("-inf")
        self._moved_at = 0.0
        """When the server last took something, or nothing was there to take."""
        self._stop_by: float | None = None
        self._is_at_end = False
        self._preflight = settings.preflight()
        self._reading: Reading | None = None
        self._bytes_before = 0

    def stop(self) -> None:
        """Have `run` return soon: what is under way is waited for, the rest is left to the next run."""
        if self._stop_by is None:
            self._stop_by = self._clock() + _LAST_ANSWERS_SECONDS

    def run(self) -> ImportReport:
        """Import what is left. Raises `ImportTrouble`, with all that is settled in the checkpoint."""
        path = self._checkpoint_path()
        if path is None:
            return self._import(None)
        with checkpoint.held(path):
            return self._import(path)

    def _checkpoint_path(self) -> Path | None:
        settings = self._settings
        if settings.checkpoint is not None:
            return settings.checkpoint
        if any(source.path is None for source in settings.sources):
            return None
        return checkpoint.default_path(checkpoint.file_states(settings.sources), self._destination())

    def _destination(self) -> str:
        return checkpoint.fingerprint(self._url, self._settings.api_key)

    def _import(self, path: Path | None) -> ImportReport:
        began = self._moved_at = self._clock()
        settings = self._settings
        new = State(
            files=checkpoint.file_states(settings.sources),
            mapping=checkpoint.fingerprint(
                settings.columns.as_json(),
                settings.namespace,
                str(settings.format),
                str(settings.header),
                settings.encoding or "",
            ),
            destination=self._destination(),
        )
        old = None if path is None or settings.is_repeated else _resumed(path, new)
        if old is not None and old.is_finished:
            return ImportReport(
                old.counts.delivered,
                old.counts.rejected,
                old.counts.delivered,
                old.counts.rejected,
                was_finished=True,
                unread=tuple(old.unread.values()),
                rejects=Path(old.rejects) if old.rejects and old.counts.rejected else None,
                checkpoint=path,
            )
        if old is None:
            # The first rows were looked at when the import began; a resumed one need not look again.
            self._preflight.look(lambda: self._stop_by is not None)
        self._state = state = old or new
        before = RowCounts(state.counts.delivered, state.counts.rejected)
        rejects = settings.rejects or (
            Path(state.rejects) if state.rejects else default_rejects(settings.sources)
        )
        rejects = rejects.absolute()
        if any(source.path is not None and source.path.absolute() == rejects for source in settings.sources):
            raise NotReadable(f"{rejects} is to be read and written: name another file with --rejected")
        self._rejects = Rejects(rejects, size=state.rejects_size if state.rejects == str(rejects) else None)
        state.rejects = str(rejects)
        self._tracker = Tracker(state.position)
        self._path = path
        try:
            self._work()
        finally:
            self._pool.close()
            self._flights.uploaders.stop()
            with suppress(Exception):
                self._exchanger.close(cancels=False)
            self._save()
            self._rejects.close()
        ledger, counts = self._core.ledger, state.counts
        return ImportReport(
            counts.delivered,
            counts.rejected,
            before.delivered,
            before.rejected,
            ledger.requests,
            ledger.retries,
            self._clock() - began,
            is_finished=state.is_finished,
            unread=tuple(state.unread.values()),
            rejects=rejects if counts.rejected else None,
            checkpoint=path,
            findings=self._findings,
            notes=self._notes,
            left_out=counts.left_out,
            # A resumed import cannot tell which columns an earlier run has found.
            remarks=(*self._remarks, *(() if old is not None else unmet(self._unmatched))),
        )

    def _work(self) -> None:
        for source, chunk in self._chunks():
            name = self._settings.sources[source].name
            self._remarks += [f"{name}: {each}" for each in chunk.remarks]
            if chunk.texts:
                span = self._tracker.open(source, chunk.first, len(chunk.texts), has_cells=chunk.has_cells)
                self._pool.put(span, chunk)
            self._turn(self._clock())
            while self._is_full and self._stop_by is None:
                self._wait()
            if self._stop_by is not None:
                break
        else:
            self._is_at_end = True
            while not (self._is_done or self._stop_by is not None):
                self._wait()
        while self._flights and self._stop_by is not None and self._clock() < self._stop_by:
            self._wait()
        if self._is_at_end and self._is_done:
            self._state.is_finished = True
            self._state.finished_at = datetime.now(timezone.utc).isoformat(timespec="seconds")

    # Reading.

    def _chunks(self) -> Iterator[tuple[int, Chunk]]:
        settings, tracker = self._settings, self._tracker
        for number, source in enumerate(settings.sources):
            if number >= self._state.position.source:
                reading = self._reading = self._preflight.open(number)
                try:
                    for chunk in reading.chunks():
                        if not (chunk.texts and tracker.is_over(number, chunk.last)):
                            yield number, chunk
                        elif self._stop_by is not None:
                            return
                except Damaged as error:
                    self._state.unread[number] = f"{error} (behind row {reading.rows:,})"
                self._reading = None
            self._bytes_before += source.size

    @property
    def _is_done(self) -> bool:
        return self._pool.is_empty and self._core.is_idle

    @property
    def _is_full(self) -> bool:
        return self._pool.is_full or self._has_no_room

    @property
    def _has_no_room(self) -> bool:
        ledger = self._core.ledger
        return (
            ledger.pending >= WINDOW_EVENTS
            or ledger.pending_bytes >= window_bytes(ledger.pending, ledger.pending_bytes)
            or self._tracker.ahead >= WINDOW_ROWS
        )

    def _admit(self, span: Span, chunk: Chunk, made: Prepared, now: float) -> None:
        """Take in what was made of a chunk's rows."""
        core, rates, texts = self._core, self._user_rates, chunk.texts
        if core.is_idle:
            self._moved_at = now
        for position, reason in made.refused:
            self._reject(span, position, texts[position], reason)
        for position in made.left_out:
            span.settle(position)
        self._state.counts.left_out += len(made.left_out)
        self._unmatched.intersection_update(made.unmatched)
        if made.notes:
            name = self._settings.sources[span.source].name
            for position, note in made.notes:
                self._notes.add(note, name, span.first + position)
        if b"" in texts:
            for position, text in enumerate(texts):
                if not text and not span.done[position]:
                    span.settle(position)
        if rates is not None:
            rates.count("user", made.users)
            rates.count("device", made.devices)
            rates.apply(now, is_moving=core.link.is_open)
        admit = core.admit
        for position, body, user, device in zip(
            made.positions, made.bodies, made.users, made.devices, strict=True
        ):
            stream = stream_of(user, device)
            admit(RowRecord(body, stream, now, span=span, position=position, text=texts[position]))

    # Sending.

    def _wait(self) -> None:
        """Let time pass until there is something to do."""
        now = self._clock()
        wake_at = self._core.wake_at(now)
        end = now + _LOOK_EVERY_SECONDS if wake_at is None else min(wake_at, now + _LOOK_EVERY_SECONDS)
        if self._due:
            end = min(end, self._due[0][0])
        with suppress(queue.Empty):
            self._bell.get(timeout=max(0.0, end - now))
        self._turn(self._clock())

    def _turn(self, now: float) -> None:
        """Apply answers, start uploads, settle rows; save and tell if it is time."""
        core = self._core
        self._hear(now)
        if self._stop_by is None:
            while not self._has_no_room and (prepared := self._pool.take()) is not None:
                self._admit(*prepared, now)
            for upload in core.next_uploads(now):
                rate = self._project_rate
                self._due.append((now if rate is None else rate.start_at(now, len(upload.records)), upload))
            while self._due and self._due[0][0] <= now:
                self._start(self._due.popleft()[1], now)
        self._settle()
        for note in core.take_notes():
            self._say(note)
        core.take_retried()
        if now >= self._save_at:
            self._save_at = now + _SAVE_EVERY_SECONDS
            self._save()
        if now >= self._tell_at:
            self._tell_at = now + _TELL_EVERY
            self._observer.progressed(self._progress())
        self._check(now)

    def _say(self, note: Note) -> None:
        told = self._told
        if note.key == _OVER:
            told -= _UNTIL_OVER
        if note.key not in told:
            told.add(note.key)
            self._observer.said(note.text)

    def _ring(self) -> None:
        self._bell.put(None)

    def _start(self, upload: Upload, now: float) -> None:
        job = self._flights.job(upload, now)
        if not self._flights.uploaders.run(job):
            job.run()

    def _hear(self, now: float) -> None:
        with suppress(queue.Empty):
            while True:
                self._bell.get_nowait()
        for reply in self._flights.take_replies(now):
            self._core.respond(reply.number, reply.verdict, now, size=reply.size)

    def _settle(self) -> None:
        counts = self._state.counts
        settled = self._core.settlement.take_settled()
        if settled:
            self._moved_at = self._clock()
        for record in settled:
            assert isinstance(record, RowRecord) and record.span is not None  # noqa: S101, PT018 - all of ours are
            outcome = record.outcome
            if outcome is None:
                continue
            if outcome.kind == DELIVERED:
                counts.delivered += 1
                record.span.settle(record.position)
            elif outcome.kind == REJECTED:
                self._reject(record.span, record.position, record.text, outcome.message)
            # What was dropped for a wrong configuration is not settled: the next run sends it.
        self._tracker.advance()

    def _reject(self, span: Span, position: int, text: bytes, reason: str) -> None:
        """Settle a row as rejected, and keep it with its reason."""
        source, row = self._settings.sources[span.source].name, span.first + position
        self._rejects.add(text, reason, source, row, has_cells=span.has_cells)
        self._findings.add(reason, source, row)
        self._state.counts.rejected += 1
        span.settle(position)

    def _check(self, now: float) -> None:
        """Stop where going on is of no use."""
        link = self._core.link
        if link.is_faulted or (link.is_refused and not self._core.has_accepted):
            raise Halted(f"the server does not take this project's events: {link.why}")
        if not link.is_open and now > self._moved_at + self._settings.patience:
            raise Halted(f"nothing got through for {self._settings.patience:.0f} s: {link.why}")

    # Keeping.

    def _save(self) -> None:
        state = self._state
        # The rejected rows have to be on the disk before the checkpoint counts them.
        state.rejects_size = self._rejects.sync()
        state.position = self._tracker.reached()
        if self._path is not None:
            checkpoint.save(self._path, state)

    def _progress(self) -> ImportProgress:
        link, counts = self._core.link, self._state.counts
        stalled = None if link.is_open or link.cause is None else f"{link.cause.value}: {link.why}"
        position = self._bytes_before + (self._reading.position if self._reading is not None else 0)
        return ImportProgress(
            counts.delivered,
            counts.rejected,
            self._core.ledger.pending,
            position,
            self._settings.size,
            stalled,
        )


def _resumed(path: Path, new: State) -> State | None:
    """The state to go on from, None to begin. Raises `CannotResume` if it is another import's."""
    old = checkpoint.load(path)
    if old is None:
        return None
    if old.destination != new.destination:
        raise CannotResume(
            f"the checkpoint {path} belongs to an import into another project or server: "
            "name another --checkpoint, or begin anew with --again"
        )
    if old.files != new.files:
        if old.is_finished:
            return None  # the file has grown, or was mended: an import of its own
        raise CannotResume(
            f"the import at {path} stopped before its end, and its files are others by now or have changed, "
            "so that rows cannot be told by their place: begin anew with --again "
            "(rows that are the same keep their insert_ids)"
        )
    if old.mapping != new.mapping and not old.is_finished:
        raise CannotResume(
            f"the import at {path} stopped before its end, and was begun with another mapping: "
            "give the same one, or begin anew with --again"
        )
    if old.mapping != new.mapping:
        return None
    return old
