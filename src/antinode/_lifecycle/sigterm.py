"""SIGTERM with `drain_on_sigterm=True`: send what is queued, then let the signal have its way."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

# How long the main thread has, in seconds, to run the handler before the signal is raised once more.
RAISE_AGAIN = 0.2


class Drainable(Protocol):
    """What can send its events within so many seconds, and go on or end after that."""

    def flush(self, timeout: float) -> object: ...

    def shutdown(self, timeout: float) -> object: ...


class Drain:
    """A SIGTERM handler that drains on a thread of its own and then raises the signal again.

    It does not drain in the handler: that runs between two instructions of whatever the main thread was
    doing, perhaps holding a lock that draining needs. The application goes on meanwhile, and SIGTERM again
    in that time changes nothing. If the process dies of the signal then, events that are logged after the
    first part of the drain are sent as well as time allows, and the rest settles as dropped.
    """

    def __init__(self, target: Callable[[], Drainable | None], timeout: float) -> None:
        self._target = target
        self._timeout = timeout
        self._previous: Any = None
        self._is_draining = False
        self._has_drained = False

    def install(self) -> str | None:
        """Take SIGTERM over; returns the reason if that is not possible."""
        previous = signal.getsignal(signal.SIGTERM)
        if previous is None:
            return "SIGTERM has a handler that was not installed from Python, and could not be given back"
        try:
            self._previous = previous
            signal.signal(signal.SIGTERM, self._handle)
        except ValueError:
            return "init() was not called on the main thread, where alone Python installs signal handlers"
        return None

    def remove(self) -> None:
        """Give SIGTERM back, if it is still ours and this is the main thread."""
        try:
            if signal.getsignal(signal.SIGTERM) == self._handle:
                signal.signal(signal.SIGTERM, self._previous)
        except ValueError:
            return

    def renew_after_fork(self) -> None:
        self._is_draining = self._has_drained = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._has_drained:
            # The next one, if the process lives on, finds new events to drain.
            self._is_draining = self._has_drained = False
            self._chain(number, frame)
        elif not self._is_draining:
            self._is_draining = True
            thread = threading.Thread(
                target=self._drain, args=(number,), name="antinode-sigterm", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                self._drain(number)
            except AssertionError:
                # gevent runs the handler where nothing may wait, not even for a thread that has started.
                return

    def _drain(self, number: int) -> None:
        end = time.monotonic() + self._timeout
        try:
            target = self._target()
            if target is not None:
                target.flush(self._timeout)
                if self._is_deadly:
                    target.shutdown(max(0.0, end - time.monotonic()))
        finally:
            self._has_drained = True
            self._raise_again(number)

    def _raise_again(self, number: int) -> None:
        """Have the main thread run the handler, until it has.

        Once may not be enough: a signal that comes just before the main thread enters a call that waits does
        not end that call.
        """
        while self._has_drained:
            os.kill(os.getpid(), number)
            if threading.current_thread() is threading.main_thread():
                return
            time.sleep(RAISE_AGAIN)

    @property
    def _is_deadly(self) -> bool:
        return self._previous is signal.SIG_DFL

    def _chain(self, number: int, frame: FrameType | None) -> None:
        if callable(self._previous):
            self._previous(number, frame)
        elif self._is_deadly:
            # Die of the signal, as the process would have: its parent looks at how it ended.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
