"""A sender's locks, and whether the thread that holds one is still at work."""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType

from antinode._locks import is_owned, let_go
from antinode._speedups import twin

_make: Callable[[], AbstractContextManager[object]] = twin("Guard", threading.RLock)


class Locks:
    """Who may touch what.

    - `guard` (inside the core) protects the backlog's end and the ledger. Logging takes nothing else. It is
      re-entrant, so that a destructor or a signal handler that logs in the middle of logging gets through.
    - `deciding` protects the rest of the core, and the barriers. It is held while something is decided, never
      while anything is sent or the application is called back; `flush`, `stats` and a full queue take it
      briefly.
    - `stepping` makes one thread at a time the one that decides, starts uploads and tells: the coordinator,
      or, where no thread can be started, whoever waits. An uploader that has got an answer decides what goes
      next itself, unless somebody else is at it for long, and leaves the rest to the coordinator.
    - `starting` is held by the thread that starts a coordinator; nobody waits for it.

    They are taken in the order `stepping`, `deciding`, `guard`.

    A signal handler may raise between any two steps of the main thread, also between taking a lock and the
    block that gives it back. `Recovery` puts right what was left.

    A thread that holds one of them and is interrupted, by a signal handler, a destructor or a callback of the
    application, must not wait for what other threads would need that lock for.
    """

    def __init__(self) -> None:
        self.guard = make_guard()
        self.deciding = threading.RLock()
        self.starting = threading.RLock()
        self.make_stepping()

    def make_stepping(self) -> None:
        """Make `stepping` and `starting` anew; before the first thread starts."""
        self.stepping = threading.RLock()

    @property
    def is_deciding(self) -> bool:
        """Whether the calling thread holds what other threads need to log or decide."""
        return is_owned(self.deciding) or is_owned(self.guard)

    @property
    def is_working(self) -> bool:
        """Whether the calling thread does the coordinator's work, or starts it."""
        return is_owned(self.stepping) or is_owned(self.starting)

    def let_go(self) -> None:
        """Release the locks that an exception left taken, on the thread in which it was raised."""
        let_go((self.guard, self.deciding, self.starting, self.stepping))


def make_guard() -> AbstractContextManager[object]:
    """An RLock; where compiled code is in force and threads are the system's own, one it can look into."""
    lock: AbstractContextManager[object] = threading.RLock()
    return _make() if type(lock) is _thread.RLock else lock


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
