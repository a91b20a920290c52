"""The delivery core: every decision about what is sent, when, with what, and how each event ends.

Pure: no thread, socket, file, clock or random source of its own. Records, verdicts and the time go in;
uploads to make, a time to wake up and settled records come out. The threaded shell, the simulation in the
tests, and whatever shell comes next, drive the same object.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from antinode._delivery.core.backlog import Backlog
from antinode._delivery.core.batch import Batch, Upload
from antinode._delivery.core.link import Cause, Link, LinkState
from antinode._delivery.core.loops import streams_of
from antinode._delivery.core.patience import FLUSH_PATIENCE, Failing
from antinode._delivery.core.response_handler import Note, ResponseHandler, Retried, delivered, failed
from antinode._delivery.core.settlement import Settlement
from antinode._delivery.core.spooled_queue import SpooledQueue
from antinode._delivery.ledger import Report, Stats
from antinode._delivery.record import DROPPED, NOT_STORED, SPOOLED, Delivery, Outcome
from antinode._delivery.retry import Backoff, RetryPolicy
from antinode._delivery.storage import Store, Stored
from antinode._protocol.responses import Action, Verdict
from antinode._protocol.status import Status

__all__ = ["QUEUE_FULL", "Core", "CoreConfig", "Note", "Retried"]

# Uploads of a steady trickle start at least this many seconds apart, so that each carries several events;
# the first event after a pause, a full batch and a flush do not wait.
LINGER = 0.02
# A server that answers within so many seconds gets one request after the other: to keep the streams of
# several apart costs more than waiting for it. Uploads run side by side only at a slower one, or at one that
# has not answered yet and takes as long as this.
PROMPT = 0.04
# The quickest of so many answers tells how far away the server is, whatever else made the others late.
ANSWERS = 4
# One that used to be prompt is waited for longer: what is late may be this process, not the server.
HICCUP = 0.2
# After this many seconds without an answer, a hanging request no longer keeps the others' events waiting.
PATIENCE = 1.0
# Records that wait are looked through for expired ones at most this often, in seconds.
EXPIRE_EVERY = 1.0
# More records than a queue holds: nobody is woken. Of one digit, as CPython has them: each call reads it.
NEVER = (1 << 30) - 1
FOREVER = float("inf")

QUEUE_FULL = Outcome(
    DROPPED,
    Status.FAILED,
    "queue_full",
    message="the queue was full: raise max_queue_events or max_queue_bytes, or see why events do not leave",
)
_EXPIRED = Outcome(
    DROPPED, Status.FAILED, "expired", message="older than max_event_age before it could be sent"
)


@dataclass(frozen=True)
class CoreConfig:
    """What the core is told once. Sizes in bytes, times in seconds."""

    max_batch_events: int = 2000
    max_batch_bytes: int = 990_000
    """Of the events and the commas between them: the request limit less the envelope."""
    connections: int = 4
    interval: float = 0.0
    rush_events: int = 16_000
    """So many queued events are sent at once, whatever the interval (`max_cached_events`)."""
    max_events: int = 1_000_000
    max_bytes: int = 128 * 1024 * 1024
    max_age: float | None = None
    pace: float | None = None
    policy: RetryPolicy = field(default_factory=Backoff)
    memory_events: int = 20_000
    """With a store: when so many events are in memory, new ones are left to the store until their turn comes.
    Some ten large uploads, so that reading them never holds up sending."""
    memory_bytes: int = 16 * 1024 * 1024
    waits_for_room: bool = False
    """Whether new records are refused while a store is full; otherwise the oldest make room for them."""
    flush_patience: float = FLUSH_PATIENCE
    """So long a flush without a timeout waits for a link that fails."""
    can_choose_batch: bool = False
    """Whether uploads of a backlog may go to the Batch API (`endpoint="auto"`)."""


class Core:
    """The delivery state machine of one client.

    `guard` protects what `admit` touches (the queue's end and the ledger), so that logging threads need no
    other lock; everything else must be called by one thread at a time. `random` gives jitter in [0, 1).
    With a `store`, records are kept there from the moment they are admitted; see `SpooledQueue`. For
    `keeps_all` and `keeps_failures` see `Settlement`.
    """

    def __init__(
        self,
        config: CoreConfig,
        *,
        random: Callable[[], float],
        guard: AbstractContextManager[object] | None = None,
        store: Store | None = None,
        keeps_all: bool = False,
        keeps_failures: bool = False,
    ) -> None:
        self.config = config
        self.backlog = Backlog(config.pace)
        self.queued = self.backlog.fresh
        self.settlement = Settlement(
            guard if guard is not None else nullcontext(), keeps_all=keeps_all, keeps_failures=keeps_failures
        )
        self.ledger = self.settlement.ledger
        self._guard = self.settlement.guard
        self._max_events = config.max_events
        self._max_bytes = config.max_bytes
        self._response_handler = ResponseHandler(
            self.settlement,
            self.backlog,
            config.policy,
            max_bytes=config.max_batch_bytes,
            random=random,
            keeps_on_fault=store is not None,
        )
        self.spooled = None if store is None else self._spooled_queue(store)
        self.admit = self._admit if self.spooled is None else self.spooled.admit
        """Take a record, or return False and change nothing when there is no room for it.

        The only method, with `Settlement.refuse` and `Settlement.skip`, that any thread may call at any time.
        """
        self._batches: dict[int, Batch] = {}
        self._failing: Failing | None = None
        """While uploads fail, and none succeeds."""
        self._uploads: dict[int, tuple[int, float]] = {}  # upload -> its batch, and when it started
        self._probe: int | None = None
        """The upload that tests a server which was not well; nothing else is sent beside it."""
        self._answer_times: deque[float] = deque(maxlen=ANSWERS)
        self._last_number = 0
        self._last_start = -FOREVER
        self._interval = config.interval
        self._hurried_at = -FOREVER
        """Records logged up to then do not wait for the interval."""
        self._expire_at = FOREVER if config.max_age is None else -FOREVER
        """When the next record may have to expire."""
        self._leaving: tuple[Delivery | None, Outcome] = (None, QUEUE_FULL)
        """The record that is being settled by itself, and how it ends."""
        self._starting: Batch | None = None
        """The batch whose first chunk is being looked at."""
        self._awaited: int | None = None
        self._looked_at = -FOREVER
        self._saw_queued = self._saw_full = False
        self._enough = min(config.max_batch_events, config.rush_events)
        """So many events are worth an upload of their own, beside others and before their time: as of the
        last `wake_at`, whatever was logged since. `ring_at` counts on it, and is told of no sizes."""

    @property
    def link(self) -> Link:
        return self._response_handler.link

    @property
    def is_idle(self) -> bool:
        """Whether nothing is pending at all."""
        return self.ledger.pending == 0

    @property
    def max_upload_bytes(self) -> int:
        """How large one upload may be at present: smaller for a while after a 413."""
        return self._response_handler.max_bytes

    def _spooled_queue(self, store: Store) -> SpooledQueue:
        config = self.config
        return SpooledQueue(
            store,
            self.settlement,
            self.backlog,
            max_events=config.max_events,
            max_bytes=config.max_bytes,
            memory_events=config.memory_events,
            memory_bytes=config.memory_bytes,
            waits_for_room=config.waits_for_room,
        )

    # Admitting.

    def _admit(self, record: Delivery) -> bool:
        ledger = self.ledger
        size = len(record.body)
        with self._guard:
            if ledger.pending >= self._max_events or ledger.pending_bytes + size > self._max_bytes:
                return False
            # No call and no loop from here to the last line: from Python 3.11 on, no signal handler that logs
            # can get in between, and no KeyboardInterrupt can part the counts from the queue.
            epoch = record.epoch = ledger.epoch
            epoch.accepted += 1
            ledger.accepted += 1
            ledger.pending += 1
            ledger.pending_bytes += size
            self.queued.append(record)
        return True

    def make_room(self, size: int) -> bool:
        """Drop the oldest records until one of `size` bytes fits; False if it never will.

        Those in stream queues go first, then the main queue's front, at last those that a batch has yet to
        send; what is in a request stays.
        """
        ledger = self.ledger
        if size > self._max_bytes:
            return False
        while (
            ledger.pending - ledger.on_disk >= self._max_events
            or ledger.pending_bytes - ledger.on_disk_bytes + size > self._max_bytes
        ):
            # Named before it is taken out, so that an exception in between does not lose it: see `mend`.
            victim, take_out = self._oldest()
            if victim is None:
                return False
            self._leaving = (victim, QUEUE_FULL)
            take_out()
            self.settlement.settle([victim], QUEUE_FULL)
            self._leaving = (None, QUEUE_FULL)
        return True

    def _oldest(self) -> tuple[Delivery | None, Callable[[], object]]:
        """The record to drop first, and what takes it out."""
        backlog, spooled = self.backlog, self.spooled
        oldest = backlog.oldest
        if oldest is not None:
            return oldest, backlog.pop_oldest
        for batch in self._batches.values():
            if batch.chunks:
                return batch.oldest, batch.pop_oldest
        if spooled is not None and spooled.rear:
            return spooled.rear[0], spooled.rear.popleft
        return None, tuple

    def mend(self) -> None:
        """Put right what an exception left half done, between whichever steps of `admit` or `make_room`.

        A signal handler may raise anywhere. What counts then is where the records are: the ledger follows. To
        be called under every lock, by the thread that the exception came to.
        """
        with self._guard:
            self.backlog.recount()
            spooled = self.spooled
            pending = self.pending_records()
            if spooled is not None:
                spooled.recover()
                pending += spooled.rear
            (victim, outcome), self._leaving = self._leaving, (None, QUEUE_FULL)
            if victim is not None and any(record is victim for record in pending):
                victim = None  # it has not left
            self.settlement.recount(pending, victim, outcome)

    # What goes out.

    def next_uploads(self, now: float) -> list[Upload]:
        """The uploads to start now; each must be answered with `respond`."""
        self._looked_at = now
        if now >= self._expire_at:
            self._expire(now)
        for number in [number for number, batch in self._batches.items() if batch.is_done]:
            # It lost its last records to age, to the queue's bound or to a flush that gave up.
            self._end(number, now)
        backlog = self.backlog
        backlog.must_go_on = False
        backlog.stream_queues.release_due(now)
        if backlog.available >= self.config.rush_events:
            self._hurried_at = now
        uploads: list[Upload] = []
        while True:
            try:
                upload = self._next_upload(now)
            except Exception as error:
                if self._isolate(error):
                    continue
                return uploads
            if upload is None:
                return uploads
            uploads.append(upload)

    # What an exception leaves, which can only be a fault in antinode: it costs one record at most.

    def _isolate(self, error: Exception) -> bool:
        """While the next upload was made. Gives up the record that it is about, or narrows it down.

        False if it is about none.
        """
        self._response_handler.note_failure(error)
        suspect, self.backlog.suspect = self.backlog.suspect, None
        batch, self._starting = self._starting, None
        if suspect is not None:
            self._end_alone(suspect, lambda: self.backlog.remove(suspect), failed(type(error).__name__))
        elif batch is not None and batch.chunks:
            self._narrow(batch, batch.chunks.popleft(), error)
        return suspect is not None or batch is not None

    def _narrow(self, batch: Batch, records: list[Delivery], error: Exception) -> None:
        """One of these fails, whatever is done with it: they are sent apart, until it is alone."""
        middle = len(records) // 2
        batch.put_back(records[:middle], records[middle:])
        if len(records) == 1:
            self._end_alone(records[0], batch.pop_oldest, failed(type(error).__name__))

    def _salvage(
        self,
        batch: Batch,
        records: list[Delivery],
        waiting: tuple[list[Delivery], ...],
        verdict: Verdict,
        now: float,
        error: Exception,
    ) -> None:
        """While an answer was applied to the records of a batch, of which others were `waiting`."""
        self._response_handler.note_failure(error)
        placed = {id(record) for record in self.pending_records()}

        def adrift(chunk: list[Delivery]) -> list[Delivery]:
            return [record for record in chunk if record.outcome is None and id(record) not in placed]

        batch.put_back(*map(adrift, waiting))
        rest = adrift(records)
        if verdict.action is Action.DELIVERED:
            batch.put_back(rest)
            for record in list(rest):
                self._end_alone(record, batch.pop_oldest, delivered(verdict), sent=1)
        elif verdict.action in (Action.SORT, Action.BISECT, Action.HALVE):
            self._narrow(batch, rest, error)
        else:
            # The answer is not about the records.
            batch.put_back(rest)
            self._response_handler.link = self.link.failed(
                now, asked=verdict.wait, own=None, jitter=0.0, why=verdict.message
            )

    def _end_alone(
        self, record: Delivery, take_out: Callable[[], object], outcome: Outcome, *, sent: int = 0
    ) -> None:
        """Take a record out and settle it apart from others."""
        self._leaving = (record, outcome)
        take_out()
        self.settlement.settle_alone(record, outcome, sent=sent)
        self._leaving = (None, QUEUE_FULL)

    def wake_at(self, now: float) -> float | None:
        """When `next_uploads` should be called again if nothing happens until then; None: not needed."""
        self._enough = self._full_batch()
        self._saw_queued, self._saw_full = bool(self.queued), self._is_full_batch()
        if self.spooled is not None and self.spooled.wanted:
            return now
        free_at = self._free_at()
        times = [] if self.is_idle else [self._expire_at]
        if free_at is None or len(self._uploads) >= self.config.connections:
            # Only an answer can change anything.
            return min((time for time in times if time < FOREVER), default=None)
        if free_at > now:
            # `ring_at` asks for no ring until then, so this is a time to look again, whatever is queued now.
            times.append(free_at)
        else:
            times.append(self._sendable_at(now))
            if self._uploads and (patient_until := self._newest_start() + PATIENCE) > now:
                times.append(patient_until)
        return min((time for time in times if time < FOREVER), default=None)

    def ring_at(self) -> int:
        """At which length of the queue logging should wake the shell, which is about to sleep.

        To be called after `wake_at`, whose answer it completes: what the one does not foresee rings.
        """
        config = self.config
        free_at = self._free_at()
        if free_at is None or free_at > self._looked_at or len(self._uploads) >= config.connections:
            return NEVER
        if self.queued and not self._saw_queued:
            # They came after `wake_at` had looked: it has to look again.
            return 1
        if self._uploads and self._looked_at < self._newest_start() + PATIENCE:
            # A full batch that `wake_at` saw has its time; one that came since makes it look again.
            return NEVER if self._saw_full else self._missing()
        if self.queued:
            return config.rush_events if self._interval > 0 else self._missing()
        return 1

    def _free_at(self) -> float | None:
        """From when on the link lets an upload start; None: not before an answer."""
        link = self.link
        if self._probe is not None:
            if link.state is not LinkState.OPEN:
                return None
            _, started = self._uploads[self._probe]
            return started + PATIENCE
        return link.until if link.state is LinkState.WAITING else -FOREVER

    def _sendable_at(self, now: float) -> float:
        """When there is something that is worth sending, as far as the link lets it."""
        if any(batch.flying is None and batch.chunks for batch in self._batches.values()):
            return now
        backlog = self.backlog
        if len(self._batches) >= self.config.connections:
            return FOREVER
        if backlog.must_go_on:
            return now
        release = backlog.stream_queues.next_release
        return min(
            self._worth_at(now) if backlog.available else FOREVER, FOREVER if release is None else release
        )

    def _next_upload(self, now: float) -> Upload | None:
        free_at = self._free_at()
        if free_at is None or now < free_at:
            return None
        if self.link.cause is Cause.REFUSAL:
            # Those it refused may be one nest of bad events: an event from elsewhere is the better probe.
            return self._begin(now) or self._resume(now)
        return self._resume(now) or self._begin(now)

    def _resume(self, now: float) -> Upload | None:
        """The next upload of a batch that has been begun."""
        for number, batch in self._batches.items():
            if batch.flying is None and batch.chunks:
                return self._start(number, batch, now)
        return None

    def _begin(self, now: float) -> Upload | None:
        """The first upload of a new batch, if there are records worth one."""
        config = self.config
        if len(self._batches) >= config.connections or not self.backlog.available:
            return None
        if now < self._worth_at(now):
            return None
        for batch in self._batches.values():
            self._occupy(batch)
        self._starting = None
        events = min(config.max_batch_events, self.link.allowance)
        records = self.backlog.take(now, events=events, size=self._response_handler.max_bytes)
        if not records:
            return None
        is_bulk = config.can_choose_batch and self.backlog.available >= config.max_batch_events
        batch = Batch(records, is_bulk=is_bulk)
        number = self._number()
        self._batches[number] = batch
        if self.backlog.stream_queues or len(self._batches) > 1:
            self._occupy(batch)
        self._starting = None
        return self._start(number, batch, now)

    def _start(self, number: int, batch: Batch, now: float) -> Upload:
        link = self.link
        self._starting = batch
        batch.flying = batch.cut_front(min(link.allowance, batch.limit), self._response_handler.max_bytes)
        self._starting = None
        upload = Upload(self._number(), batch.flying, batch.is_bulk)
        self._uploads[upload.number] = (number, now)
        if not link.is_healthy:
            self._probe = upload.number
        if link.state is LinkState.WAITING:
            self._response_handler.link = link.due()
        self._last_start = now
        self.ledger.requests += 1
        if batch.rounds or batch.flying[0].attempts:
            self.ledger.retries += 1
        return upload

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _worth_at(self, now: float) -> float:
        """When the records that may be taken are worth an upload, beside those under way."""
        if self._is_full_batch():
            return max(now, self._oldest_start() + self._patience()) if self._uploads else now
        ripe_at = self._ripe_at(now)
        # Natural batching: the answer to come is waited for, unless that request hangs.
        return max(ripe_at, self._newest_start() + PATIENCE) if self._uploads else ripe_at

    def _patience(self) -> float:
        """How long a full batch waits for the uploads under way before it goes beside them."""
        if not self._answer_times:
            return PROMPT
        return HICCUP if min(self._answer_times) < PROMPT else 0.0

    def _ripe_at(self, now: float) -> float:
        """When the records that may be taken have waited for company long enough."""
        queued, interval = self.queued, self._interval
        if queued:
            logged_at = queued[0].logged_at
            if logged_at <= self._hurried_at:
                return now
            if interval > 0 and not self.backlog.stream_queues.ready_count:
                return logged_at + interval
        return self._last_start + LINGER

    def _is_full_batch(self) -> bool:
        available = self.backlog.available
        if available >= self.config.rush_events:
            return True
        if self._interval > 0 and not self._uploads:
            return False
        return available >= self._enough

    def _missing(self) -> int:
        """At this length of the queue there is a full batch, with what is ready in stream queues."""
        return max(1, self._enough - self.backlog.stream_queues.ready_count)

    def _full_batch(self) -> int:
        """How many events of the average size make a request that need not wait for more."""
        config, ledger = self.config, self.ledger
        # The bytes of those that wait are not counted apart; the average record tells enough.
        fitting = self._response_handler.max_bytes * max(1, ledger.pending) // max(1, ledger.pending_bytes)
        return max(1, min(config.max_batch_events, config.rush_events, fitting))

    def _oldest_start(self) -> float:
        return min(started for _, started in self._uploads.values())

    def _newest_start(self) -> float:
        return max(started for _, started in self._uploads.values())

    def _occupy(self, batch: Batch) -> None:
        if batch.streams is None:
            self._starting = batch
            batch.streams = streams_of(list(batch.records()))
            self.backlog.occupy(batch.streams)

    def _end(self, number: int, now: float) -> None:
        """A batch has nothing left: its streams are free, and what waited behind it may go."""
        streams = self._batches.pop(number).streams
        if streams is not None:
            self.backlog.vacate(streams, now)

    # What comes back.

    def respond(
        self, number: int, verdict: Verdict, now: float, *, took: float | None = None, size: int = 0
    ) -> None:
        """Apply what an answer, or the lack of one, means for the records of an upload.

        `took` is how long the exchange itself lasted in seconds, if that is known better than from `now`;
        `size` is what its body had in bytes. An upload that is not under way (given up for lost, abandoned)
        is only counted.
        """
        self.ledger.bytes_sent += size
        batch_number, started = self._uploads.pop(number, (0, 0.0))
        batch = self._batches.get(batch_number)
        if batch is None or batch.flying is None:
            return
        if verdict.action is Action.DELIVERED:
            self._answer_times.append(now - started if took is None else took)
        records, batch.flying = batch.flying, None
        if number == self._probe:
            self._probe = None
        waiting = tuple(batch.chunks)
        try:
            self._response_handler.apply(batch, records, verdict, now)
        except Exception as error:
            self._salvage(batch, records, waiting, verdict, now, error)
        link = self.link
        if link.failures and link.cause is not Cause.THROTTLE and verdict.action is not Action.DELIVERED:
            self._failing = Failing.after(self._failing, started=started, now=now)
        else:
            self._failing = None
        if self.link.is_healthy:
            # Whatever it was to find out is known.
            self._probe = None
        if verdict.action is not Action.DELIVERED and self.config.max_age is not None:
            # Back among those that wait, where they were not when these were last looked through.
            oldest = min([record.logged_at for record in records])
            self._expire_at = min(self._expire_at, oldest + self.config.max_age)
        self._give_up_if_faulted(now)
        if batch.is_done:
            self._end(batch_number, now)

    # Endings that no answer decides, and those who wait for endings.

    def flush(self, now: float) -> int:
        """Send what waits without regard to the interval; returns the epoch that this flush covers.

        It does not shorten a wait that the server asked for. While a configuration fault stands, one probe is
        made, and if that fails too, what the flush covers is given up: its caller wants to know.
        """
        with self._guard:
            index = self.ledger.close_epoch()
        self._awaited = index if self._awaited is None else max(index, self._awaited)
        self.hurry(now)
        # A fault that was found within the last second is not probed anew.
        self._give_up_if_faulted(now)
        return index

    def report(self, index: int) -> Report:
        """What became of the epochs up to `index`."""
        with self._guard:
            return self.ledger.report(index)

    def stop_waiting(self, awaited: int | None) -> None:
        """A flush has ended; `awaited` is the last epoch that anybody still waits for, if anybody does."""
        self._awaited = awaited

    def ends_wait(self, waiting_since: float) -> float | None:
        """When a flush without a timeout, begun at `waiting_since`, stops waiting, if it does."""
        if self._failing is None:
            return None
        patience = self.config.flush_patience
        return self._failing.ends_wait(waiting_since, patience=patience, named=self.link.not_before)

    @property
    def waits_for(self) -> str:
        """What delivery waits for, in words; "" while it goes on."""
        link = self.link
        return "" if link.is_open or link.cause is None else f"{link.cause.value}: {link.why}"

    def hurry(self, now: float) -> None:
        """Send without regard to the interval, and probe early if that is ours to decide."""
        self._hurried_at = now
        self._response_handler.link = self.link.hurried(now)

    def stop_lingering(self, now: float) -> None:
        """Send without regard to the interval from now on: the end may come any time."""
        self._interval = 0.0
        self.hurry(now)

    def abandon(self, reason: str, message: str) -> int:
        """Settle everything that is pending as dropped, requests under way included; returns how many."""
        dropped = Outcome(DROPPED, Status.FAILED, reason, message=message)
        kept = Outcome(SPOOLED, Status.FAILED, reason, message=f"{message}; the spool keeps it")
        pending = self.pending_records()
        if self.spooled is not None:
            pending += self.spooled.give_up(kept)
            self.spooled.store_anew(pending)
        self.backlog.clear()
        self._batches.clear()
        self._uploads.clear()
        self._probe = None
        lost = [record for record in pending if record.place == NOT_STORED]
        self.settlement.settle(lost, dropped)
        self.settlement.settle([record for record in pending if record.place != NOT_STORED], kept)
        return len(lost)

    def pending_records(self) -> list[Delivery]:
        """Every record that has not settled, each stream in order."""
        return [*(record for batch in self._batches.values() for record in batch.records()), *self.backlog]

    def _expire(self, now: float) -> None:
        max_age = self.config.max_age
        if max_age is None:
            return
        limit = now - max_age
        expired = self._remove(lambda record: record.logged_at < limit)
        if expired:
            self.settlement.settle(expired, _EXPIRED)
            text = f"{len(expired)} events were dropped, older than max_event_age"
            self._response_handler.note("WARNING", "expired", text)
        # Whatever is logged from here on is younger than `now`.
        oldest = min((record.logged_at for record in self._waiting_heads()), default=now)
        self._expire_at = max(min(oldest, now) + max_age, now + min(EXPIRE_EVERY, max_age))

    def is_stuck(self, now: float) -> bool:
        """Whether nothing can be sent for a configuration fault, which only the user can mend."""
        link = self.link
        return link.is_faulted and link.state is LinkState.WAITING and now < link.until

    def is_hopeless(self, now: float) -> bool:
        """Whether what is left stays in the store until the user has mended the configuration."""
        return self.spooled is not None and self.is_stuck(now)

    def refill(self, items: Sequence[Stored]) -> None:
        """Take in what was read from the store, after `spooled.wanted` asked for it."""
        assert self.spooled is not None  # noqa: S101 - nobody else reads
        oldest = self.spooled.refill(items)
        if self.config.max_age is not None:
            self._expire_at = min(self._expire_at, oldest + self.config.max_age)

    def _give_up_if_faulted(self, now: float) -> None:
        """While a fault stands, settle what a flush waits for and is not in a request."""
        link, awaited = self.link, self._awaited
        if not self.is_stuck(now) or awaited is None or self.spooled is not None:
            return
        given_up = self._remove(lambda record: record.epoch is not None and record.epoch.index <= awaited)
        self.settlement.settle(given_up, Outcome(DROPPED, Status.FAILED, "configuration", message=link.why))

    def _remove(self, is_gone: Callable[[Delivery], bool]) -> list[Delivery]:
        """Take out waiting records for which `is_gone` holds: at the front of each queue, and in batches."""
        gone: list[Delivery] = []
        for batch in self._batches.values():
            gone += batch.remove(is_gone)
        return gone + self.backlog.pop_while(is_gone)

    def _waiting_heads(self) -> list[Delivery]:
        """Records that are not in a request, among them the oldest of these."""
        chunks = [record for batch in self._batches.values() for chunk in batch.chunks for record in chunk]
        return [*chunks, *self.backlog.heads()]

    # What the shell collects after each step.

    def take_notes(self) -> list[Note]:
        notes, self._response_handler.notes = self._response_handler.notes, []
        return notes

    def take_retried(self) -> list[Retried]:
        retried, self._response_handler.retried = self._response_handler.retried, []
        return retried

    def stats(self, now: float) -> Stats:
        """The ledger and the state of delivery, consistent with each other."""
        batches = self._batches.values()
        waiting = (
            sum(len(chunk) for batch in batches for chunk in batch.chunks) + self.backlog.stream_queues.count
        )
        flying = [record for batch in batches if batch.flying is not None for record in batch.flying]
        ledger = self.ledger
        heads = [*self._waiting_heads(), *flying]
        oldest = min((record.logged_at for record in heads), default=now)
        # Not held for longer than this: logging threads wait for it.
        with self._guard:
            rear = 0 if self.spooled is None else len(self.spooled.rear)
            return replace(
                ledger.stats(),
                queued=len(self.queued) + ledger.on_disk + rear,
                waiting=waiting,
                in_flight=len(flying),
                oldest_age=max(0.0, now - oldest),
                stalled=self.waits_for or None,
            )
