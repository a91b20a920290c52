"""The delivery core: every decision about what is sent, when, with what, and how each event ends.

Pure: no thread, socket, file, clock or random source of its own. Records, verdicts and the time go in;
uploads to make, a time to wake up and settled records come out. The threaded shell, the simulation in the
tests, and whatever shell comes next, drive the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

from antinode.delivery.backlog import Backlog, ids_of
from antinode.delivery.batch import Batch, Upload, halves
from antinode.delivery.books import Books
from antinode.delivery.ledger import Ledger, Stats
from antinode.delivery.link import Link, LinkState
from antinode.delivery.record import DELIVERED, DROPPED, REJECTED, Delivery, Outcome
from antinode.delivery.retry import Backoff, Response, RetryPolicy
from antinode.protocol.responses import Action, Verdict
from antinode.protocol.status import Status

# Uploads of a steady trickle start at least this many seconds apart, so that each carries several events;
# the first event after a pause, a full batch and a flush do not wait.
LINGER = 0.02
# After this many seconds without an answer, a hanging request no longer keeps the others' events waiting.
PATIENCE = 1.0
# Rounds in which an answer named a single event, after which the events before it, which the server has
# evidently read and found good, are sent on their own: a body is not repeated for each bad event in it.
PATIENT_ROUNDS = 3
# Single events in a row refused without being named: it is not the events then, it is every request.
REFUSALS_TO_PAUSE = 5
# Successes after which a smaller request size learned from a 413 is doubled again.
GROW_AFTER = 20
NEVER = 1 << 62

QUEUE_FULL = Outcome(
    DROPPED,
    Status.FAILED,
    "queue_full",
    message="the queue was full: raise max_queue_events or max_queue_bytes, or see why events do not leave",
)
_EXPIRED = Outcome(
    DROPPED, Status.FAILED, "expired", message="older than max_event_age before it could be sent"
)
_REASONS = {Status.RATE_LIMIT: "daily_quota", Status.PAYLOAD_TOO_LARGE: "too_large"}


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
    can_choose_batch: bool = False
    """Whether uploads of a backlog may go to the Batch API (`endpoint="auto"`)."""

    @property
    def full_batch(self) -> int:
        """So many events are worth an upload of their own, beside others and before their time."""
        return min(self.max_batch_events, self.rush_events)


class Note(NamedTuple):
    """Something the user should be told: a logging level's name, a key for rate limiting, a sentence."""

    level: str
    key: str
    text: str


class Retried(NamedTuple):
    """A repeated request was answered: the arguments of `on_retry`."""

    response: Response
    attempt: int
    is_last: bool


