"""The guard, and whether what holds a lock is still at its work."""

from __future__ import annotations

import _thread
import sys
import threading
from contextlib import AbstractContextManager
from types import FrameType

from antinode import _compiled


def make_guard() -> AbstractContextManager[object]:
    """An RLock; one that compiled code can look into, where there is any and threads are the system's own."""
    lock = threading.RLock()
    if _compiled.native is None or type(lock) is not _thread.RLock:
        return lock
    guard: AbstractContextManager[object] = _compiled.native.Guard()
    return guard


def is_interrupting() -> bool:
    """Whether a signal handler, a destructor or a callback has called in the midst of this thread's own work.

    Then there are frames of ours on the stack, below the caller's and below those of others.
    A lock that this thread holds although it is not interrupting anything was left by an exception that came
    between taking it and the block that gives it back.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    while frame is not None and not _is_ours(frame):
        frame = frame.f_back
    return frame is not None


def _is_ours(frame: FrameType) -> bool:
    # The store's too: compiled code calls it while it holds the guard, and has no frame itself.
    return str(frame.f_globals.get("__name__", "")).startswith(("antinode._delivery.", "antinode._spool."))
