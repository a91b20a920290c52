"""Simulated time for the delivery core: a shell that drives it as the threaded one does, and a model server.

The server keeps the API's real rules, as far as delivery depends on them, and can be told to misbehave. Its
answers go through `protocol.responses.judge`, so that the core meets what it would meet in earnest.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from antinode._delivery.core.backlog import SCAN_RECORDS, ids_of
from antinode._delivery.core.batch import Upload
from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import QUEUE_FULL, Core
from antinode._delivery.core.response_handler import Note, Retried
from antinode._delivery.outcome import DROPPED, SPOOLED, Outcome
from antinode._delivery.record import NOT_STORED, Record, SpooledRecord
from antinode._protocol.limits import (
    DAILY_QUOTA,
    HTTP_V2_BODY_LIMIT_BYTES,
    MAX_EVENTS_PER_REQUEST,
    RATE_WINDOW_SECONDS,
)
from antinode._protocol.responses import Action, Verdict, judge, unreached
from antinode._protocol.status import Status

HTML = b"<html>\n<head><title>400 Bad Request</title></head>\n</html>\n"
# An envelope's bytes beside the events, as the model server counts them.
ENVELOPE = 100
NOTHING = {"user_id": None, "device_id": None, "insert_id": None, "kind": "good"}


@dataclass
class Answer:
    """What the server says to one request, and when."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    lost: Status | None = None
    """The client sees no answer but this failure."""
    latency: float | None = None
    """Seconds until the client sees it; None: the server's usual."""


def saying(status: int, error: str = "", headers: Mapping[str, str] | None = None, /, **more: Any) -> Answer:
    """An answer in the API's own form."""
    body = {"code": status, "error": error or f"error {status}", **more}
    return Answer(status, json.dumps(body).encode(), headers or {})


Misbehaviour = Callable[["Server", list[dict[str, Any]], float], Answer]


def _plain(answer: Answer) -> Misbehaviour:
    return lambda server, events, now: answer


def _after_storing(answer: Answer) -> Misbehaviour:
    def behave(server: Server, events: list[dict[str, Any]], now: float) -> Answer:
        ruling = server.rule(events, now)
        return answer if ruling.status == 200 else ruling

    return behave


def _late(server: Server, events: list[dict[str, Any]], now: float) -> Answer:
    """The request is stuck on the way, and arrives after its sender has given it up."""
    server.later.append((now + 11.0, events))
    return Answer(lost=Status.TIMEOUT, latency=10.0)


def _throttling_strangers(server: Server, events: list[dict[str, Any]], now: float) -> Answer:
    return saying(429, "Too many requests for some devices and users", throttled_users={"a stranger": 99})


def _throttling_first(server: Server, events: list[dict[str, Any]], now: float) -> Answer:
    return saying(429, "Too many requests for some devices and users", eps_threshold=30, throttled_events=[0])


def _refusing_first(server: Server, events: list[dict[str, Any]], now: float) -> Answer:
    server.refused.add(events[0]["n"])
    return saying(400, "Invalid field values on some events", events_with_invalid_fields={"time": [0]})


NO_ANSWER = Answer(lost=Status.SYSTEM_ERROR, latency=0.01)
TIMED_OUT = Answer(lost=Status.TIMEOUT, latency=10.0)

