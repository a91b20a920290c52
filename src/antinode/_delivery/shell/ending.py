"""The end of a sender: what is queued is sent within its time, the rest is settled, and all threads end."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING

from antinode._delivery.core.response_handler import Note
from antinode._delivery.ledger import Report
from antinode._delivery.shell.coordinator import CHECK_EVERY_SECONDS, Coordinator
from antinode._delivery.shell.log_limiter import write
from antinode._delivery.shell.reserve import RESERVE
from antinode._protocol.words import agreeing, counted

if TYPE_CHECKING:
    from antinode._delivery.shell.barriers import Barrier
    from antinode._delivery.shell.waiters import Waiters
    from antinode._delivery.shell.works import Works


class Ending:
    """Shutdown, and the exit of the process.

    There is a race between logging and the end: `is_stopped` comes with an armed wake-up, so that a record
    which got in too late rings, and `settle_latecomers` settles it.
    """

    def __init__(self, works: Works, coordinator: Coordinator, waiters: Waiters) -> None:
        self._works = works
        self._core = works.core
        self._locks = works.locks
        self._lifetime = works.lifetime
        self._notifier = works.notifier
        self._keeper = works.keeper
        self._clock = works.clock
        self._coordinator = coordinator
        self._waiters = waiters
        RESERVE.hold()

    def shutdown(self, timeout: float) -> Report:
        """Send what is queued within `timeout` seconds, settle the rest as dropped, and end all threads.

        Where `flush` does not wait, this does not either: it refuses new events from now on, and the
        coordinator sees to the rest.
        """
        RESERVE.give_back()
        try:
            self._lifetime.is_closed = True
            if self._coordinator.needs_this_thread:
                return self._shutdown_without_waiting(timeout)
            return self.close_now(self._waiters.wait(timeout))
        finally:
            RESERVE.hold()

    async def ashutdown(self, timeout: float) -> Report:
        """`shutdown` without blocking the event loop."""
        RESERVE.give_back()
        try:
            self._lifetime.is_closed = True
            if self._coordinator.needs_this_thread:
                return self._shutdown_without_waiting(timeout)
            barrier, gate = await self._waiters.wait_async(timeout)
            try:
                # On a thread, since this waits for threads and calls callbacks.
                return await gate.in_thread(partial(self.close_now, barrier))
            except RuntimeError:
                return self.close_now(barrier)
        finally:
            RESERVE.hold()

    def _shutdown_without_waiting(self, timeout: float) -> Report:
        if self._lifetime.close_by is None:
            self._lifetime.close_by = self._clock() + timeout
        text = "shutdown() was called where it cannot wait; it goes on elsewhere"
        self._coordinator.say("WARNING", "shutdown", text)
        return Report(pending=self._core.ledger.pending)

    def finish(self, seconds: float) -> Report:
        """Do what `shutdown` does, since the process exits, and deliver events that are logged even later.

        Other exit handlers may log. Their events are sent at once, on the thread that logs them, for as long
        as there is time left of `seconds`. Ctrl-C ends the time, and is raised again when all is settled.
        """
        RESERVE.give_back()
        try:
            if self._coordinator.needs_this_thread:
                return self._shutdown_without_waiting(seconds)
            return self._finish_by(self._clock() + seconds)
        except KeyboardInterrupt:
            self._works.recovery.recover()
            self._lifetime.exit_by = self._clock()
            self.close_now(None)
            raise
        finally:
            RESERVE.hold()

    def _finish_by(self, exit_by: float) -> Report:
        self._lifetime.exit_by = exit_by
        while True:
            barrier = self._waiters.wait(max(0.0, exit_by - self._clock()))
            report = self._close(barrier, unless_busy_until=exit_by)
            if report is not None:
                return report
            # Other threads have logged meanwhile.
            self._works.barriers.take_down(barrier)

    def close_now(self, barrier: Barrier | None = None) -> Report:
        """End all threads, and settle what is left. Reports on what the barrier covers."""
        report = self._close(barrier, unless_busy_until=None)
        assert report is not None  # noqa: S101 - it is None only where there was time left
        return report

    def _close(self, barrier: Barrier | None, *, unless_busy_until: float | None) -> Report | None:
        """Do what `close_now` does; None, and nothing is done, while what is left can still be delivered."""
        core, barriers = self._core, self._works.barriers
        if self._keeper is not None:
            self._keeper.make_last_room(core, self._locks.deciding)
        # Under the guard, too: a record that another thread admits now is either seen here, or rings later.
        with self._locks.deciding, self._locks.guard:
            now = self._clock()
            is_over = unless_busy_until is None or now >= unless_busy_until or core.is_hopeless(now)
            if not (is_over or core.is_idle):
                return None
            self._lifetime.is_stopped = True
            self._give_up_rest()
            waiting = barriers.take_down_all()
            report = Report() if barrier is None else barriers.report(barrier)
        flights = self._coordinator.flights
        flights.uploaders.stop()
        self._works.wakeup.ring()
        thread, end = self._coordinator.thread, self._clock() + CHECK_EVERY_SECONDS
        # Before waiting for the coordinator, which may have more to tell than there is time to wait.
        self._notifier.tell_last(CHECK_EVERY_SECONDS)
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, end - self._clock()))
        self._notifier.tell()
        self._notifier.sum_up()
        barriers.open(waiting)
        self._works.room.wake()
        self._close_transport(cancels=bool(flights))
        flights.uploaders.join(max(0.0, end - self._clock()))
        self._close_store()
        return report

    def _give_up_rest(self) -> None:
        """Settle what is pending, and have each later record ring; under `deciding` and the guard."""
        core = self._core
        self._works.wakeup.arm()
        fault = core.link.why if core.link.is_refused else ""
        lost = core.abandon(
            "shutdown", f"not delivered before the shutdown timeout was over; {fault}".rstrip("; ")
        )
        if lost:
            last = core.ledger.last_error or "no request has failed"
            events = f"{counted(lost, 'event')} {agreeing(lost, 'was', 'were')}"
            text = f"{events} not delivered before shutdown (last: {last})"
            self._notifier.add(notes=(Note("WARNING", "abandoned", text),))
        spooled = core.ledger.spooled
        if spooled:
            events = f"{counted(spooled, 'event')} {agreeing(spooled, 'stays', 'stay')}"
            text = f"{events} in {core.kept_in}, for the next process to deliver"
            self._notifier.add(notes=(Note("INFO", "spooled", text),))
        self._works.collector.collect()

    def settle_latecomers(self) -> None:
        """After the end, deliver what got in all the same, at exit, or else settle it; tell the news."""
        if self._coordinator.needs_this_thread:
            # This very work was interrupted, and goes on with the latecomer.
            return
        core, lifetime = self._core, self._lifetime
        exit_by = lifetime.exit_by
        while True:
            if exit_by is not None and not core.is_idle and self._clock() < exit_by:
                with self._locks.deciding:
                    core.hurry(self._clock())
                self._coordinator.drive(lambda: core.is_idle, exit_by)
                self._close_transport(cancels=False)
            with self._locks.deciding, self._locks.guard:
                if core.is_idle:
                    self._works.collector.collect()
                else:
                    # With a spool, what is logged even later is stored, too.
                    lifetime.is_closed = lifetime.is_closed or exit_by is None or self._keeper is None
                    self._give_up_rest()
            self._close_store()
            self._notifier.tell()
            if core.is_idle:
                return

    def _close_transport(self, *, cancels: bool) -> None:
        try:
            self._works.exchanger.close(cancels=cancels)
        except Exception:
            write(logging.ERROR, "closing the transport raised", exc_info=True)

    def _close_store(self) -> None:
        self._works.collector.bury()
        if self._keeper is not None:
            try:
                self._keeper.close(self._core)
            except Exception:
                write(logging.ERROR, "closing the spool failed", exc_info=True)
            notes, self._keeper.notes = self._keeper.notes, []
            self._notifier.add(notes=notes)
            self._notifier.tell()
