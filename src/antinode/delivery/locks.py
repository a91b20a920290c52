"""Reentrant locks, and what they can tell beyond being taken and released."""

from __future__ import annotations

import _thread
import threading
from contextlib import AbstractContextManager

from antinode import _compiled


def make_guard() -> AbstractContextManager[object]:
    """An RLock; one that compiled code can look into, where there is any and threads are the system's own."""
    lock = threading.RLock()
    if _compiled.native is None or type(lock) is not _thread.RLock:
        return lock
    guard: AbstractContextManager[object] = _compiled.native.Guard()
    return guard


def is_owned(lock: object) -> bool:
    """Whether the calling thread holds this RLock: Python's, gevent's and ours tell, under this name."""
    return bool(lock._is_owned())  # type: ignore[attr-defined]