# Nothing of these costs an event, however long it lasts.
OUTAGES: dict[str, Misbehaviour] = {
    "down": _plain(NO_ANSWER),
    "drop after": _after_storing(NO_ANSWER),
    "hang": _plain(TIMED_OUT),
    "hang after": _after_storing(TIMED_OUT),
    "late": _late,
    "408": _plain(saying(408)),
    "500": _plain(saying(500)),
    "500 after": _after_storing(saying(500)),
    "502 in HTML": _plain(Answer(502, HTML)),
    "503": _plain(Answer(503)),
    "503 with a wait": _plain(Answer(503, headers={"Retry-After": "20"})),
    "a status of no meaning": _plain(Answer(799, b"?")),
}
THROTTLES: dict[str, Misbehaviour] = {
    "project": _plain(saying(429, "Too many requests")),
    "project with a wait": _plain(saying(429, "Too many requests", {"retry-after": "90"})),
    "project under 200": _plain(Answer(200, b'{"code": 429, "error": "Too many requests"}')),
    "strangers": _throttling_strangers,
    "by position": _throttling_first,
}
# Each of these costs some events, with a reason.
FAULTS: dict[str, Misbehaviour] = {
    "invalid key": _plain(saying(400, "Invalid API key: 0123456789abcdef0123456789abcdef")),
    "missing field": _plain(saying(400, "Request missing required field", missing_field="api_key")),
    "404": _plain(Answer(404, b"<html>404</html>")),
    "redirect": _plain(Answer(307, headers={"Location": "https://elsewhere.invalid/"})),
    "firewall": _plain(saying(403, "Forbidden")),
    "400 in HTML": _plain(Answer(400, HTML)),
    "400 beyond the events": _plain(saying(400, "x", events_with_invalid_fields={"time": [5000]})),
    "413": _plain(saying(413, "Payload too large")),
    "413 in HTML": _plain(Answer(413, b"<html>413 Request Entity Too Large</html>")),
    "refuses the first": _refusing_first,
}
ODDITIES: dict[str, Misbehaviour] = {
    "200 in plain text": _after_storing(Answer(200, b"success")),
    "200 cut short": _after_storing(Answer(200, b'{"code": 200, "even')),
    "200 with a wrong count": _after_storing(Answer(200, b'{"code": 200, "events_ingested": 100000}')),
}
MISBEHAVIOURS = {**OUTAGES, **THROTTLES, **FAULTS, **ODDITIES}


class Server:
    """A model of the ingestion API.

    An event's `kind` says what is wrong with it: "invalid" and "missing" are named by a 400, "short" in the
    id-length map, "silenced" by its device, "poison" makes a firewall refuse the whole body in HTML.
    """

    def __init__(
        self,
        *,
        is_batch_api: bool = False,
        max_events: int = MAX_EVENTS_PER_REQUEST,
        max_body: int = HTTP_V2_BODY_LIMIT_BYTES,
    ) -> None:
        self.is_batch_api = is_batch_api
        self.max_events = max_events
        self.max_body = max_body
        self.latency = 0.05
        self.eps_threshold: float | None = None
        self.window = RATE_WINDOW_SECONDS
        self.over_quota: set[str] = set()
        self.weather: str | Misbehaviour | None = None
        """The misbehaviour of every request, or None."""
        self.accidents: deque[str | Misbehaviour | None] = deque()
        """Misbehaviours of the next requests, one each; they win over the weather."""
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}
        self.accepted: dict[tuple[Any, Any], list[int]] = defaultdict(list)
        """By user and device: the log numbers of events in the order of their first acceptance."""
        self.refused: set[int] = set()
        self.requests: list[float] = []
        self.answers: Counter[int | str] = Counter()
        self.later: list[tuple[float, list[dict[str, Any]]]] = []
        self._counted: dict[tuple[str, str], deque[tuple[float, int]]] = defaultdict(deque)

    def receive(self, events: list[dict[str, Any]], now: float) -> Answer:
        self.arrive_late(now)
        self.requests.append(now)
        name = self.accidents.popleft() if self.accidents else self.weather
        behave = MISBEHAVIOURS[name] if isinstance(name, str) else name
        answer = self.rule(events, now) if behave is None else behave(self, events, now)
        self.answers[answer.status if answer.lost is None else answer.lost.value] += 1
        return answer

    def arrive_late(self, now: float) -> None:
        while self.later and self.later[0][0] <= now:
            time, events = self.later.pop(0)
            self.rule(events, time)

    def rule(self, events: list[dict[str, Any]], now: float) -> Answer:
        """The answer of a well server, which stores the events if it is 200."""
        size = sum(event["size"] + 1 for event in events) + ENVELOPE
        if size > self.max_body or len(events) > self.max_events:
            return saying(413, "Payload too large")
        if any(event["kind"] == "poison" for event in events):
            return Answer(403 if events[0]["n"] % 2 else 400, HTML)
        for kind, error, key, name in (
            ("missing", "Request missing required field", "events_with_missing_fields", "event_type"),
            ("invalid", "Invalid field values on some events", "events_with_invalid_fields", "time"),
            (
                "short",
                "Invalid id length for user_id or device_id",
                "events_with_invalid_id_lengths",
                "user_id",
            ),
        ):
            bad = [position for position, event in enumerate(events) if event["kind"] == kind]
            if bad:
                return saying(400, error, **{key: {name: bad if self.is_batch_api else bad[:1]}})
        silenced = [position for position, event in enumerate(events) if event["kind"] == "silenced"]
        if silenced:
            return saying(400, "Events silenced for device_id", silenced_events=silenced)
        return self._throttle(events, now) or self._store(events, now)

    def _throttle(self, events: list[dict[str, Any]], now: float) -> Answer | None:
        keys = Counter(key for event in events for key in _keys(event))
        over = [value for name, value in keys if name == "user" and value in self.over_quota]
        throttled: dict[str, dict[str, int]] = {"user": {}, "device": {}}
        if self.eps_threshold is not None:
            for (name, value), count in keys.items():
                counted = self._counted[name, value]
                while counted and counted[0][0] <= now - self.window:
                    counted.popleft()
                rate = (sum(number for _, number in counted) + count) / self.window
                if rate > self.eps_threshold:
                    throttled[name][value] = int(rate)
        if not (over or throttled["user"] or throttled["device"]):
            return None
        return saying(
            429,
            "Too many requests for some devices and users",
            eps_threshold=self.eps_threshold,
            throttled_users=throttled["user"],
            throttled_devices=throttled["device"],
            exceeded_daily_quota_users=dict.fromkeys(over, DAILY_QUOTA + 1),
        )

    def _store(self, events: list[dict[str, Any]], now: float) -> Answer:
        for (name, value), count in Counter(key for event in events for key in _keys(event)).items():
            self._counted[name, value].append((now, count))
        for event in events:
            key = (event["device_id"] or event["user_id"], event["insert_id"])
            known = self.stored.setdefault(key, event)
            if known is event:
                self.accepted[event["user_id"], event["device_id"]].append(event["n"])
            assert known == event, "a repeated event is the same event"
        return Answer(200, json.dumps({"code": 200, "events_ingested": len(events)}).encode())


