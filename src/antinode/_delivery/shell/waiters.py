"""Waiting until what was logged has settled: blocking a thread, or a task of asyncio."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from antinode._delivery.ledger import Report
from antinode._delivery.shell.coordinator import CHECK_EVERY_SECONDS, Coordinator

if TYPE_CHECKING:
    from antinode._delivery.aio import Awaited
    from antinode._delivery.shell.barriers import Barrier
    from antinode._delivery.shell.works import Works


class Waiters:
    """`flush`, and the waits of a `shutdown`. While somebody waits, a coordinator is kept alive."""

    def __init__(self, works: Works, coordinator: Coordinator) -> None:
        self._works = works
        self._coordinator = coordinator
        self._clock = works.clock

    def flush(self, timeout: float | None) -> Report:
        """Block until everything logged before has settled, or `timeout` seconds are over.

        Without a timeout, until it has settled or the link has failed for the patience of a flush.

        It does not wait in a callback, a transport, or a signal handler that interrupted this sender's own
        work: what it would wait for needs the calling thread.
        """
        if self._coordinator.needs_this_thread:
            return self._flush_without_waiting()
        return self._works.barriers.report(self.wait(timeout))

    def flush_later(self, then: Callable[[], object]) -> None:
        """Have `then` called once `flush` without a timeout would return, on whichever thread that is.

        Does not block, but where no thread can be started: it flushes then.
        """
        if self._works.recovery.is_inside():
            self._flush_without_waiting()
            then()
            return
        barriers = self._works.barriers
        barrier: Barrier

        def opened() -> None:
            barriers.report(barrier)
            then()

        with self._works.locks.deciding:  # nobody opens it before it has its name
            barrier = barriers.put_up(opened, self._clock(), is_patient=True)
        if barrier.is_open:
            opened()
            return
        self._coordinator.ring()
        if not self._coordinator.ensure_thread() and not barrier.is_open:
            barriers.take_down(barrier)
            self.flush(None)
            then()

    async def aflush(self, timeout: float | None) -> Report:
        """`flush` without blocking the event loop."""
        if self._coordinator.needs_this_thread:
            return self._flush_without_waiting()
        barrier, _ = await self.wait_async(timeout)
        return self._works.barriers.report(barrier)

    def _flush_without_waiting(self) -> Report:
        is_inside = self._works.recovery.is_inside()
        if not is_inside:
            report = self._works.barriers.report(self._put_up(lambda: None))
        text = "flush() was called where it cannot wait, in a callback or the like"
        self._coordinator.say("WARNING", "flush", text)
        return Report(pending=self._works.core.ledger.pending) if is_inside else report

    def wait(self, timeout: float | None) -> Barrier:
        """Block until what was logged has settled or the time is over. Returns the barrier, to report on."""
        gate = threading.Lock()
        gate.acquire()
        deadline = None if timeout is None else self._clock() + max(0.0, timeout)
        barrier = self._put_up(gate.release, is_patient=timeout is None)
        try:
            while not barrier.is_open:
                if not self._coordinator.ensure_thread():
                    self._coordinator.drive(lambda: barrier.is_open, deadline)
                left = (
                    CHECK_EVERY_SECONDS
                    if deadline is None
                    else min(CHECK_EVERY_SECONDS, deadline - self._clock())
                )
                if gate.acquire(timeout=max(0.0, left)) or left <= 0:
                    break
        except BaseException:
            self._works.barriers.take_down(barrier)
            raise
        return barrier

    async def wait_async(self, timeout: float | None) -> tuple[Barrier, Awaited]:
        """`wait` without blocking the event loop. Also returns the gate at which the task has waited."""
        from antinode._delivery.aio import new_gate, wait_for  # noqa: PLC0415 - loads asyncio

        gate = new_gate()
        barrier = self._put_up(gate.open, is_patient=timeout is None)

        def check() -> None:
            if not self._coordinator.ensure_thread():
                self._coordinator.drive(lambda: barrier.is_open, self._clock() + CHECK_EVERY_SECONDS)

        try:
            if not barrier.is_open:
                await wait_for(gate, timeout, check=check, every=CHECK_EVERY_SECONDS)
        except BaseException:
            self._works.barriers.take_down(barrier)
            raise
        return barrier, gate

    def _put_up(self, opener: Callable[[], None], *, is_patient: bool = False) -> Barrier:
        barrier = self._works.barriers.put_up(opener, self._clock(), is_patient=is_patient)
        if not barrier.is_open:
            self._coordinator.ring()
        return barrier
