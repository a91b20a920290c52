"""The threaded shell: one coordinator thread drives the core, a few uploader threads talk to the server."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from antinode._delivery.core.batch import Upload
from antinode._delivery.core.core import QUEUE_FULL, Core, CoreConfig, Note
from antinode._delivery.core.patience import SAYS_WHY_AFTER
from antinode._delivery.core.spooled_queue import SPOOL_FULL
from antinode._delivery.ledger import Report, Stats
from antinode._delivery.messages import Transport
from antinode._delivery.record import (
    DROPPED,
    INHERITED,
    NOT_STORED,
    REJECTED,
    Delivery,
    Outcome,
    StoredDelivery,
)
from antinode._delivery.retry import Response
from antinode._delivery.shell.exchange import Exchanger
from antinode._delivery.shell.flights import Flights
from antinode._delivery.shell.locks import is_interrupting, make_guard
from antinode._delivery.shell.log_limiter import write
from antinode._delivery.shell.notifier import Notifier
from antinode._delivery.shell.uploaders import Job, Uploaders
from antinode._delivery.shell.wakeup import Wakeup
from antinode._locks import is_owned, let_go
from antinode._protocol.secrets import public_url
from antinode._protocol.status import Status

if TYPE_CHECKING:
    from antinode._delivery.aio import Gate
    from antinode._delivery.core.envelope import Envelope
    from antinode._delivery.shell.spooler import Spooler

# While somebody waits, this often in seconds it is checked that a coordinator is alive. Also what a shutdown
# may take, beyond its timeout, for its threads to end.
CHECK_EVERY = 0.5

_SHUT_DOWN = Outcome(DROPPED, Status.FAILED, "shutdown", message="logged after the client was shut down")


@dataclass(frozen=True)
class SenderConfig:
    """What a sender needs to know beside the core's own configuration."""

    core: CoreConfig
    envelope: Envelope
    url: str = field(repr=False)  # its query may be a secret
    bulk_url: str = field(repr=False)
    """Where uploads go that the core marks as bulk: another URL only if the endpoint is chosen by traffic."""
    make_transport: Callable[[], Transport]
    name: str = "antinode"
    headers: Mapping[str, str] = field(default_factory=dict)
    request_timeout: float = 10.0
    overflow: str = "drop_oldest"
    on_retry: Callable[[Response, int, bool], object] | None = None
    on_outcome: Callable[[Delivery], object] | None = None
    spooler: Spooler | None = None
    """Who keeps the records on disk, if they are kept there."""
    is_strict: bool = False
    """Whether logging waits until the record survives a power cut."""
    on_failures: Callable[[Sequence[Delivery]], object] | None = None
    """Called with the records that were rejected or dropped, before they are told of."""
    on_start: Callable[[], object] = lambda: None
    """Called before the coordinator is started, in each process that logs."""


class Barrier:
    """Somebody who waits until the epochs up to `index` have settled and been told of.

    `is_patient`: with no timeout, so that delivery itself must say when waiting makes no sense any more.
    """

    __slots__ = ("_opener", "has_given_up", "index", "is_open", "is_patient", "says_why_at", "since")

    def __init__(self, index: int, opener: Callable[[], None], since: float, *, is_patient: bool) -> None:
        self.index = index
        self.since = since
        self.is_patient = is_patient
        self.is_open = False
        self.has_given_up = False
        self.says_why_at: float | None = since + SAYS_WHY_AFTER
        self._opener = opener

    def open(self) -> None:
        """Let whoever waits go on; on any thread, and more than once."""
        if not self.is_open:
            self.is_open = True
            with suppress(RuntimeError):
                self._opener()


