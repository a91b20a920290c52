"""Simulated time for the delivery core: a shell that drives it as the threaded one does.

The answers of its server go through `protocol.responses.judge`, so that the core meets what it would meet in
earnest.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from antinode._delivery.core.backlog import SCAN_RECORDS, ids_of
from antinode._delivery.core.batch import Upload
from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.core.response_handler import Note, Retried
from antinode._delivery.core.shedding import QUEUE_FULL
from antinode._delivery.outcome import DROPPED, SPOOLED, Outcome
from antinode._delivery.record import NOT_STORED, Record, SpooledRecord
from antinode._protocol.ids import stream_of
from antinode._protocol.responses import Action, Verdict, judge, unreached
from antinode._protocol.status import Status
from tests.delivery.model_server import NOTHING, Server
from tests.delivery.model_store import ModelStore


@dataclass
class Flight:
    """One request under way."""

    upload: Upload
    verdict: Verdict


class Simulation:
    """Drives a core as the threaded shell does, and checks after each step what must always hold."""

    def __init__(
        self,
        config: CoreConfig | None = None,
        server: Server | None = None,
        *,
        overflow: str = "drop_oldest",
        seed: int = 0,
        checks: bool = True,
        store: ModelStore | None = None,
        forgets: bool = False,
    ) -> None:
        self.config = config if config is not None else CoreConfig()
        self.server = server if server is not None else Server()
        self.overflow = overflow
        self.checks = checks
        self.store = store
        self.forgets = forgets
        """Whether the application lets go of its handles: `records` then holds stand-ins for them."""
        self.core = Core(self.config, random=random.Random(seed).random, store=store, keeps_all=True)
        self.now = 1000.0
        self.wake_at: float | None = None
        self.ring_at = 1
        """Logging makes the shell step at this length of the queue."""
        self.records: list[Record] = []
        self.flights: dict[int, Flight] = {}
        self.uploads: list[tuple[float, list[int]]] = []
        """Every upload so far: when it started, and the log numbers of its events."""
        self.told: list[Record] = []
        self.notes: list[Note] = []
        self.retried: list[Retried] = []
        self.is_late = False
        """Whether this process keeps the requests under way waiting."""
        self._was_late = False
        """As the shell told the core last."""
        self.racing: Callable[[], object] | None = None
        """Called once between the shell's last look and its falling asleep."""
        self._numbers: dict[bytes, int] = {}
        self._answers: list[tuple[float, int, int]] = []
        self._order = itertools.count()
        self._outcomes: dict[int, Outcome] = {}
        self._refused_bodies: set[tuple[int, ...]] = set()
        self._pending_seen = 0
        if store is not None and self.core.spooled is not None:
            for kept in store.kept:
                self._add(Record(kept.body, 0, kept.logged_at, place=kept.place))
            self.core.spooled.find()

    # What the application does.

    def log(
        self, user: str | None = "user-1", device: str | None = None, *, kind: str = "good", size: int = 0
    ) -> Record:
        """Log an event of about `size` bytes; `kind` is explained at `Server`."""
        record = self.record(user, device, kind=kind, size=size)
        self.submit(record)
        return record

    def record(
        self, user: str | None = "user-1", device: str | None = None, *, kind: str = "good", size: int = 0
    ) -> Record:
        """An event's record that has not been logged yet."""
        number = len(self.records)
        event = {"user_id": user, "device_id": device, "insert_id": f"i{number}", "kind": kind}
        return self.record_of(event, size=size)

    def record_of(self, event: Mapping[str, Any], *, size: int = 0) -> Record:
        """The record of an event written out."""
        body = json.dumps(event).encode()
        if size > len(body):
            body = body[:-1] + b" " * (size - len(body)) + b"}"
        make = Record if self.store is None else SpooledRecord
        record = make(body, stream_of(event.get("user_id"), event.get("device_id")), self.now)
        self._add(record)
        return record

    def _add(self, record: Record) -> None:
        self._numbers[record.body] = len(self.records)
        self.records.append(record)

    def number_of(self, record: Record) -> int:
        """Which one in `records` it is."""
        return self._numbers[record.body]

    def _let_go(self, record: Record) -> None:
        self.records[self.number_of(record)] = Record(
            record.body, record.stream, record.logged_at, record.epoch, 0, record.outcome, place=record.place
        )

    def submit_together(self, records: Iterable[Record]) -> None:
        """Log them all before the shell has a look."""
        for record in records:
            assert self.core.admit(record)
        self.step()

    def submit(self, record: Record) -> None:
        core = self.core
        if not core.admit(record):
            self._overflow(record)
        elif len(core.queued) >= self.ring_at:
            self.step()
        if self.forgets:
            self._let_go(record)
        self.check()

    def _overflow(self, record: Record) -> None:
        core = self.core
        if (
            self.overflow == "drop_oldest"
            and core.shedding.make_room(len(record.body))
            and core.admit(record)
        ):
            self.step()
            return
        core.settlement.refuse(record, QUEUE_FULL)
        self.told.append(record)

    def flush(self) -> int:
        index = self.core.flush(self.now)
        self.step()
        return index

    def hurry(self) -> None:
        self.core.hurry(self.now)
        self.step()

    # The shell.

    def step(self) -> None:
        """Look, act, and look again until there is nothing to do: the coordinator between two sleeps."""
        core = self.core
        for rounds in itertools.count():
            assert rounds <= 5 + len(core.queued) // SCAN_RECORDS + (
                len(self.records) if self.store else 0
            ), "the shell spins"
            for upload in self._next_uploads():
                self._start(upload)
            self._collect()
            self._refill()
            self.wake_at = core.wake_at(self.now)
            racing, self.racing = self.racing, None
            if racing is not None:
                racing()
            self.ring_at = core.ring_at()
            if len(core.queued) >= self.ring_at:
                continue
            if self.wake_at is None or self.wake_at > self.now:
                break
        assert core.is_idle or self.flights or self.wake_at is not None, "nothing would ever wake the shell"
        self.check()

    def _next_uploads(self) -> list[Upload]:
        self._was_late = self.is_late and bool(self.flights)
        return self.core.next_uploads(self.now, is_late=self._was_late)

    def _refill(self) -> None:
        spooled, store = self.core.spooled, self.store
        if spooled is None or store is None:
            return
        spooled.put_away()
        if spooled.wanted:
            self.core.refill(store.read(spooled.wanted, spooled.wanted_bytes))

    def _collect(self) -> None:
        settled = self.core.settlement.take_settled()
        self.told += settled
        for kind, places in self.core.settlement.take_ended():
            assert self.store is not None
            self.store.acknowledge(places, kind)
        for record in settled:
            known = self.records[self.number_of(record)]
            if known is not record:
                known.outcome = record.outcome
        self.notes += self.core.take_notes()
        self.retried += self.core.take_retried()

    def _start(self, upload: Upload) -> None:
        records = upload.records
        numbers = [self.number_of(record) for record in records]
        self.uploads.append((self.now, numbers))
        self._check_upload(upload, numbers)
        events = [
            {**NOTHING, **json.loads(record.body), "n": number, "size": len(record.body)}
            for number, record in zip(numbers, records, strict=True)
        ]
        answer = self.server.receive(events, self.now)
        if answer.lost is not None:
            verdict = unreached(answer.lost, "no answer")
        else:
            verdict = judge(
                answer.status, answer.headers, answer.body, len(records), lambda i: ids_of(records[i])
            )
        self.answer_later(upload, verdict, self.server.latency if answer.latency is None else answer.latency)

    def answer_later(self, upload: Upload, verdict: Verdict, latency: float) -> None:
        self.flights[upload.number] = Flight(upload, verdict)
        heapq.heappush(self._answers, (self.now + latency, next(self._order), upload.number))

    def _check_upload(self, upload: Upload, numbers: Sequence[int]) -> None:
        records, config = upload.records, self.config
        assert records, "an upload carries something"
        assert len(records) <= config.max_batch_events
        assert (
            len(records) == 1 or sum(len(record.body) + 1 for record in records) <= config.max_batch_bytes + 1
        )
        assert all(record.outcome is None for record in records)
        assert tuple(numbers) not in self._refused_bodies, "a refused body is not sent again"
        busy = {record.stream for flight in self.flights.values() for record in flight.upload.records}
        assert not busy & {record.stream for record in records}, "one upload at a time holds a stream"
        assert len(self.flights) < config.connections

    def acquaint(self) -> None:
        """Have the server accept something that is no record of this simulation's."""
        core = self.core
        core.admit(Record(b"{}", -1, self.now))
        (upload,) = core.next_uploads(self.now)
        core.respond(upload.number, Verdict(Action.DELIVERED, Status.SUCCESS, 200, "accepted"), self.now)
        core.settlement.take_settled()
        self.now += 1.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.run_to(self.now + seconds)

    def run_to(self, end: float) -> None:
        while (time := self._next_time()) is not None and time <= end:
            self._look_too_early()
            self.now = max(self.now, time)
            self._answer_due()
            self.step()
        self.now = max(self.now, end)
        self.server.arrive_late(self.now)

    def _next_time(self) -> float | None:
        times = [] if self.wake_at is None else [self.wake_at]
        if self._answers:
            times.append(self._answers[0][0])
        return min(times, default=None)

    def _answer_due(self) -> None:
        while self._answers and self._answers[0][0] <= self.now:
            _, _, number = heapq.heappop(self._answers)
            flight = self.flights.pop(number, None)
            if flight is None:
                continue
            numbers = tuple(self.number_of(record) for record in flight.upload.records)
            if flight.verdict.action in (Action.BISECT, Action.HALVE):
                if len(numbers) > 1 and self.core.has_accepted:
                    self._refused_bodies.add(numbers)
            elif flight.verdict.action is Action.SORT:
                # Those held back wait in their stream queues for half a minute, where cuts are forgotten.
                self._refused_bodies = {each for each in self._refused_bodies if not {*each} & {*numbers}}
            self.core.respond(number, flight.verdict, self.now)
            if self.core.link.is_refused:
                # It may have been the server: what it refused may be tried again.
                self._refused_bodies.clear()
            self.check()

    def _look_too_early(self) -> None:
        """Whoever looks before the shell wakes finds nothing to send: it sleeps over nothing."""
        core = self.core
        if self.checks:
            message = "the shell slept although there was something to send"
            assert core.next_uploads(self.now, is_late=self._was_late) == [], message

    def settle(self, limit: float = 3600.0) -> float:
        """Let time pass until everything has settled; how long it took. Fails after `limit` seconds."""
        started = self.now
        while not self.core.is_idle or (self.core.spooled is not None and self.core.spooled.is_behind):
            time = self._next_time()
            assert time is not None, "pending, but nothing will ever happen"
            assert time - started <= limit, f"not settled within {limit} s: {self.core.stats(self.now)}"
            self.run_to(time)
        return self.now - started

    def abandon(self) -> int:
        count = self.core.abandon("shutdown", "the end")
        self.ring_at = 1
        self.flights.clear()
        self._collect()
        if self.store is not None:
            self._leave(self.store)
        self.check()
        return count

    def _leave(self, store: ModelStore) -> None:
        """The end of the process, as far as what stays in the store is concerned."""
        store.leave()
        if self.core.spooled is not None:
            self.core.spooled.begin_again()
        kept = {kept.body for kept in store.kept if kept.place not in store.acknowledged}
        for record in self.records:
            if record.outcome is None and record.body in kept:
                assert self.forgets or record.place < store.left, "whoever holds a handle is told"
                record.outcome = Outcome(SPOOLED, Status.FAILED, "shutdown")

    # What must hold at every instant.

    def check(self) -> None:
        if not self.checks:
            return
        core, config = self.core, self.config
        stats = core.stats(self.now)
        assert stats.balanced, stats
        for number, record in enumerate(self.records):
            if record.outcome is not None:
                known = self._outcomes.setdefault(number, record.outcome)
                assert known is record.outcome, "an outcome is final"
        if self.store is not None:
            self._check_store()
            return
        pending = [record for record in self.records if record.outcome is None and record.epoch is not None]
        assert stats.pending == len(pending)
        assert stats.queued == len(core.queued)
        assert stats.in_flight == sum(len(flight.upload.records) for flight in self.flights.values())
        assert stats.pending_bytes == sum(len(record.body) for record in pending)
        assert stats.pending <= config.max_events
        assert stats.pending_bytes <= config.max_bytes
        assert len(core.pending_records()) == len(pending)
        assert core.backlog.stream_queues.ready_count == sum(
            len(stream_queue.records) for stream_queue in core.backlog.stream_queues if stream_queue.is_ready
        )

    def _check_store(self) -> None:
        """What has not ended is kept, unless it was never taken; what is kept for nothing has ended."""
        assert self.store is not None
        spooled, stats, acknowledged = self.core.spooled, self.core.stats(self.now), self.store.acknowledged
        assert spooled is not None
        for record in self.records:
            if record.place != NOT_STORED and record.outcome is None:
                assert record.place not in acknowledged, "a record that has not ended is kept"
        assert len(self.core.pending_records()) + len(spooled.rear) + stats.on_disk == stats.pending
        assert stats.in_flight == sum(len(flight.upload.records) for flight in self.flights.values())
        assert stats.pending - stats.on_disk <= self.config.max_events

    def check_order(self) -> None:
        """First acceptances ascend in each stream.

        Except for events that were given up while a request with them was lost on its way, and arrived.
        """
        for stream, numbers in self.server.accepted.items():
            kept = [number for number in numbers if not self._is_given_up(number)]
            assert kept == sorted(kept), f"{stream} is out of order: {kept}"

    def _is_given_up(self, number: int) -> bool:
        """Whether it was dropped, or left to the next process at an end."""
        outcome = self.records[number].outcome
        return outcome is not None and outcome.kind in (DROPPED, SPOOLED)

    def check_end(self) -> None:
        """What must hold when everything has settled."""
        self._collect()
        self.check_order()
        assert self.core.is_idle
        assert all(record.outcome is not None for record in self.records)
        if self.store is not None:
            gone = {each.body for each in self.records if each.outcome and each.outcome.kind != SPOOLED}
            kept = {kept.body for kept in self.store.kept if kept.place not in self.store.acknowledged}
            assert not gone & kept, "what has ended is not kept"
        told = Counter(self.number_of(record) for record in self.told)
        ended = [record.outcome is not None and record.outcome.kind != SPOOLED for record in self.records]
        assert told == Counter(itertools.compress(itertools.count(), ended)), "each outcome is told once"
        stored = {event["n"] for event in self.server.stored.values()}
        for number, record in enumerate(self.records):
            if record.outcome is not None and record.outcome.ok:
                assert number in stored, "what counts as delivered is at the server"

    # What tests ask.

    def outcomes(self, records: Iterable[Record] | None = None) -> Counter[str]:
        """How many records ended how: by kind, with the reason of those not delivered."""
        found: Counter[str] = Counter()
        for record in self.records if records is None else records:
            outcome = record.outcome
            if outcome is None:
                found["pending"] += 1
            else:
                found[outcome.kind if outcome.ok else f"{outcome.kind}: {outcome.reason}"] += 1
        return found

    def noted(self) -> set[str]:
        """The keys of the notes so far."""
        return {note.key for note in self.notes}
