"""The threads that antinode starts: daemons, which take no signal while they end."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable


def make_thread(work: Callable[..., object], name: str, *args: object) -> threading.Thread:
    """A daemon thread, yet to be started, that calls `work(*args)`."""
    return threading.Thread(target=_run, args=(threading.get_native_id(), work, args), name=name, daemon=True)


def _run(maker: int, work: Callable[..., object], args: tuple[object, ...]) -> None:
    try:
        work(*args)
    finally:
        # A greenlet shares the thread of whoever made it.
        if sys.platform != "win32" and threading.get_native_id() != maker:
            # The system may see the thread for a moment after it was joined. Whoever holds a signal back by
            # then, as billiard's workers do while they hold a lock, counts on no other thread to take it.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
