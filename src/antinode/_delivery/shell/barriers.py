"""Threads and tasks that wait: until what was logged before has settled, or until there is room."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from antinode._delivery.core.patience import SAYS_WHY_AFTER_SECONDS
from antinode._delivery.core.response_handler import Note
from antinode._delivery.ledger import Report
from antinode._protocol.words import counted

if TYPE_CHECKING:
    from antinode._delivery.core.core import Core
    from antinode._delivery.shell.keeper import Keeper
    from antinode._delivery.shell.lifetime import Lifetime
    from antinode._delivery.shell.locks import Locks
    from antinode._delivery.shell.notifier import Notifier


class Barrier:
    """What a thread or task waits at until the epochs up to `index` have settled and been told of.

    `is_patient`: there is no timeout, so delivery has to say when waiting makes no sense any more.
    """

    __slots__ = (
        *("_opener", "has_given_up", "index", "is_open", "is_patient"),
        *("pending", "says_why_at", "since"),
    )

    def __init__(
        self, index: int, opener: Callable[[], None], since: float, *, is_patient: bool, pending: int
    ) -> None:
        self.index = index
        self.pending = pending
        """How many of them had not settled when the wait began."""
        self.since = since
        self.is_patient = is_patient
        self.is_open = False
        self.has_given_up = False
        self.says_why_at: float | None = since + SAYS_WHY_AFTER_SECONDS
        self._opener = opener

    def open(self) -> None:
        """Let whoever waits go on; on any thread, and more than once."""
        if not self.is_open:
            self.is_open = True
            with suppress(RuntimeError):
                self._opener()


class Barriers:
    """All barriers of a sender, guarded by `deciding`."""

    def __init__(
        self, core: Core, locks: Locks, lifetime: Lifetime, notifier: Notifier, keeper: Keeper | None
    ) -> None:
        self._core = core
        self._locks = locks
        self._lifetime = lifetime
        self._notifier = notifier
        self._keeper = keeper
        self._closed: list[Barrier] = []

    def __len__(self) -> int:
        return len(self._closed)

    def put_up(self, opener: Callable[[], None], now: float, *, is_patient: bool = False) -> Barrier:
        """A barrier for everything logged so far; it is open if there is nothing to wait for."""
        with self._locks.deciding:
            index = self._core.flush(now)
            pending = self._core.ledger.pending_until(index)
            barrier = Barrier(index, opener, now, is_patient=is_patient, pending=pending)
            if self._is_settled(index) and not self._notifier.is_busy:
                barrier.is_open = True
            else:
                self._closed.append(barrier)
            return barrier

    def take_down(self, barrier: Barrier) -> None:
        """Remove a barrier at which nobody waits any more."""
        with self._locks.deciding:
            if barrier in self._closed:
                self._closed.remove(barrier)

    def take_down_all(self) -> list[Barrier]:
        """Remove all barriers, at the end, to be opened once everything is told. Under `deciding`."""
        closed, self._closed = self._closed, []
        return closed

    def report(self, barrier: Barrier) -> Report:
        """Take it down, and say what became of what it covers."""
        self.take_down(barrier)
        with self._locks.deciding:
            return self._core.report(barrier.index)

    def look_after(self, now: float) -> tuple[list[Barrier], float | None]:
        """The barriers to open once the news is told, and when to look again, if ever. Under `deciding`."""
        # Events that stay until the user mends the configuration are not waited for.
        is_hopeless = self._core.is_hopeless(now)
        complete: list[Barrier] = []
        times: list[float] = []
        for barrier in self._closed:
            if is_hopeless or self._is_settled(barrier.index):
                complete.append(barrier)
                continue
            again_at = self._look_after(barrier, now)
            if barrier.has_given_up:
                complete.append(barrier)
            elif again_at is not None:
                times.append(again_at)
        return complete, min(times, default=None)

    def open(self, barriers: Iterable[Barrier]) -> None:
        """Let those who wait at them go on."""
        barriers = list(barriers)
        if barriers:
            with self._locks.deciding:
                self._closed = [each for each in self._closed if each not in barriers]
            for barrier in barriers:
                barrier.open()

    def _is_settled(self, index: int) -> bool:
        """Whether the epochs up to `index` have settled, and with them whatever dead processes have left."""
        keeper = self._keeper
        is_left = keeper is not None and not self._lifetime.is_stopped and keeper.has_left
        return not is_left and not self._core.ledger.pending_until(index)

    def _look_after(self, barrier: Barrier, now: float) -> float | None:
        """Say what a barrier waits for, or have it give up; returns when to look at it again, if ever."""
        if barrier.has_given_up:
            return None
        core = self._core
        pending = core.ledger.pending_until(barrier.index)
        what = counted(pending, "event") if pending else "what other processes left"
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
            level, reason = self._why(barrier, pending, now)
            text = f"still waiting for {what} after {now - barrier.since:.0f} s; {reason}"
            self._notifier.add(notes=(Note(level, "flush_waits", text),))
        return min((time for time in (ends, barrier.says_why_at) if time is not None), default=None)

    def _why(self, barrier: Barrier, pending: int, now: float) -> tuple[str, str]:
        """What a barrier waits for, with the level at which that is worth a line."""
        core = self._core
        reason = core.waits_for
        if reason:
            left = core.link.until - now
            return "WARNING", f"{reason}; the next attempt is in {left:,.0f} s" if left >= 1.0 else reason
        if pending < barrier.pending:
            return "INFO", "being sent"
        return "WARNING", "the server has answered nothing meanwhile; `antinode doctor` says why"


class RoomQueue:
    """Threads that wait for room in a full queue. Any thread may join; whoever steps wakes them all."""

    def __init__(self) -> None:
        self._waiting: deque[threading.Lock] = deque()
        self._room: object = None

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self) -> threading.Lock:
        """A lock that can be acquired when there may be room."""
        room = threading.Lock()
        room.acquire()
        self._waiting.append(room)
        return room

    def look(self, room: object) -> None:
        """Have the waiting threads look for room again if `room` has changed since this was last called.

        Each of them rings, and would be woken by what it has rung for, again and again.
        """
        if room != self._room:
            self._room = room
            self.wake()

    def wake(self) -> None:
        """Have the waiting threads look for room again."""
        while self._waiting:
            with suppress(IndexError, RuntimeError):
                self._waiting.popleft().release()
