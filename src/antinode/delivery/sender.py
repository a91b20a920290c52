"""The threaded shell: one coordinator thread drives the core, a few uploader threads talk to the server."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from antinode.delivery.backlog import ids_of
from antinode.delivery.batch import Upload
from antinode.delivery.core import QUEUE_FULL, Core, CoreConfig, Note, Retried
from antinode.delivery.ledger import Report, Stats
from antinode.delivery.messages import Request, Transport, TransportTimeout
from antinode.delivery.notices import Notices, log
from antinode.delivery.record import DELIVERED, DROPPED, Delivery, Outcome, notify
from antinode.delivery.retry import Response
from antinode.delivery.uploaders import Job, Uploaders
from antinode.protocol.responses import Verdict, judge, unreached
from antinode.protocol.status import Status

if TYPE_CHECKING:
    from antinode.delivery.envelope import Envelope

# How long past a request's own timeout its thread may stay silent before it is given up for lost.
GRACE = 5.0
# While somebody waits, this often in seconds it is checked that a coordinator is alive.
CHECK_EVERY = 0.5

_SHUT_DOWN = Outcome(DROPPED, Status.FAILED, "shutdown", message="logged after the client was shut down")
_INHERITED = Outcome(
    DROPPED,
    Status.UNKNOWN,
    "forked",
    message="logged before the fork: the parent process delivers it, not this one",
)


@dataclass(frozen=True)
class SenderConfig:
    """What a sender needs to know beside the core's own configuration."""

    core: CoreConfig
    envelope: Envelope
    url: str
    bulk_url: str
    """Where uploads go that the core marks as bulk; the same as `url` unless the endpoint is chosen by traffic."""
    make_transport: Callable[[], Transport]
    name: str = "antinode"
    headers: Mapping[str, str] = field(default_factory=dict)
    request_timeout: float = 10.0
    overflow: str = "drop_oldest"
    on_retry: Callable[[Response, int, bool], object] | None = None
    on_outcome: Callable[[Delivery], object] | None = None
    on_start: Callable[[], object] = lambda: None
    """Called before the coordinator is started, in each process that logs."""


def _is_owned(lock: object) -> bool:
    """Whether the calling thread holds this RLock: Python's and gevent's both tell, under this name."""
    return bool(lock._is_owned())  # type: ignore[attr-defined]


class Barrier:
    """Somebody who waits until the epochs up to `index` have settled; `open` may run on any thread."""

    __slots__ = ("index", "open")

    def __init__(self, index: int, opener: Callable[[], None]) -> None:
        self.index = index
        self.open = opener