class Core:
    """The delivery state machine of one client.

    `guard` protects what `admit` touches (the queue's end and the books), so that logging threads need no
    other lock; everything else must be called by one thread at a time. `random` gives jitter in [0, 1).
    """

    def __init__(
        self,
        config: CoreConfig,
        *,
        random: Callable[[], float],
        guard: AbstractContextManager[object] | None = None,
    ) -> None:
        self.config = config
        self.link = Link()
        self.ring_at = 1
        """The shell wants to be woken when so many records are queued."""
        self.backlog = Backlog(config.pace)
        self.queued = self.backlog.fresh
        self.books = Books(guard if guard is not None else nullcontext())
        self.admit_limits = (config.max_events, config.max_bytes)
        self._random = random
        self._notes: list[Note] = []
        self._retried: list[Retried] = []
        self._batches: dict[int, Batch] = {}
        self._uploads: dict[int, tuple[int, float]] = {}  # upload -> its batch, and when it started
        self._probe: int | None = None
        """The upload that tests a server which was not well; nothing else is sent meanwhile."""
        self._last_number = 0
        self._last_start = float("-inf")
        self._max_bytes = config.max_batch_bytes
        self._successes = 0
        self._refusals = 0
        self._is_urgent = False
        self._awaited: int | None = None

    @property
    def ledger(self) -> Ledger:
        return self.books.ledger

    @property
    def is_idle(self) -> bool:
        """Whether nothing is pending at all."""
        return self.ledger.pending == 0

    # What comes in at the door.

    def admit(self, record: Delivery) -> bool:
        """Take a record, or return False and change nothing when there is no room for it.

        The only method, with `Books.refuse` and `Books.skip`, that any thread may call at any time.
        """
        return self.books.admit(record, self.queued.append, *self.admit_limits)

    def make_room(self, size: int) -> bool:
        """Drop the oldest records until one of `size` bytes fits; False if it never will."""
        max_events, max_bytes = self.admit_limits
        ledger = self.ledger
        if size > max_bytes:
            return False
        while ledger.pending >= max_events or ledger.pending_bytes + size > max_bytes:
            victim = self.backlog.pop_oldest() or self._pop_from_batches()
            if victim is None:
                return False
            self.books.settle([victim], QUEUE_FULL)
        return True

    def _pop_from_batches(self) -> Delivery | None:
        for batch in self._batches.values():
            if batch.chunks:
                return batch.cut_front(1, 0)[0]
        return None

    # What goes out.

    def next_uploads(self, now: float) -> list[Upload]:
        """The uploads to start now; each must be answered with `respond`."""
        self._expire(now)
        for number in [number for number, batch in self._batches.items() if batch.is_done]:
            # It lost its last records to age or to the queue's bound.
            self._end(number, now)
        self.backlog.must_go_on = False
        self.backlog.lanes.release_due(now)
        uploads: list[Upload] = []
        while (upload := self._next_upload(now)) is not None:
            uploads.append(upload)
        return uploads

    def wake_at(self, now: float) -> float | None:
        """When `next_uploads` should be called again if nothing happens until then; None: not needed."""
        if self.is_idle:
            return None
        if self.link.state is LinkState.WAITING:
            return self.link.until
        if self._probe is not None or len(self._uploads) >= self.config.connections:
            return None
        if self.backlog.must_go_on:
            return now
        times = []
        if self.backlog.available:
            times.append(self._oldest_start() + PATIENCE if self._uploads else self._ripe_at(now))
        release = self.backlog.lanes.next_release
        if release is not None:
            times.append(release)
        return min(times, default=None)

    def set_ring(self) -> int:
        """Decide at which length of the queue logging should wake the shell, which is about to sleep."""
        config = self.config
        is_full = len(self._uploads) >= config.connections
        if self.link.state is LinkState.WAITING or self._probe is not None or is_full:
            self.ring_at = NEVER
        elif self._uploads or self.queued:
            ring_at = config.rush_events if config.interval > 0 and not self._uploads else config.full_batch
            self.ring_at = ring_at if len(self.queued) < ring_at else NEVER
        else:
            self.ring_at = 1
        return self.ring_at

    def _next_upload(self, now: float) -> Upload | None:
        link = self.link
        if link.state is LinkState.WAITING and now < link.until:
            return None
        if self._probe is not None or (link.is_open and not link.is_healthy and self._uploads):
            return None
        for number, batch in self._batches.items():
            if batch.flying is None and batch.chunks:
                return self._start(number, batch, now)
        if len(self._batches) >= self.config.connections or not self._is_worth_a_batch(now):
            return None
        for batch in self._batches.values():
            self._occupy(batch)
        records = self.backlog.take(
            now, events=min(self.config.max_batch_events, link.allowance), size=self._max_bytes
        )
        self._is_urgent = self._is_urgent and bool(self.queued)
        if not records:
            return None
        is_bulk = self.config.can_choose_batch and self.backlog.available >= self.config.max_batch_events
        batch = Batch(records, is_bulk=is_bulk)
        number = self._number()
        self._batches[number] = batch
        if self.backlog.lanes or len(self._batches) > 1:
            self._occupy(batch)
        return self._start(number, batch, now)

    def _start(self, number: int, batch: Batch, now: float) -> Upload:
        link = self.link
        batch.flying = batch.cut_front(link.allowance, self._max_bytes)
        upload = Upload(self._number(), batch.flying, batch.is_bulk)
        self._uploads[upload.number] = (number, now)
        if not link.is_healthy:
            self._probe = upload.number
        if link.state is LinkState.WAITING:
            self.link = link.due()
        self._last_start = now
        self.ledger.requests += 1
        if batch.rounds or batch.flying[0].attempts:
            self.ledger.retries += 1
        return upload

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _is_worth_a_batch(self, now: float) -> bool:
        if not self.backlog.available:
            return False
        if self._uploads:
            # Beside others: for a full batch, or past a request that hangs.
            return self._is_full_batch() or now >= self._oldest_start() + PATIENCE
        return now >= self._ripe_at(now)

    def _ripe_at(self, now: float) -> float:
        """When the records that wait are worth an upload of their own."""
        if self._is_urgent or self._is_full_batch():
            return now
        if self.config.interval > 0 and not self.backlog.lanes.ready_count and self.queued:
            return self.queued[0].logged_at + self.config.interval
        return self._last_start + LINGER

    def _is_full_batch(self) -> bool:
        available = self.backlog.available
        if available >= self.config.rush_events:
            return True
        if self.config.interval > 0 and not self._uploads:
            return False
        ledger = self.ledger
        # The bytes of just these are not counted apart; those of the average record tell enough.
        is_heavy = available * ledger.pending_bytes >= max(1, ledger.pending) * self._max_bytes
        return available >= self.config.full_batch or is_heavy

    def _oldest_start(self) -> float:
        return min(started for _, started in self._uploads.values())

    def _occupy(self, batch: Batch) -> None:
        if batch.streams is None:
            batch.streams = {record.stream for record in batch.records()}
            self.backlog.occupy(batch.streams)

    def _end(self, number: int, now: float) -> None:
        """A batch has nothing left: its streams are free, and what waited behind it may go."""
        streams = self._batches.pop(number).streams
        if streams is not None:
            self.backlog.vacate(streams, now)

    # What comes back.

    def respond(self, number: int, verdict: Verdict, now: float) -> None:
        """Apply what an answer, or the lack of one, means for the records of an upload.

        An upload that is not under way (given up for lost, abandoned) is ignored.
        """
        batch_number, _ = self._uploads.pop(number, (0, 0.0))
        batch = self._batches.get(batch_number)
        if batch is None or batch.flying is None:
            return
        records, batch.flying = batch.flying, None
        if self._probe == number:
            self._probe = None
        if verdict.action is not Action.DELIVERED:
            self.ledger.last_error = f"{verdict.code or verdict.status.value}: {verdict.message}"
        self._note_retry(records, verdict)
        _REACTIONS[verdict.action](self, batch, records, verdict, now)
        if batch.is_done:
            self._end(batch_number, now)

    def _on_delivered(self, batch: Batch, records: list[Delivery], verdict: Verdict, now: float) -> None:  # noqa: ARG002 - as its siblings
        self._is_well(now)
        self._refusals = 0
        self._successes += 1
        if self._max_bytes < self.config.max_batch_bytes and self._successes >= GROW_AFTER:
            self._successes = 0
            self._max_bytes = min(self.config.max_batch_bytes, self._max_bytes * 2)
        if verdict.ingested is not None and verdict.ingested != len(records):
            self.ledger.discrepancies += abs(len(records) - verdict.ingested)
            text = f"the server took {len(records)} events but says that it ingested {verdict.ingested}"
            self._note("WARNING", "ingested", text)
        outcome = Outcome(
            DELIVERED,
            Status.SUCCESS,
            "delivered",
            verdict.code,
            verdict.message,
            attempts=1,
            body=verdict.body,
        )
        self.books.settle(records, outcome, sent=1)

    def _on_sort(self, batch: Batch, records: list[Delivery], verdict: Verdict, now: float) -> None:
        """The answer names events: drop some, hold some back, send the rest again at once, uncharged."""
        self._is_well(now)
        batch.rounds += 1
        rest: list[Delivery] = []
        held: dict[int, list[Delivery]] = {}
        dropped: dict[tuple[Status, str], list[Delivery]] = {}
        for position, record in enumerate(records):
            reason = verdict.drop.get(position)
            if reason is not None:
                dropped.setdefault(reason, []).append(record)
            elif record.stream in held or _is_throttled(position, record, verdict):
                held.setdefault(record.stream, []).append(record)
            else:
                rest.append(record)
        for (status, message), refused in dropped.items():
            self._reject(refused, status, verdict, message)
        if held:
            self._hold(batch, records, held, verdict, now)
        named = next(iter(verdict.drop), 0)
        if batch.rounds > PATIENT_ROUNDS and len(verdict.drop) == 1 and not held:
            batch.put_back(records[:named], records[named + 1 :])
        else:
            batch.put_back(rest)

    def _hold(
        self,
        batch: Batch,
        records: list[Delivery],
        held: dict[int, list[Delivery]],
        verdict: Verdict,
        now: float,
    ) -> None:
        """Let the throttled wait alone, with their later records, behind a gate that opens in time."""
        pacer = self.backlog.pacer
        for user in verdict.throttled_users:
            pacer.throttle(("user", user), now, verdict.wait, verdict.threshold)
        for device in verdict.throttled_devices:
            pacer.throttle(("device", device), now, verdict.wait, verdict.threshold)
        for stream in {records[position].stream for position in verdict.hold}:
            pacer.throttle(("stream", stream), now, verdict.wait, verdict.threshold)
        # Their successors may be in chunks of this batch that have not been sent yet.
        for stream, successors in batch.pull(set(held)).items():
            held[stream] += successors
        count = 0
        for stream, waiting in held.items():
            keep, own = self._charge(waiting, verdict)
            if keep:
                count += len(keep)
                opens_at = self.backlog.pacer.opens_at(self.backlog.keys_of(keep[0]), now)
                self.backlog.hold(stream, keep, max(opens_at, now + max(verdict.wait, own or 0.0)))
        if count:
            text = f"{count} events of {len(held)} throttled users or devices wait {verdict.wait:.0f} s"
            self._note("WARNING", "throttled", f"{text}: {verdict.message}")

    def _on_bisect(self, batch: Batch, records: list[Delivery], verdict: Verdict, now: float) -> None:
        """The body was refused and nobody named: never the same body again."""
        batch.rounds += 1
        if len(records) > 1:
            self._is_well(now)
            middle = len(records) // 2
            batch.put_back(records[:middle], records[middle:])
            return
        self._reject(records, verdict.status, verdict, verdict.message)
        self._refusals += 1
        if self._refusals >= REFUSALS_TO_PAUSE:
            self._fault(verdict, now)
        else:
            self._is_well(now)

    def _on_halve(self, batch: Batch, records: list[Delivery], verdict: Verdict, now: float) -> None:
        self._is_well(now)
        batch.rounds += 1
        if len(records) == 1:
            self._reject(records, Status.PAYLOAD_TOO_LARGE, verdict, verdict.message)
            return
        total = sum(len(record.body) + 1 for record in records)
        self._successes = 0
        self._max_bytes = max(1, min(self._max_bytes, total // 2))
        batch.put_back(*halves(records))

    def _on_retry(self, batch: Batch, records: list[Delivery], verdict: Verdict, now: float) -> None:
        keep, own = self._charge(records, verdict)
        batch.put_back(keep)
        was = self.link
        why = self.ledger.last_error or verdict.message
        self.link = was.failed(now, asked=verdict.wait, own=own, jitter=self._random(), why=why)
        if self.link.failures == 1:
            self._note("INFO", "retry", f"an upload failed and is repeated: {verdict.message}")
        elif self.link.failures > was.failures:
            self._note(
                "WARNING", "outage", f"uploads fail; events are kept and tried again: {verdict.message}"
            )

    def _on_wait(self, batch: Batch, records: list[Delivery], verdict: Verdict, now: float) -> None:
        keep, own = self._charge(records, verdict)
        batch.put_back(keep)
        wait = max(verdict.wait, own or 0.0)
        self.link = self.link.throttled(now, wait=wait, why=self.ledger.last_error or verdict.message)
        self._note("WARNING", "project", f"all uploads wait {wait:.0f} s: {verdict.message}")

    def _on_stop(self, batch: Batch, records: list[Delivery], verdict: Verdict, now: float) -> None:  # noqa: ARG002 - as its siblings
        self.books.settle(records, _faulty(verdict.message, verdict), sent=1)
        self._fault(verdict, now)

    def _fault(self, verdict: Verdict, now: float) -> None:
        if not self.link.is_faulted:
            text = f"Amplitude does not take this client's requests, uploading pauses: {verdict.message}"
            self._note("ERROR", "fault", f"{text} (check the API key, server_url and server_zone)")
        self.link = self.link.faulted(now, jitter=self._random(), why=verdict.message)
        if self._awaited is not None:
            self._give_up(self._awaited, _faulty(verdict.message, verdict))

    def _is_well(self, now: float) -> None:
        """The server took the request apart sensibly, whatever it thought of the events."""
        was = self.link
        self.link = was.succeeded(now)
        if was.state is LinkState.PROBING and (was.failures > 1 or was.is_faulted):
            self._note("WARNING", "recovered", "uploads succeed again")

    def _charge(self, records: list[Delivery], verdict: Verdict) -> tuple[list[Delivery], float | None]:
        """Count an attempt and ask the policy: the records to send again, and its wait if it has one."""
        for record in records:
            record.attempts += 1
        policy = self.config.policy
        if isinstance(policy, Backoff):
            return records, None
        response = response_of(verdict)
        delays = {attempt: policy.next_delay(attempt, response) for attempt in {r.attempts for r in records}}
        exhausted = [record for record in records if delays[record.attempts] is None]
        if exhausted:
            message = f"given up by the retry policy: {verdict.message}"
            outcome = Outcome(
                DROPPED, verdict.status, "retries_exhausted", verdict.code, message, body=verdict.body
            )
            self.books.settle(exhausted, outcome)
            records = [record for record in records if delays[record.attempts] is not None]
        return records, max((delay for delay in delays.values() if delay is not None), default=None)

    def _note_retry(self, records: list[Delivery], verdict: Verdict) -> None:
        attempt = max([record.attempts for record in records])
        if attempt:
            response = response_of(verdict)
            is_last = self.config.policy.next_delay(attempt + 1, response) is None
            self._retried.append(Retried(response, attempt - 1, is_last))

    def _reject(self, records: list[Delivery], status: Status, verdict: Verdict, message: str) -> None:
        reason = _REASONS.get(status, "refused")
        outcome = Outcome(REJECTED, status, reason, verdict.code, message, attempts=1, body=verdict.body)
        self.books.settle(records, outcome, sent=1)
        self._note(
            "WARNING", f"rejected:{reason}", f"events were rejected ({len(records)} in one answer): {message}"
        )

    # Endings that no answer decides, and those who wait for endings.

    def flush(self, now: float) -> int:
        """Send what waits without regard to the interval; returns the epoch that this flush covers.

        It does not shorten a wait that the server asked for. While a configuration fault stands, one probe is
        made, and if that fails too, what the flush covers is given up: its caller wants to know.
        """
        with self.books.guard:
            index = self.ledger.close_epoch()
        self.hurry(now)
        self._awaited = index
        link = self.link
        if link.is_faulted and link.state is LinkState.WAITING and now < link.until:
            # It was probed within the last second.
            self._give_up(index, _faulty(link.why))
        return index

    def stop_waiting(self, awaited: int | None) -> None:
        """A flush has ended; `awaited` is the last epoch that anybody still waits for, if anybody does."""
        self._awaited = awaited

    def hurry(self, now: float) -> None:
        """Send without regard to the interval, and probe early if that is ours to decide."""
        self._is_urgent = bool(self.queued)
        self.link = self.link.hurried(now)

    def abandon(self, reason: str, message: str) -> int:
        """Settle everything that is pending as dropped, requests under way included; returns how many."""
        pending = self.pending_records()
        self.backlog.clear()
        self._batches.clear()
        self._uploads.clear()
        self._probe = None
        self.books.settle(pending, Outcome(DROPPED, Status.FAILED, reason, message=message))
        return len(pending)

    def pending_records(self) -> list[Delivery]:
        """Every record that has not settled, each stream in order."""
        return [*(record for batch in self._batches.values() for record in batch.records()), *self.backlog]

    def _expire(self, now: float) -> None:
        max_age = self.config.max_age
        if max_age is None or self.is_idle:
            return
        limit = now - max_age
        expired = self._remove(lambda record: record.logged_at < limit)
        if expired:
            self.books.settle(expired, _EXPIRED)
            self._note("WARNING", "expired", f"{len(expired)} events were dropped, older than max_event_age")

    def _give_up(self, index: int, outcome: Outcome) -> None:
        """Settle what is pending from the epochs up to `index` and not in a request."""
        self.books.settle(
            self._remove(lambda record: record.epoch is not None and record.epoch.index <= index), outcome
        )

    def _remove(self, is_gone: Callable[[Delivery], bool]) -> list[Delivery]:
        """Take out waiting records for which `is_gone` holds. In every queue those are the ones in front."""
        gone: list[Delivery] = []
        for batch in self._batches.values():
            for _ in range(len(batch.chunks)):
                chunk = batch.chunks.popleft()
                if is_gone(chunk[0]):
                    gone += [record for record in chunk if is_gone(record)]
                    chunk = [record for record in chunk if not is_gone(record)]
                if chunk:
                    batch.chunks.append(chunk)
        return gone + self.backlog.pop_while(is_gone)

    # What the shell collects after each step.

    def _note(self, level: str, key: str, text: str) -> None:
        self._notes.append(Note(level, key, text))

    def take_notes(self) -> list[Note]:
        notes, self._notes = self._notes, []
        return notes

    def take_retried(self) -> list[Retried]:
        retried, self._retried = self._retried, []
        return retried

    def stats(self, now: float) -> Stats:
        """The books and the state of delivery, consistent with each other."""
        batches = self._batches.values()
        in_flight = sum(len(batch.flying) for batch in batches if batch.flying is not None)
        waiting = sum(len(chunk) for batch in batches for chunk in batch.chunks) + self.backlog.lanes.count
        heads = [*self.backlog.heads(), *(head for batch in batches if (head := next(batch.records(), None)))]
        link, ledger = self.link, self.ledger
        with self.books.guard:
            if self.queued:
                heads.append(self.queued[0])
            oldest = min((record.logged_at for record in heads), default=now)
            return Stats(
                accepted=ledger.accepted,
                delivered=ledger.delivered,
                rejected=dict(ledger.rejected),
                dropped=dict(ledger.dropped),
                skipped=dict(ledger.skipped),
                queued=len(self.queued),
                waiting=waiting,
                in_flight=in_flight,
                pending_bytes=ledger.pending_bytes,
                requests=ledger.requests,
                retries=ledger.retries,
                bytes_sent=ledger.bytes_sent,
                discrepancies=ledger.discrepancies,
                oldest_age=max(0.0, now - oldest),
                last_error=ledger.last_error,
                stalled=None if link.is_open or link.cause is None else f"{link.cause.value}: {link.why}",
            )


_REACTIONS: Mapping[Action, Callable[[Core, Batch, list[Delivery], Verdict, float], None]] = {
    Action.DELIVERED: Core._on_delivered,
    Action.SORT: Core._on_sort,
    Action.BISECT: Core._on_bisect,
    Action.HALVE: Core._on_halve,
    Action.RETRY: Core._on_retry,
    Action.WAIT: Core._on_wait,
    Action.STOP: Core._on_stop,
}


def _is_throttled(position: int, record: Delivery, verdict: Verdict) -> bool:
    if position in verdict.hold:
        return True
    if not (verdict.throttled_users or verdict.throttled_devices):
        return False
    user, device = ids_of(record)
    return user in verdict.throttled_users or device in verdict.throttled_devices


def _faulty(message: str, verdict: Verdict | None = None) -> Outcome:
    if verdict is None:
        return Outcome(DROPPED, Status.FAILED, "configuration", message=message)
    return Outcome(DROPPED, Status.FAILED, "configuration", verdict.code, message, body=verdict.body)


def response_of(verdict: Verdict) -> Response:
    return Response(verdict.status, verdict.code, verdict.message, verdict.body)