class Sender:
    """Delivers records with threads of its own.

    Who may touch what:
    - `_guard` (inside the core) protects the backlog's end and the ledger. Logging takes nothing else. It is
      re-entrant, so that a destructor or a signal handler that logs in the middle of logging gets through.
    - `_deciding` protects the rest of the core. It is held while something is decided, never while anything
      is sent or the application is called back; `flush`, `stats` and a full queue take it briefly.
    - `_stepping` makes one thread at a time the one that decides, starts uploads and tells: the coordinator,
      or, where no thread can be started, whoever waits. An uploader that has got an answer decides what goes
      next itself, if nobody else is at it, and leaves the rest to the coordinator. Only the thread that steps
      touches `_flights` and `_wakes_at`.
    - `_starting` is held by the thread that starts a coordinator; nobody waits for it.
    - The replies of `_flights` and the notifier's news are deques: threads append, the one that steps takes.
    - `wakeup` is for every thread.
    Locks are taken in the order `_stepping`, `_deciding`, `_guard`.

    A signal handler may raise between any two steps of the main thread, also between taking a lock and the
    block that gives it back. Logging puts right what was left, in `_recover`.

    A thread that holds one of these locks and is interrupted, by a signal handler, a destructor or a callback
    of the application, must not wait for what other threads would need that lock for: `_cannot_wait` tells.

    There are two races. Between going to sleep and ringing: `_sleep` looks again after it has said at which
    backlog length it wants to be woken. Between logging and the end: `_is_stopped` comes with an armed
    wake-up, so that a record which got in too late rings, and `_deal_with_latecomers` settles it.
    """

    # Compiled code finds `_is_closed` where it lies.
    __slots__ = ("__dict__", "__weakref__", "_is_closed")

    def __init__(
        self, config: SenderConfig, *, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self.config = config
        self._clock = clock
        self._random = random
        self._is_closed = False
        self._is_stopped = False
        self._is_torn = False
        """Whether an exception may have left the ledger torn."""
        self._close_by: float | None = None
        """Until when the coordinator delivers before it closes, after a `shutdown` that could not wait."""
        self._exit_by: float | None = None
        """Until when events logged during the exit are still delivered, once the exit has begun."""
        self._spooler = config.spooler
        self.submit = self._submit
        if self._spooler is not None:
            self._spooler.take_ends = self._take_ends
            self.submit = self._submit_durably if config.is_strict else self._submit_stored
        """Take a record for delivery. Does not block, unless the queue is full and `overflow` is "block", or
        records are synced to disk one by one."""
        self.has_store = self._spooler is not None
        self.make_record: type[Delivery] = Delivery if self._spooler is None else StoredDelivery
        self._renew()

    def _renew(self) -> None:
        self._guard = make_guard()
        self._deciding = threading.RLock()
        self._starting = threading.RLock()
        self._core = Core(self.config.core, random=self._random, guard=self._guard, store=self._spooler)
        self._core.settlement.keeps_all = self.config.on_outcome is not None
        self._core.settlement.keeps_failures = self.config.on_failures is not None
        self._failed: deque[Delivery] = deque()
        self._notifier = Notifier(self.config.on_outcome, self.config.on_retry, self._clock)
        config = self.config
        self.wakeup = Wakeup()
        self._exchanger = Exchanger(
            config.make_transport,
            lambda upload: config.bulk_url if upload.is_bulk else config.url,
            config.envelope,
            headers=config.headers,
            clock=self._clock,
        )
        self._barriers: list[Barrier] = []
        self._room_wanted: deque[threading.Lock] = deque()
        self._wakes_at: float | None = None
        """When the coordinator goes on if nobody rings."""
        self._thread: threading.Thread | None = None
        self._has_started = False
        self._flights = Flights(
            self._exchanger,
            lambda: Uploaders(config.core.connections, config.name, self._take_next),
            timeout=config.request_timeout,
            clock=self._clock,
        )
        self._equip()

    def _equip(self) -> None:
        """Make what threads block on. Done again before the first of them starts.

        gevent may have patched the process after `init`; a lock from before would stop every greenlet.
        """
        self._stepping = threading.RLock()
        self.wakeup.make_bell()
        self._exchanger.make_lock()
        self._flights.make_uploaders()

    def renew_after_fork(self) -> None:
        """In a forked child: begin with nothing. What was pending is the parent's to deliver."""
        # Kept until the end: what their destructors log must find a sender that is renewed already.
        inherited = dict(vars(self))
        with suppress(Exception):
            self._exchanger.abandon()
        for record in self._core.pending_records():
            if record.outcome is None:
                record.outcome = INHERITED
        self._close_by = self._exit_by = None
        self._is_stopped = self._is_closed
        if self._spooler is not None:
            self._spooler.renew_after_fork()
        self._renew()
        inherited.clear()

    # Logging threads.

    def open_store(self) -> None:
        """Open the store on disk, and begin to deliver what dead processes left there."""
        spooler, core = self._spooler, self._core
        if spooler is None:
            return
        with self._stepping:
            spooler.open()
            if core.spooled is not None:
                core.spooled.find()
        if spooler.has_unread or spooler.notes:
            self._ring()

    def _submit_stored(self, record: Delivery) -> None:
        try:
            self._submit(record)
            spooled = self._core.spooled
            if spooled is not None and spooled.failure is not None:
                # In an outage nobody else would wake whoever mends the store.
                self._ring()
        except BaseException:
            self._recover()
            raise

    def _submit_durably(self, record: Delivery) -> None:
        self._submit_stored(record)
        if record.place != NOT_STORED and self._spooler is not None:
            # Whoever holds what other threads need must not wait for them.
            self._spooler.wait_durable(record.place, alone=self._is_inside())

    def _submit(self, record: Delivery) -> None:
        try:
            core = self._core
            if self._is_closed:
                self.refuse(record, _SHUT_DOWN, "an event was logged after the client was shut down: dropped")
            elif not core.admit(record):
                self._overflow(record)
            elif len(core.queued) >= self.wakeup.threshold:
                self._ring()
        except BaseException:
            self._recover()
            raise

    def refuse(self, record: Delivery, outcome: Outcome, note: str | None = None) -> None:
        """Settle a record that is not going to be sent, and have the coordinator tell about it."""
        try:
            self._refuse(record, outcome, note)
        except BaseException:
            self._recover()
            raise

    def _refuse(self, record: Delivery, outcome: Outcome, note: str | None) -> None:
        notifier = self._notifier
        is_heard = notifier.wants_all or self.config.on_failures is not None
        self._core.settlement.refuse(record, outcome, is_kept=is_heard)
        if note is not None:
            notifier.add(notes=(Note("WARNING", outcome.reason, note),))
        if note is not None or is_heard:
            self._ring()

    def skip(self, record: Delivery, outcome: Outcome) -> None:
        """Settle a record that was never meant to be sent."""
        try:
            self._core.settlement.skip(record, outcome)
        except BaseException:
            self._recover()
            raise

    def say(self, level: str, key: str, text: str) -> None:
        """Have the coordinator log a line, rate-limited by `key`."""
        self._notifier.add(notes=(Note(level, key, text),))
        self._ring()

    def _recover(self) -> None:
        """Put right what an exception left half done in what the application called, on its thread.

        Where that interrupted this thread's own work, what is torn may be that work's, and the locks are its:
        then whoever decides next sees to the ledger.
        """
        self._is_torn = True
        if is_interrupting():
            return
        self._notifier.recover()
        let_go((self._guard, self._deciding, self._starting, self._stepping))
        if self._spooler is not None:
            self._spooler.recover()
        with self._deciding:
            self._mend()
        # Whoever was interrupted before the bell has logged all the same.
        self.wakeup.arm()
        self._ring()

    def _mend(self) -> None:
        """Put the ledger right, under `_deciding`."""
        if self._is_torn:
            self._core.mend()
            self._is_torn = False

    def _overflow(self, record: Delivery) -> None:
        try:
            self._make_way(record)
        except BaseException:
            self._recover()
            raise

    def _make_way(self, record: Delivery) -> None:
        policy = self.config.overflow
        # A signal handler or destructor that interrupted the core's own work must not wait for it.
        if policy == "drop_newest" or self._is_inside():
            self._drop_newest(record)
        elif policy == "block":
            self._wait_for_room(record)
        else:
            with self._deciding:
                try:
                    admitted = self._core.make_room(len(record.body)) and self._core.admit(record)
                except BaseException:
                    # Before anybody else can hear of half of it.
                    self._core.mend()
                    raise
            if not admitted:
                self._drop_newest(record)
            self.say("WARNING", "queue_full", "the queue is full: the oldest events are dropped")

    def _drop_newest(self, record: Delivery) -> None:
        spooled = self._core.spooled
        if spooled is not None and spooled.is_full:
            self.refuse(record, SPOOL_FULL, "the spool is full: new events are dropped")
        else:
            self.refuse(record, QUEUE_FULL, "the queue is full: new events are dropped")

    def _wait_for_room(self, record: Delivery) -> None:
        if len(record.body) > self.config.core.max_bytes or self._cannot_wait():
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
            if self._ensure_thread():
                room.acquire(timeout=CHECK_EVERY)
            else:
                self._drive(partial(room.acquire, blocking=False), self._clock() + CHECK_EVERY)
        self.refuse(record, _SHUT_DOWN)

    def _is_inside(self) -> bool:
        if not (is_owned(self._deciding) or is_owned(self._guard)):
            return False
        if not is_interrupting():
            # An exception has left them to nobody.
            self._recover()
            return False
        return True

    def _cannot_wait(self) -> bool:
        """Whether this thread is needed for what it would wait for."""
        return (
            self._is_inside()
            or self._notifier.is_this_thread
            or is_owned(self._stepping)
            or is_owned(self._starting)
            or self._flights.uploaders.owns(threading.current_thread())
        )

    def _ring(self) -> None:
        if self._is_stopped:
            self._deal_with_latecomers()
            return
        # Before the bell: whoever it wakes arms the wake-up anew.
        self.wakeup.disarm()
        try:
            thread = self._thread
            if thread is None or not thread.is_alive():
                self._ensure_thread()
            self.wakeup.ring()
        except BaseException:
            # Ctrl-C may have come before the bell: the next record rings too.
            self.wakeup.arm()
            self.wakeup.ring()
            raise
        self._stay_alert()

    def _stay_alert(self) -> None:
        """After the end each record rings, even if another thread was ringing when the end came."""
        if self._is_stopped:
            self.wakeup.arm()

    def _ensure_thread(self) -> bool:
        """Have a living coordinator, or somebody who starts one; False where no thread can be started."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            return True
        if self._is_stopped:
            return False
        if is_owned(self._starting) or not self._starting.acquire(blocking=False):
            return True
        try:
            thread = self._thread
            return (thread is not None and thread.is_alive()) or self._start_thread()
        finally:
            self._starting.release()

    def _start_thread(self) -> bool:
        if not self._has_started:
            self._has_started = True
            self._equip()
        try:
            self.config.on_start()
        except Exception:
            write(logging.ERROR, "preparing for the end of this process failed", exc_info=True)
        thread = threading.Thread(target=self._run, name=f"{self.config.name}-coordinator", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except Exception:
            self._thread = None
            self.wakeup.arm()
            return False
        return True

    # The coordinator.

    def _run(self) -> None:
        this = threading.current_thread()
        try:
            while self._thread is this and not self._is_stopped:
                self._go_round()
        finally:
            if self._thread is this:
                self._thread = None
                self.wakeup.arm()
                if self._is_stopped:
                    self._notifier.tell()
                else:
                    # Something ended this thread from outside. Whoever waits must not wait for ever.
                    self._ensure_thread()

    def _go_round(self) -> None:
        try:
            wake_at = self._step()
            close_by = self._close_by
            if close_by is not None:
                if self._core.is_idle or self._clock() >= close_by:
                    self._close_now(None)
                    return
                wake_at = close_by if wake_at is None else min(wake_at, close_by)
            self._sleep(wake_at)
        except Exception:
            write(logging.ERROR, "antinode's coordinator failed and goes on; please report it", exc_info=True)
            # Not at once: what failed may fail again.
            self.wakeup.wait(CHECK_EVERY)

    def _step(self, *, until: float | None = None, inline: bool = False) -> float | None:
        """Decide, then act: apply answers, start uploads, tell what settled. Returns when to go on, if known.

        `inline` makes the uploads on this thread, none of them for longer than `until`.
        """
        with self._stepping:
            now = self._clock()
            with self._deciding:
                uploads, complete, wake_at = self._decide(now)
            for job in [self._flights.job(upload, now, until if inline else None) for upload in uploads]:
                if inline or not self._flights.uploaders.run(job):
                    job.run()
                    self._ring()
            self._bury()
            if self._spooler is not None:
                wake_at = self._tend(self._spooler, now, wake_at)
            self._notifier.tell()
            self._let_through(complete)
            lost_at = self._flights.next_loss
            if lost_at is not None:
                wake_at = lost_at if wake_at is None else min(wake_at, lost_at)
            self._wakes_at = wake_at
            return wake_at

    def _decide(self, now: float) -> tuple[list[Upload], list[Barrier], float | None]:
        """Apply the answers that came. What to send now, whom to let through, and when to decide again."""
        core = self._core
        self._mend()
        for reply in self._flights.take_replies(now):
            try:
                core.respond(reply.number, reply.verdict, now, took=reply.seconds, size=reply.size)
            except Exception:
                # The next reply is another upload's.
                self._is_torn = True
                write(logging.ERROR, "applying an answer failed; please report it", exc_info=True)
        may_send = not self._is_stopped or self._exit_by is not None
        uploads = core.next_uploads(now) if may_send else []
        self._hear(core)
        # Only these: what they cover is settled, and is told of below. What stays in the store until the user
        # has mended the configuration is not waited for.
        is_hopeless = self._is_hopeless(now)
        complete = [each for each in self._barriers if is_hopeless or self._is_settled(each.index)]
        times = [core.wake_at(now)]
        for barrier in self._barriers:
            if barrier not in complete:
                times.append(self._look_after(barrier, now))
                if barrier.has_given_up:
                    complete.append(barrier)
        return uploads, complete, min((time for time in times if time is not None), default=None)

    def _is_hopeless(self, now: float) -> bool:
        """Whether what is left stays in the store until the user has mended the configuration."""
        return self._core.spooled is not None and self._core.is_stuck(now)

    def _look_after(self, barrier: Barrier, now: float) -> float | None:
        """Tell what a barrier waits for, or let it give up; returns when to look at it again, if ever."""
        if barrier.has_given_up:
            return None
        core = self._core
        pending = core.ledger.pending_until(barrier.index)
        what = f"{pending} event{'s' if pending != 1 else ''}" if pending else "what other processes left"
        ends = core.ends_wait(barrier.since) if barrier.is_patient else None
        if ends is not None and ends <= now:
            barrier.has_given_up = True
            text = (
                f"flush() stopped waiting for {what}, still pending and tried again while this process runs"
                f" ({core.waits_for or 'no answer'}); give flush() a timeout to wait longer"
            )
            self._notifier.add(notes=(Note("WARNING", "flush_patience", text),))
            return None
        if barrier.says_why_at is not None and barrier.says_why_at <= now:
            barrier.says_why_at = None
            level, reason = ("WARNING", core.waits_for) if core.waits_for else ("INFO", "being sent")
            text = f"still waiting for {what} after {now - barrier.since:.0f} s; {reason}"
            self._notifier.add(notes=(Note(level, "flush_waits", text),))
        return min((time for time in (ends, barrier.says_why_at) if time is not None), default=None)

    def _take_next(self) -> Job | None:
        """On an uploader thread, after its answer: what goes next, if anything, for this thread to make.

        Through the coordinator it would take two changes of threads more, of milliseconds each while other
        threads keep the interpreter busy.
        """
        job, is_all = None, False
        try:
            if not self._is_stopped and self._stepping.acquire(blocking=False):
                try:
                    job, is_all = self._start_next()
                finally:
                    self._stepping.release()
        finally:
            if not is_all:
                self._ring()
        return job

    def _start_next(self) -> tuple[Job | None, bool]:
        """Decide, and start uploads but for the first. That one, and whether nothing is left to do."""
        core, now = self._core, self._clock()
        with self._deciding:
            if self._is_stopped:
                return None, False
            uploads, complete, wake_at = self._decide(now)
            ring_at = core.ring_at()
            self.wakeup.arm(ring_at)
        jobs = [self._flights.job(upload, now) for upload in uploads]
        for job in jobs[:1]:
            self._flights.uploaders.keep(job)
        for job in jobs[1:]:
            self._flights.uploaders.run(job)
        thread, wakes_at = self._thread, self._wakes_at
        needs_coordinator = (
            complete
            or self._failed
            or self._room_wanted
            or self._flights.has_replies
            or self._notifier.has_news
            or self._spooler is not None
            or self._close_by is not None
            or len(core.queued) >= ring_at
            or (wake_at is not None and (wakes_at is None or wake_at < wakes_at))
            or thread is None
            or not thread.is_alive()
        )
        return next(iter(jobs), None), not needs_coordinator

    def _hear(self, core: Core) -> None:
        """Collect what is to be told, and what is to be buried before that."""
        settled = core.settlement.take_settled()
        if self.config.on_failures is not None:
            self._failed.extend(
                record for record in settled if record.outcome and record.outcome.kind in (REJECTED, DROPPED)
            )
        self._notifier.add(settled, core.take_notes(), core.take_retried())

    def _bury(self) -> None:
        """Hand over what failed, before the store hears that it ended: a crash in between loses nothing."""
        on_failures = self.config.on_failures
        if on_failures is None or not self._failed:
            return
        failed: list[Delivery] = []
        with suppress(IndexError):  # at the end another thread may be at it too
            while True:
                failed.append(self._failed.popleft())
        try:
            on_failures(failed)
        except Exception:
            write(logging.ERROR, "keeping dead letters failed", exc_info=True)

    def _take_ends(self) -> list[tuple[str, list[int]]]:
        """What the store may forget: by then, those that failed are buried."""
        with self._deciding:
            ended = self._core.settlement.take_ended()
            self._hear(self._core)
        self._bury()
        return ended

    def _tend(self, spooler: Spooler, now: float, wake_at: float | None) -> float | None:
        core = self._core
        had_left = bool(self._barriers) and spooler.has_left
        again_at = spooler.tend(core, now, self._deciding)
        if had_left and not spooler.has_left:
            again_at = now  # for those who waited for nothing else
        notes, spooler.notes = spooler.notes, []
        with self._deciding:
            self._hear(core)
        self._bury()
        self._notifier.add(notes=notes)
        if core.spooled is not None and core.spooled.is_behind:
            with self._deciding:
                wake_at = core.wake_at(now)
        return again_at if wake_at is None else min(wake_at, again_at)

    def _sleep(self, wake_at: float | None) -> None:
        core = self._core
        with self._deciding:
            if self._is_stopped:
                return
            ring_at = core.ring_at()
            self.wakeup.arm(ring_at)
        if (
            len(core.queued) >= ring_at
            or self._flights.has_replies
            or self._notifier.has_news
            or self._is_stopped
        ):
            return
        self.wakeup.wait(None if wake_at is None else wake_at - self._clock())

    def _let_through(self, barriers: list[Barrier]) -> None:
        """Open these barriers, and wake those who wait for room."""
        if barriers:
            with self._deciding:
                self._barriers = [each for each in self._barriers if each not in barriers]
            for barrier in barriers:
                barrier.open()
        while self._room_wanted:
            with suppress(IndexError, RuntimeError):
                self._room_wanted.popleft().release()

    # Those who wait.

    def flush(self, timeout: float | None = None) -> Report:
        """Block until everything logged before has settled, or `timeout` seconds are over.

        Without a timeout, until it has settled or the link has failed for the patience of a flush.

        Called from a callback, a transport, or a signal handler that interrupted this object's own work, it
        does not wait: what it would wait for needs the calling thread.
        """
        if self._cannot_wait():
            return self._flush_without_waiting()
        barrier = self._wait(timeout)
        return self._lower(barrier)

    def _flush_without_waiting(self) -> Report:
        is_inside = self._is_inside()
        if not is_inside:
            report = self._lower(self._raise(lambda: None))
        self.say("WARNING", "flush", "flush() was called where it cannot wait, in a callback or the like")
        return Report(pending=self._core.ledger.pending) if is_inside else report

    def _wait(self, timeout: float | None) -> Barrier:
        gate = threading.Lock()
        gate.acquire()
        deadline = None if timeout is None else self._clock() + max(0.0, timeout)
        barrier = self._raise(gate.release, is_patient=timeout is None)
        try:
            while not barrier.is_open:
                if not self._ensure_thread():
                    self._drive(lambda: barrier.is_open, deadline)
                left = CHECK_EVERY if deadline is None else min(CHECK_EVERY, deadline - self._clock())
                if gate.acquire(timeout=max(0.0, left)) or left <= 0:
                    break
        except BaseException:
            self._withdraw(barrier)
            raise
        return barrier

    def _drive(self, is_over: Callable[[], bool], deadline: float | None) -> None:
        """Do the coordinator's work on this thread: where none can be started, as at interpreter exit."""
        # A day: whoever steps meanwhile sees to everything.
        patience = 86_400.0 if deadline is None else min(86_400.0, max(0.0, deadline - self._clock()))
        if not self._stepping.acquire(timeout=patience):
            return
        try:
            while not is_over():
                if deadline is not None and self._clock() >= deadline:
                    return
                wake_at = self._step(until=deadline, inline=True)
                if not (self._flights.has_replies or self._notifier.has_news or is_over()):
                    now = self._clock()
                    end = min(time for time in (wake_at, deadline, now + CHECK_EVERY) if time is not None)
                    self.wakeup.wait(max(0.001, end - now))
        finally:
            self._stepping.release()

    async def aflush(self, timeout: float | None = None) -> Report:
        """`flush` without blocking the event loop."""
        if self._cannot_wait():
            return self._flush_without_waiting()
        barrier, _ = await self._wait_async(timeout)
        return self._lower(barrier)

    async def _wait_async(self, timeout: float | None) -> tuple[Barrier, Gate]:
        from antinode._delivery.aio import new_gate, wait_for  # noqa: PLC0415 - loads asyncio

        gate = new_gate()
        barrier = self._raise(gate.open, is_patient=timeout is None)

        def check() -> None:
            if not self._ensure_thread():
                self._drive(lambda: barrier.is_open, self._clock() + CHECK_EVERY)

        try:
            if not barrier.is_open:
                await wait_for(gate, timeout, check=check, every=CHECK_EVERY)
        except BaseException:
            self._withdraw(barrier)
            raise
        return barrier, gate

    def _raise(self, opener: Callable[[], None], *, is_patient: bool = False) -> Barrier:
        """A barrier for everything logged so far; it is open if there is nothing to wait for."""
        with self._deciding:
            now = self._clock()
            index = self._core.flush(now)
            barrier = Barrier(index, opener, now, is_patient=is_patient)
            if self._is_settled(index) and not self._notifier.is_busy:
                barrier.is_open = True
                return barrier
            self._barriers.append(barrier)
        self._ring()
        return barrier

    def _is_settled(self, index: int) -> bool:
        """Whether the epochs up to `index` have, and with them whatever dead processes have left."""
        is_left = self._spooler is not None and not self._is_stopped and self._spooler.has_left
        return not is_left and not self._core.ledger.pending_until(index)

    def _lower(self, barrier: Barrier) -> Report:
        self._withdraw(barrier)
        with self._deciding, self._guard:
            return self._core.ledger.report(barrier.index)

    def _withdraw(self, barrier: Barrier) -> None:
        with self._deciding:
            if barrier in self._barriers:
                self._barriers.remove(barrier)
            self._core.stop_waiting(max((each.index for each in self._barriers), default=None))

    # The end.

    def shutdown(self, timeout: float) -> Report:
        """Send what is queued within `timeout` seconds, settle the rest as dropped, and end all threads.

        Where `flush` does not wait, this does not either: it refuses new events from now on, and the
        coordinator sees to the rest.
        """
        self._is_closed = True
        if self._cannot_wait():
            return self._shutdown_without_waiting(timeout)
        return self._close_now(self._wait(timeout))

    async def ashutdown(self, timeout: float) -> Report:
        """`shutdown` without blocking the event loop."""
        self._is_closed = True
        if self._cannot_wait():
            return self._shutdown_without_waiting(timeout)
        barrier, gate = await self._wait_async(timeout)
        try:
            # Threads are waited for there, and callbacks called.
            return await gate.in_thread(partial(self._close_now, barrier))
        except RuntimeError:
            return self._close_now(barrier)

    def finish(self, seconds: float) -> Report:
        """Do what `shutdown` does, for the process exits; but see to events that are logged even later.

        Other exit handlers may log. Their events are sent at once, on the thread that logs them, for as long
        as there is time left of `seconds`. Ctrl-C ends the time, and is raised again when all is settled.
        """
        if self._cannot_wait():
            return self._shutdown_without_waiting(seconds)
        try:
            return self._finish_by(self._clock() + seconds)
        except KeyboardInterrupt:
            self._recover()
            self._exit_by = self._clock()
            self._close_now(None)
            raise

    def _finish_by(self, exit_by: float) -> Report:
        self._exit_by = exit_by
        while True:
            barrier = self._wait(max(0.0, exit_by - self._clock()))
            report = self._close(barrier, unless_busy_until=exit_by)
            if report is not None:
                return report
            # Other threads have logged meanwhile.
            self._withdraw(barrier)

    def _shutdown_without_waiting(self, timeout: float) -> Report:
        if self._close_by is None:
            self._close_by = self._clock() + timeout
        self.say("WARNING", "shutdown", "shutdown() was called where it cannot wait; it goes on elsewhere")
        return Report(pending=self._core.ledger.pending)

    def _close_now(self, barrier: Barrier | None) -> Report:
        report = self._close(barrier, unless_busy_until=None)
        assert report is not None  # noqa: S101 - it is None only where there was time left
        return report

    def _close(self, barrier: Barrier | None, *, unless_busy_until: float | None) -> Report | None:
        """End all threads, and settle what is left. None, with nothing done, while it can be delivered."""
        if self._spooler is not None:
            self._spooler.make_last_room(self._core, self._deciding)
        # The guard too: a record that another thread lets in just now is either seen here, or rings later.
        with self._deciding, self._guard:
            now = self._clock()
            is_over = unless_busy_until is None or now >= unless_busy_until or self._is_hopeless(now)
            if not (is_over or self._core.is_idle):
                return None
            self._is_stopped = True
            self.wakeup.arm()
            self._give_up_rest()
            waiting, self._barriers = self._barriers, []
            report = Report() if barrier is None else self._lower(barrier)
        self._flights.uploaders.stop()
        self.wakeup.ring()
        thread, end = self._thread, self._clock() + CHECK_EVERY
        # Before the coordinator is waited for: it may have more to tell than there is time to wait.
        self._notifier.tell_last(CHECK_EVERY)
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, end - self._clock()))
        self._notifier.tell()
        self._notifier.sum_up()
        self._let_through(waiting)
        self._close_transport(in_flight=bool(self._flights))
        self._flights.uploaders.join(max(0.0, end - self._clock()))
        self._close_store()
        return report

    def _close_store(self) -> None:
        self._bury()
        if self._spooler is not None:
            try:
                self._spooler.close(self._core)
            except Exception:
                write(logging.ERROR, "closing the spool failed", exc_info=True)
            notes, self._spooler.notes = self._spooler.notes, []
            self._notifier.add(notes=notes)
            self._notifier.tell()

    def _give_up_rest(self) -> None:
        core = self._core
        fault = core.link.why if core.link.is_faulted else ""
        self.wakeup.arm()
        lost = core.abandon(
            "shutdown", f"not delivered before the shutdown timeout was over; {fault}".rstrip("; ")
        )
        if lost:
            last = core.ledger.last_error or "no request has failed"
            text = f"{lost} events were not delivered before shutdown (last: {last})"
            self._notifier.add(notes=(Note("WARNING", "abandoned", text),))
        spooled = core.ledger.spooled
        if spooled:
            text = f"{spooled} events stay in the spool, for the next process to deliver"
            self._notifier.add(notes=(Note("INFO", "spooled", text),))
        self._hear(core)

    def _deal_with_latecomers(self) -> None:
        """After the end: deliver at exit, else settle, what got in all the same, and tell what there is."""
        if self._cannot_wait():
            # In the middle of this very work, which goes on with the latecomer.
            return
        core, exit_by = self._core, self._exit_by
        while True:
            if exit_by is not None and not core.is_idle and self._clock() < exit_by:
                with self._deciding:
                    core.hurry(self._clock())
                self._drive(lambda: core.is_idle, exit_by)
                self._close_transport(in_flight=False)
            with self._deciding, self._guard:
                if core.is_idle:
                    self._hear(core)
                else:
                    # What comes even later is stored too, where there is a spool.
                    self._is_closed = self._is_closed or exit_by is None or self._spooler is None
                    self._give_up_rest()
            self._close_store()
            self._notifier.tell()
            if core.is_idle:
                return

    def _close_transport(self, *, in_flight: bool) -> None:
        try:
            self._exchanger.close(cancels=in_flight)
        except Exception:
            write(logging.ERROR, "closing the transport raised", exc_info=True)

    def stats(self) -> Stats:
        """The ledger at this instant."""
        # Against the order of locks, if a signal handler that interrupted logging asks: no waiting then.
        if not self._deciding.acquire(blocking=not is_owned(self._guard)):
            return self._ledger_alone()
        try:
            return self._core.stats(self._clock())
        finally:
            self._deciding.release()

    def _ledger_alone(self) -> Stats:
        """The ledger without the state of delivery: everything pending counts as queued."""
        ledger = self._core.ledger
        return Stats(
            accepted=ledger.accepted,
            delivered=ledger.delivered,
            rejected=dict(ledger.rejected),
            dropped=dict(ledger.dropped),
            skipped=dict(ledger.skipped),
            queued=ledger.pending,
            pending_bytes=ledger.pending_bytes,
            requests=ledger.requests,
            retries=ledger.retries,
            bytes_sent=ledger.bytes_sent,
            discrepancies=ledger.discrepancies,
            last_error=ledger.last_error,
            recovered=ledger.recovered,
            spooled=ledger.spooled,
            on_disk=ledger.on_disk,
        )

    def hurry(self) -> None:
        """Send what waits without delay: the end is near, but nobody waits yet."""
        with self._deciding:
            if self._core.is_idle:
                return
            self._core.hurry(self._clock())
        self._ring()

    def stop_lingering(self) -> None:
        """Send without delay from now on, until this process ends."""
        with self._deciding:
            self._core.stop_lingering(self._clock())
        self._ring()

    @property
    def host(self) -> str:
        """Where uploads go, without path and credentials."""
        return public_url(self.config.url).partition("://")[2].partition("/")[0]

    @property
    def is_closed(self) -> bool:
        """Whether it has been shut down, to the end."""
        return self._is_stopped