class Sender:
    """Delivers records with threads of its own.

    Who may touch what:
    - `_guard` (inside the core) protects the backlog's end and the books. Logging takes nothing else. It is
      re-entrant, so that a destructor or a signal handler that logs in the middle of logging gets through.
    - `_deciding` protects the rest of the core. The coordinator holds it while it decides, never while it
      sends or calls the application back; `flush`, `stats` and a full queue take it briefly.
    - `_inbox`, `_refused` and `_said` are deques: threads append, the coordinator takes.
    - `_bell` wakes the coordinator: a lock that is held while nobody rings. Releasing it twice is an error
      that means it is already ringing. Unlike an Event or a Condition it has no lock of its own inside, in
      which a signal handler could get stuck.
    The one race is between going to sleep and ringing; `_sleep` resolves it by looking again after it has
    said at which backlog length it wants to be woken.
    """

    def __init__(
        self, config: SenderConfig, *, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self.config = config
        self._clock = clock
        self._random = random
        self._renew()

    def _renew(self) -> None:
        self._guard = threading.RLock()
        self._deciding = threading.RLock()
        self._starting = threading.Lock()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._core = Core(self.config.core, random=self._random, guard=self._guard)
        self._core.books.keeps_all = self.config.on_outcome is not None
        self._transport: Transport | None = None
        self._uploaders = Uploaders(self.config.core.connections, self.config.name)
        self._inbox: deque[tuple[int, Verdict, int]] = deque()
        self._refused: deque[Delivery] = deque()
        self._said: deque[Note] = deque()
        self._barriers: list[Barrier] = []
        self._room_wanted: deque[threading.Lock] = deque()
        self._overdue: dict[int, tuple[float, Job]] = {}
        self._notices = Notices(self._clock)
        self._thread: threading.Thread | None = None
        self._is_telling = False
        self._is_closed = False
        self._is_stopped = False

    def renew_after_fork(self) -> None:
        """In a forked child: begin with nothing. What was pending is the parent's to deliver."""
        core, transport = self._core, self._transport
        abandon = getattr(transport, "abandon", None)
        if abandon is not None:
            abandon()
        for record in core.pending_records():
            if record.outcome is None:
                record.outcome = _INHERITED
        was_closed = self._is_closed
        self._renew()
        self._is_closed = was_closed

    # Logging threads.

    def submit(self, record: Delivery) -> None:
        """Take a record for delivery. Does not block, unless the queue is full and `overflow` is "block"."""
        core = self._core
        if self._is_closed:
            self.refuse(record, _SHUT_DOWN)
            return
        if not core.admit(record):
            self._overflow(record)
        elif len(core.queued) >= core.ring_at:
            self._ring()

    def refuse(self, record: Delivery, outcome: Outcome, note: str | None = None) -> None:
        """Settle a record that is not going to be sent, and have the coordinator tell about it."""
        self._core.books.refuse(record, outcome)
        if note is not None:
            self._said.append(Note("WARNING", outcome.reason, note))
        if self._core.books.keeps_all:
            self._refused.append(record)
        if note is not None or self._core.books.keeps_all:
            self._ring()

    def skip(self, record: Delivery, outcome: Outcome) -> None:
        """Settle a record that was never meant to be sent."""
        self._core.books.skip(record, outcome)

    def say(self, level: str, key: str, text: str) -> None:
        """Have the coordinator log a line, rate-limited by `key`."""
        self._said.append(Note(level, key, text))
        self._ring()

    def _overflow(self, record: Delivery) -> None:
        policy = self.config.overflow
        # A signal handler or destructor that interrupted the core's own work must not wait for it.
        if policy == "drop_newest" or self._is_inside():
            self._drop_newest(record)
        elif policy == "block":
            self._wait_for_room(record)
        else:
            with self._deciding:
                admitted = self._core.make_room(len(record.body)) and self._core.admit(record)
            if not admitted:
                self._drop_newest(record)
            self._said.append(
                Note("WARNING", "queue_full", "the queue is full: the oldest events are dropped")
            )
            self._ring()

    def _drop_newest(self, record: Delivery) -> None:
        self.refuse(record, QUEUE_FULL, "the queue is full: new events are dropped")

    def _wait_for_room(self, record: Delivery) -> None:
        if len(record.body) > self.config.core.max_bytes or threading.current_thread() is self._thread:
            self._drop_newest(record)
            return
        while not self._is_closed:
            room = threading.Lock()
            room.acquire()
            self._room_wanted.append(room)
            if self._core.admit(record):
                self._ring()
                return
            self._ring()
            room.acquire(timeout=CHECK_EVERY)
        self.refuse(record, _SHUT_DOWN)

    def _is_inside(self) -> bool:
        return _is_owned(self._deciding) or _is_owned(self._guard)

    def _ring(self) -> None:
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._ensure_thread()
        try:
            self._bell.release()
        except RuntimeError:
            # It rings already.
            return

    def _ensure_thread(self) -> bool:
        """Have a living coordinator, unless the interpreter is exiting; True if there is one."""
        if self._is_stopped or not self._starting.acquire(blocking=False):
            return self._thread is not None and self._thread.is_alive()
        try:
            thread = self._thread
            if thread is not None and thread.is_alive():
                return True
            self.config.on_start()
            thread = threading.Thread(target=self._run, name=f"{self.config.name}-coordinator", daemon=True)
            self._thread = thread
            try:
                thread.start()
            except RuntimeError:
                self._thread = None
                self._core.ring_at = 1
                return False
            return True
        finally:
            self._starting.release()

    # The coordinator.

    def _run(self) -> None:
        try:
            while not self._is_stopped:
                wake_at = self._step()
                self._sleep(wake_at)
        except Exception:
            log.exception("antinode's coordinator thread failed; it is replaced and nothing is lost")
        finally:
            # Whatever ended this thread, the next event starts another; so does whoever waits in `flush`.
            self._core.ring_at = 1
            if self._thread is threading.current_thread():
                self._thread = None

    def _step(self, *, inline: bool = False) -> float | None:
        """Decide, then act: apply answers, start uploads, tell what settled. Returns when to go on, if known."""
        core = self._core
        now = self._clock()
        with self._deciding:
            while self._inbox:
                number, verdict, size = self._inbox.popleft()
                self._overdue.pop(number, None)
                core.ledger.bytes_sent += size
                core.respond(number, verdict, now)
            self._give_up_lost(now)
            uploads = [] if self._is_stopped else core.next_uploads(now)
            settled, notes, retried = core.books.take_settled(), core.take_notes(), core.take_retried()
            self._is_telling = bool(settled or notes or retried)
            wake_at = core.wake_at(now)
        for upload in uploads:
            self._start(upload, now, inline=inline)
        self._tell(settled, notes, retried)
        self._is_telling = False
        self._let_through()
        if self._overdue:
            first = min(deadline for deadline, _ in self._overdue.values())
            wake_at = first if wake_at is None else min(wake_at, first)
        return wake_at

    def _give_up_lost(self, now: float) -> None:
        lost = [number for number, (deadline, _) in self._overdue.items() if now >= deadline]
        for number in lost:
            _, job = self._overdue.pop(number)
            self._uploaders.give_up(job)
            verdict = unreached(Status.TIMEOUT, "the thread that made the request was lost")
            self._core.respond(number, verdict, now)

    def _sleep(self, wake_at: float | None) -> None:
        core = self._core
        with self._deciding:
            ring_at = core.set_ring()
        if len(core.queued) >= ring_at or self._inbox or self._said or self._refused or self._is_stopped:
            return
        timeout = -1.0 if wake_at is None else wake_at - self._clock()
        if wake_at is None or timeout > 0:
            # A day at most: a longer timeout overflows on some platforms.
            self._bell.acquire(timeout=min(timeout, 86_400.0))

    def _start(self, upload: Upload, now: float, *, inline: bool) -> None:
        job = Job(lambda: self._upload(upload))
        self._overdue[upload.number] = (now + self.config.request_timeout + GRACE, job)
        if inline or not self._uploaders.run(job):
            job.run()

    def _upload(self, upload: Upload) -> None:
        """Make one request and post what came of it; runs on an uploader thread."""
        records = upload.records
        verdict = unreached(Status.SYSTEM_ERROR, "the thread that made the request was ended")
        size = 0
        try:
            body = self.config.envelope.wrap(records)
            size = len(body)
            url = self.config.bulk_url if upload.is_bulk else self.config.url
            request = Request(url, body, self.config.headers, self.config.request_timeout)
            response = self.transport.send(request)
            verdict = judge(
                response.status, response.headers, response.body, len(records), lambda i: ids_of(records[i])
            )
        except TransportTimeout as error:
            verdict = unreached(Status.TIMEOUT, str(error))
        except Exception as error:
            verdict = unreached(Status.SYSTEM_ERROR, f"{type(error).__name__}: {error}")
        finally:
            self._inbox.append((upload.number, verdict, size))
            self._ring()

    @property
    def transport(self) -> Transport:
        transport = self._transport
        if transport is None:
            with self._starting:
                transport = self._transport
                if transport is None:
                    transport = self._transport = self.config.make_transport()
        return transport

    def _tell(self, settled: list[Delivery], notes: list[Note], retried: list[Retried]) -> None:
        """Call the application back and log: outside all locks, whatever it raises."""
        while self._said:
            notes.append(self._said.popleft())
        while self._refused:
            settled.append(self._refused.popleft())
        for note in notes:
            self._notices.say(*note)
        on_retry = self.config.on_retry
        if on_retry is not None:
            for again in retried:
                try:
                    on_retry(again.response, again.attempt, again.is_last)
                except Exception:
                    log.exception("on_retry raised; delivery goes on")
        on_outcome = self.config.on_outcome
        for record in settled:
            if on_outcome is not None:
                try:
                    on_outcome(record)
                except Exception:
                    log.exception("on_outcome raised; the event's outcome is not affected")
            notify(record)
            outcome = record.outcome
            if outcome is not None and outcome.kind == DELIVERED:
                record.body = b""

    def _let_through(self) -> None:
        """Open the barriers whose events have settled and been told of; wake those who wait for room."""
        if self._barriers:
            with self._deciding:
                ledger = self._core.ledger
                done = [barrier for barrier in self._barriers if not ledger.pending_until(barrier.index)]
                self._barriers = [
                    barrier for barrier in self._barriers if ledger.pending_until(barrier.index)
                ]
            for barrier in done:
                barrier.open()
        while self._room_wanted:
            try:
                self._room_wanted.popleft().release()
            except (IndexError, RuntimeError):
                continue

    # Those who wait.

    def flush(self, timeout: float | None = None) -> Report:
        """Block until everything logged before has settled, or `timeout` seconds are over."""
        gate = threading.Lock()
        gate.acquire()
        barrier = self._raise_barrier(gate.release)
        if barrier.index >= 0:
            deadline = None if timeout is None else self._clock() + max(0.0, timeout)
            if threading.current_thread() is self._thread:
                self._said.append(
                    Note("WARNING", "flush", "flush() was called from a callback: it cannot wait there")
                )
            else:
                self._await_gate(gate, deadline)
        return self._lower_barrier(barrier)

    def _await_gate(self, gate: threading.Lock, deadline: float | None) -> None:
        while True:
            left = CHECK_EVERY if deadline is None else min(CHECK_EVERY, deadline - self._clock())
            if left <= 0 and gate.acquire(blocking=False):
                return
            if left <= 0:
                return
            if _is_owned(self._deciding) or not self._ensure_thread():
                # At interpreter exit no thread can be started any more, so this one does the work.
                self._drive(gate, deadline)
                return
            if gate.acquire(timeout=left):
                return

    def _drive(self, gate: threading.Lock, deadline: float | None) -> None:
        while not gate.acquire(blocking=False):
            now = self._clock()
            if deadline is not None and now >= deadline:
                return
            wake_at = self._step(inline=True)
            if self._inbox or self._core.is_idle:
                self._let_through()
                continue
            end = min(time for time in (wake_at, deadline, now + CHECK_EVERY) if time is not None)
            self._bell.acquire(timeout=max(0.001, end - self._clock()))

    async def aflush(self, timeout: float | None = None) -> Report:
        """`flush` without blocking the event loop."""
        from antinode.delivery.waiting import new_future, wait_for, waker  # noqa: PLC0415 - loads asyncio

        future = new_future()
        barrier = self._raise_barrier(waker(future))
        if barrier.index >= 0:
            await wait_for(future, timeout, check=self._ensure_thread, every=CHECK_EVERY)
        return self._lower_barrier(barrier)

    def _raise_barrier(self, opener: Callable[[], None]) -> Barrier:
        """A barrier for everything logged so far; its index is negative if there is nothing to wait for."""
        with self._deciding:
            index = self._core.flush(self._clock())
            is_done = not self._core.ledger.pending_until(index)
            if is_done and not (self._is_telling or self._refused or self._said):
                return Barrier(-1 - index, opener)
            barrier = Barrier(index, opener)
            self._barriers.append(barrier)
        self._ring()
        return barrier

    def _lower_barrier(self, barrier: Barrier) -> Report:
        index = barrier.index if barrier.index >= 0 else -1 - barrier.index
        with self._deciding:
            if barrier in self._barriers:
                self._barriers.remove(barrier)
            self._core.stop_waiting(max((each.index for each in self._barriers), default=None))
            with self._guard:
                return self._core.ledger.report(index)

    def shutdown(self, timeout: float) -> Report:
        """Send what is queued within `timeout` seconds, settle the rest as dropped, and end all threads."""
        already = self._is_closed
        self._is_closed = True
        report = self.flush(0 if already else timeout)
        return self._close(report)

    async def ashutdown(self, timeout: float) -> Report:
        """`shutdown` without blocking the event loop."""
        already = self._is_closed
        self._is_closed = True
        report = await self.aflush(0 if already else timeout)
        return self._close(report)

    def _close(self, report: Report) -> Report:
        with self._deciding:
            core = self._core
            fault = core.link.why if core.link.is_faulted else ""
            lost = core.abandon(
                "shutdown", f"not delivered before the shutdown timeout was over; {fault}".rstrip("; ")
            )
            if lost:
                last = core.ledger.last_error or "no request has failed"
                self._said.append(
                    Note(
                        "WARNING",
                        "shutdown",
                        f"{lost} events were not delivered before shutdown (last: {last})",
                    )
                )
            self._is_stopped = True
            settled, notes, retried = core.books.take_settled(), core.take_notes(), core.take_retried()
        self._tell(settled, notes, retried)
        self._notices.sum_up()
        self._let_through()
        self._uploaders.stop()
        self._stop_coordinator()
        self._close_transport(in_flight=bool(self._overdue))
        if lost:
            report = Report(report.delivered, report.rejected, report.dropped + report.pending, 0)
        return report

    def _stop_coordinator(self) -> None:
        thread = self._thread
        with suppress(RuntimeError):
            self._bell.release()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=CHECK_EVERY)

    def _close_transport(self, *, in_flight: bool) -> None:
        transport = self._transport
        if transport is None:
            return
        try:
            if in_flight:
                cancel = getattr(transport, "cancel_all", None)
                if cancel is not None:
                    cancel()
            transport.close()
        except Exception:
            log.exception("closing the transport raised")

    def stats(self) -> Stats:
        """The books at this instant."""
        with self._deciding:
            return self._core.stats(self._clock())

    def hurry(self) -> None:
        """Send what waits without delay: the end is near, but nobody waits yet."""
        with self._deciding:
            self._core.hurry(self._clock())
        self._ring()

    @property
    def host(self) -> str:
        """Where uploads go, without path and credentials."""
        return self.config.url.split("://", 1)[-1].split("/", 1)[0].rsplit("@", 1)[-1]

    @property
    def is_closed(self) -> bool:
        return self._is_closed