def _keys(event: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, value) for name in ("user", "device") if (value := event[f"{name}_id"]) is not None]


class StoreTrouble(Exception):
    """Why a model store does not take a record."""

    def __init__(self, *, is_full: bool) -> None:
        super().__init__("full" if is_full else "broken")
        self.is_full = is_full


class Kept(NamedTuple):
    """One record in a model store."""

    place: int
    body: bytes
    logged_at: float
    is_own: bool


class ModelStore:
    """A store as the spool is one, but in memory: what it took is there until it is acknowledged."""

    def __init__(self, left: Sequence[tuple[bytes, float]] = ()) -> None:
        self.kept = [Kept(place, body, at, False) for place, (body, at) in enumerate(left)]
        self.acknowledged: dict[int, str] = {}
        self.trouble: str | None = None
        """"full" or "broken", while no record is taken."""
        self.left = len(left)
        """So many places belong to what a dead process left."""
        self._unread = list(self.kept)
        self._given = 0

    def mapped_layout(self) -> None:
        """Has nothing mapped."""

    def append(self, body: bytes, logged_at: float, *, direct: bool) -> int:
        if direct and self.has_unread:
            raise ValueError("older records are unread")
        if self.trouble is not None:
            raise StoreTrouble(is_full=self.trouble == "full")
        kept = Kept(len(self.kept), body, logged_at, True)
        self.kept.append(kept)
        if not direct:
            self._unread.append(kept)
        return kept.place

    @property
    def has_unread(self) -> bool:
        return bool(self._unread)

    def read(self, max_events: int, max_bytes: int) -> list[Kept]:
        del self._unread[: self._given]
        given: list[Kept] = []
        for kept in self._unread[:max_events]:
            max_bytes -= len(kept.body)
            if given and max_bytes < 0:
                break
            given.append(kept)
        self._given = len(given)
        return given

    def lost(self, places: Iterable[int]) -> set[int]:
        return set()

    def leave(self) -> None:
        """What is unread is for the next process."""
        self._unread.clear()
        self._given = 0

    def acknowledge(self, places: Iterable[int], kind: str) -> None:
        for place in places:
            self.acknowledged.setdefault(place, kind)


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
        record = make(body, hash((event.get("user_id"), event.get("device_id"))), self.now)
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
        if self.overflow == "drop_oldest" and core.make_room(len(record.body)) and core.admit(record):
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
            for upload in core.next_uploads(self.now):
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
            assert core.next_uploads(self.now) == [], message

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
