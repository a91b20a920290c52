"""SIGTERM with `drain_on_sigterm=True`: send what is queued, then let the signal have its way."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Drain:
    """A SIGTERM handler that drains on a thread of its own and then raises the signal again.

    It does not drain in the handler: that runs between two instructions of whatever the main thread was
    doing, perhaps holding a lock that draining needs. The application goes on meanwhile.
    """

    def __init__(self, drain: Callable[[], object]) -> None:
        self._drain = drain
        self._previous: Any = None
        self._is_draining = False
        self._has_drained = False

    def install(self) -> bool:
        """Take SIGTERM over; False if this is not the main thread, where alone Python allows it."""
        try:
            self._previous = signal.getsignal(signal.SIGTERM)
            signal.signal(signal.SIGTERM, self._handle)
        except ValueError:
            return False
        return True

    def remove(self) -> None:
        """Give SIGTERM back, if it is still ours and this is the main thread."""
        try:
            if signal.getsignal(signal.SIGTERM) == self._handle:
                signal.signal(
                    signal.SIGTERM, self._previous if self._previous is not None else signal.SIG_DFL
                )
        except ValueError:
            return

    def renew_after_fork(self) -> None:
        self._is_draining = self._has_drained = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._has_drained:
            self._chain(number, frame)
        elif not self._is_draining:
            self._is_draining = True
            try:
                threading.Thread(
                    target=self._work, args=(number,), name="antinode-drain", daemon=True
                ).start()
            except RuntimeError:
                self._work(number)

    def _work(self, number: int) -> None:
        try:
            self._drain()
        finally:
            self._has_drained = True
            os.kill(os.getpid(), number)

    def _chain(self, number: int, frame: FrameType | None) -> None:
        previous = self._previous
        if callable(previous):
            previous(number, frame)
        elif previous != signal.SIG_IGN:
            # Die of the signal, as the process would have: its parent looks at how it ended.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
