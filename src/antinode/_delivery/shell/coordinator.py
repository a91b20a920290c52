"""The coordinator: the thread that drives the core, started with the first event and replaced if it dies."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from antinode._delivery.core.response_handler import Note
from antinode._delivery.shell.flights import Flights
from antinode._delivery.shell.log_limiter import write
from antinode._delivery.shell.threads import make_thread
from antinode._delivery.shell.uploaders import Job, Uploaders
from antinode._locks import is_owned

if TYPE_CHECKING:
    from antinode._delivery.core.batch import Upload
    from antinode._delivery.shell.barriers import Barrier
    from antinode._delivery.shell.config import SenderConfig
    from antinode._delivery.shell.keeper import Keeper
    from antinode._delivery.shell.works import Works

# While somebody waits, whether a coordinator is alive is checked this often. A shutdown also takes this long
# at most, beyond its timeout, for its threads to end.
CHECK_EVERY_SECONDS = 0.5
_LONGEST_DRIVE_SECONDS = 86_400.0
# An uploader that has an answer waits so long for the thread that decides just then: a few hand-overs of the
# interpreter's lock. By way of the coordinator there would be one more.
_TURN_SECONDS = 0.05


def earliest(*times: float | None) -> float | None:
    """The first of the times that are known."""
    return min((time for time in times if time is not None), default=None)


class Coordinator:
    """Decides, then acts: applies answers, starts uploads, has told what settled. `Locks` says who may when.

    Only the thread that steps touches what is under way and `_wakes_at`. Between going to sleep and ringing
    there is a race: `_sleep` looks again after it has armed the wake-up.
    """

    def __init__(
        self,
        works: Works,
        config: SenderConfig,
        *,
        close: Callable[[], object],
        settle_latecomers: Callable[[], object],
    ) -> None:
        """`close` ends the sender when its time has come; `settle_latecomers` sees to what comes later."""
        self._works = works
        self._core = works.core
        self._locks = works.locks
        self._lifetime = works.lifetime
        self._wakeup = works.wakeup
        self._notifier = works.notifier
        self._clock = works.clock
        self._name = config.name
        self._on_start = config.on_start
        self._close = close
        self._settle_latecomers = settle_latecomers
        self.flights = Flights(
            works.exchanger,
            lambda: Uploaders(config.core.connections, config.name, self._take_next),
            timeout=config.request_timeout,
            asks_for=0.0 if config.may_log is None else config.request_timeout,
            clock=works.clock,
            # What the end has settled as not delivered is not sent afterwards.
            is_awaited=works.core.awaits,
        )
        self._wakes_at: float | None = None
        """When the coordinator wakes up if nobody rings."""
        self._has_started = False
        self._has_told_of_patch = False
        self.thread: threading.Thread | None = None

    # For every thread.

    def ring(self) -> None:
        """Wake the coordinator; after the end, do on this thread what there is to do."""
        if self._lifetime.is_stopped:
            self._settle_latecomers()
            return
        # Before the bell rings, since whoever it wakes arms the wake-up anew.
        self._wakeup.disarm()
        try:
            thread = self.thread
            if thread is None or not thread.is_alive():
                self.ensure_thread()
            self._wakeup.ring()
        except MemoryError:
            # The next record rings.
            self._wakeup.arm()
            return
        except BaseException:
            # Ctrl-C may have come before the bell: the next record rings too.
            self._wakeup.arm()
            self._wakeup.ring()
            raise
        self._stay_armed()

    def _stay_armed(self) -> None:
        """Have each record ring after the end, even if this thread was ringing when the end came."""
        if self._lifetime.is_stopped:
            self._wakeup.arm()

    def say(self, level: str, key: str, text: str) -> None:
        """Have a line logged, rate-limited by `key`; none if memory is lacking."""
        with suppress(MemoryError):
            self._notifier.add(notes=(Note(level, key, text),))
        self.ring()

    @property
    def needs_this_thread(self) -> bool:
        """Whether the calling thread must not wait for the coordinator, whose work it is doing itself."""
        return (
            self._works.recovery.is_inside()
            or self._notifier.is_this_thread
            or self._locks.is_working
            or self.flights.uploaders.owns(threading.current_thread())
        )

    def ensure_thread(self) -> bool:
        """Have a living coordinator, or somebody who starts one; False where no thread can be started."""
        thread = self.thread
        if thread is not None and thread.is_alive():
            return True
        if self._lifetime.is_stopped:
            return False
        starting = self._locks.starting
        if is_owned(starting) or not starting.acquire(blocking=False):
            return True
        try:
            thread = self.thread
            return (thread is not None and thread.is_alive()) or self._start_thread()
        finally:
            starting.release()

    def _start_thread(self) -> bool:
        if not self._has_started:
            self._has_started = True
            self._equip()
        try:
            self._on_start()
        except Exception:
            write(logging.ERROR, "preparing for the end of this process failed", exc_info=True)
        thread = make_thread(self._run, f"{self._name}-coordinator")
        self.thread = thread
        try:
            thread.start()
        except Exception:
            self.thread = None
            self._wakeup.arm()
            return False
        return True

    def _equip(self) -> None:
        """Make anew what threads block on, before the first of them starts.

        gevent may have patched the process after `init`; a lock from before would stop every greenlet.
        """
        self._locks.make_stepping()
        self._wakeup.make_bell()
        self._works.exchanger.make_lock()
        self.flights.make_uploaders()

    def drive(self, is_over: Callable[[], bool], deadline: float | None) -> None:
        """Do the coordinator's work on this thread: where none can be started, as at interpreter exit."""
        # Another thread that steps meanwhile does everything.
        patience = _LONGEST_DRIVE_SECONDS
        if deadline is not None:
            patience = min(patience, max(0.0, deadline - self._clock()))
        if not self._locks.stepping.acquire(timeout=patience):
            return
        try:
            while not is_over():
                if deadline is not None and self._clock() >= deadline:
                    return
                wake_at = self._step(until=deadline, inline=True)
                if not (self.flights.has_replies or self._notifier.has_news or is_over()):
                    now = self._clock()
                    end = earliest(wake_at, deadline, now + CHECK_EVERY_SECONDS)
                    self._wakeup.wait(max(0.001, (end or now) - now))
        finally:
            self._locks.stepping.release()

    # The thread.

    def _run(self) -> None:
        this = threading.current_thread()
        try:
            while self.thread is this and not self._lifetime.is_stopped:
                self._look_for_patch(this)
                self._go_round()
        finally:
            if self.thread is this:
                self.thread = None
                self._wakeup.arm()
                if self._lifetime.is_stopped:
                    self._notifier.tell()
                else:
                    # Something ended this thread from outside, and nobody must wait for ever.
                    self.ensure_thread()

    def _look_for_patch(self, this: threading.Thread) -> None:
        """Log that gevent has patched the process since this thread began, which shows in its number."""
        if threading.get_ident() != this.ident and not self._has_told_of_patch:
            self._has_told_of_patch = True
            text = (
                "gevent has patched this process after antinode's first event, whose threads stay the "
                "system's and may get stuck in gevent; call gevent.monkey.patch_all() before anything is "
                "logged, best before any import"
            )
            self._notifier.add(notes=(Note("WARNING", "patched", text),))

    def _go_round(self) -> None:
        try:
            wake_at = self._step()
            close_by = self._lifetime.close_by
            if close_by is not None:
                if self._core.is_idle or self._clock() >= close_by:
                    self._close()
                    return
                wake_at = earliest(wake_at, close_by)
            self._sleep(wake_at)
        except Exception:
            write(logging.ERROR, "the coordinator failed and goes on; please report it", exc_info=True)
            # Not at once: what failed may fail again.
            self._wakeup.wait(CHECK_EVERY_SECONDS)

    def _step(self, *, until: float | None = None, inline: bool = False) -> float | None:
        """Decide and act. Returns when to go on, if that is known.

        `inline` makes the uploads on this thread, none of them for longer than `until`.
        """
        with self._locks.stepping:
            now, is_late = self._clock(), self._is_late()
            with self._locks.deciding:
                uploads, complete, wake_at = self._decide(now, is_late=is_late)
            for job in [self.flights.job(upload, now, until if inline else None) for upload in uploads]:
                if inline or not self.flights.uploaders.run(job):
                    job.run()
                    self.ring()
            self._works.collector.bury()
            if self._works.keeper is not None:
                wake_at = self._tend(self._works.keeper, now, wake_at)
            self._notifier.tell()
            self._works.barriers.open(complete)
            self._works.room.look(self._core.room)
            self._wakes_at = earliest(wake_at, self.flights.next_loss)
            return self._wakes_at

    def _is_late(self) -> bool:
        """Whether an upload waits for this process. It asks of sockets: not under a lock of others."""
        awaited = self.flights.awaited
        return awaited > 0 and self._works.exchanger.is_late(awaited)

    def _decide(self, now: float, *, is_late: bool) -> tuple[list[Upload], list[Barrier], float | None]:
        """Apply the answers that came. Returns uploads to start, barriers to open, and when to go on."""
        core = self._core
        self._works.recovery.mend()
        core.settle_unmade()
        for reply in self.flights.take_replies(now):
            try:
                core.respond(
                    reply.number,
                    reply.verdict,
                    now,
                    took=reply.seconds,
                    size=reply.size,
                    withheld=reply.withheld,
                )
            except Exception:
                # The next reply is that of another upload.
                self._works.recovery.is_torn = True
                write(logging.ERROR, "applying an answer failed; please report it", exc_info=True)
        uploads = core.next_uploads(now, is_late=is_late) if self._lifetime.may_send else []
        self._works.collector.collect()
        # These and no later ones: what they cover has settled, and is told of below.
        complete, look_at = self._works.barriers.look_after(now)
        return uploads, complete, earliest(core.wake_at(now), look_at)

    def _tend(self, keeper: Keeper, now: float, wake_at: float | None) -> float | None:
        """Do what is due for the store. Returns when to go on."""
        core, deciding = self._core, self._locks.deciding
        had_left = bool(self._works.barriers) and keeper.has_left
        again_at = keeper.tend(core, now, deciding)
        if had_left and not keeper.has_left:
            again_at = now  # some may have waited for nothing else
        notes, keeper.notes = keeper.notes, []
        with deciding:
            self._works.collector.collect()
        self._works.collector.bury()
        self._notifier.add(notes=notes)
        if core.is_behind:
            with deciding:
                wake_at = core.wake_at(now)
        return earliest(wake_at, again_at)

    def _sleep(self, wake_at: float | None) -> None:
        with self._locks.deciding:
            if self._lifetime.is_stopped:
                return
            is_called = self._arm()
        has_work = self.flights.has_replies or self._notifier.has_news
        if is_called or has_work or self._lifetime.is_stopped:
            return
        self._wakeup.wait(None if wake_at is None else wake_at - self._clock())

    def _arm(self) -> bool:
        """Arm the wake-up, under `deciding`. Returns whether the queue has reached the threshold already."""
        threshold = self._core.ring_at()
        self._wakeup.arm(threshold)
        return len(self._core.queued) >= threshold

    # On the uploaders' threads.

    def _take_next(self) -> Job | None:
        """The upload, if any, that this thread makes after the one that was just answered.

        By way of the coordinator it would take two more changes of threads, of milliseconds each while other
        threads keep the interpreter busy.
        """
        job, is_all = None, False
        stepping = self._locks.stepping
        try:
            if not self._lifetime.is_stopped and stepping.acquire(timeout=_TURN_SECONDS):
                try:
                    job, is_all = self._start_next()
                finally:
                    stepping.release()
        finally:
            if not is_all:
                self.ring()
        return job

    def _start_next(self) -> tuple[Job | None, bool]:
        """Decide, and start all uploads but the first. Returns that one, and whether all is done."""
        now, is_late = self._clock(), self._is_late()
        with self._locks.deciding:
            if self._lifetime.is_stopped:
                return None, False
            uploads, complete, wake_at = self._decide(now, is_late=is_late)
            is_called = self._arm()
        jobs = [self.flights.job(upload, now) for upload in uploads]
        for job in jobs[:1]:
            self.flights.uploaders.keep(job)
        for job in jobs[1:]:
            self.flights.uploaders.run(job)
        is_left = complete or is_called or self._has_work_for_coordinator(wake_at)
        return next(iter(jobs), None), not is_left

    def _has_work_for_coordinator(self, wake_at: float | None) -> bool:
        works, thread, wakes_at = self._works, self.thread, self._wakes_at
        return bool(
            works.collector.has_failed
            or works.room
            or self.flights.has_replies
            or self._notifier.has_news
            or works.keeper is not None
            or self._lifetime.close_by is not None
            or (wake_at is not None and (wakes_at is None or wake_at < wakes_at))
            or thread is None
            or not thread.is_alive()
        )

    def open_store(self) -> None:
        """Open the store, and begin to deliver what others have left or will leave there."""
        keeper, spooled = self._works.keeper, self._core.spooled
        if keeper is None:
            return
        with self._locks.stepping:
            keeper.open()
            if spooled is not None:
                spooled.find()
        # Even if nothing is there yet: nobody else looks for processes that die while this client is idle.
        self.ring()
