"""The life of the process: forks, however they are made, and exits, whoever skips atexit."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
import weakref
from typing import Any, Protocol

from antinode import _speedups
from antinode._delivery import record
from antinode._delivery.shell.log_limiter import write
from antinode._lifecycle import exit as process_exit
from antinode._lifecycle import workers
from antinode._lifecycle.snapshot import watch_restores

# Linux: the kernel empties such a page in a forked child, so that reading one byte of it tells a fork, even
# one made in C, for a fraction of what asking for the process id costs.
_MADV_WIPEONFORK = 18


class Resident(Protocol):
    """What lives with the process: a client, or anything else that forks and exits concern."""

    def _renew_after_fork(self) -> None: ...

    def _renew_ids(self) -> None:
        """Go on with other insert_ids than another process that has come from the same image."""

    def _begin_in_process(self) -> None:
        """Hear that a sender starts its thread, the first time or again, maybe in a forked child."""

    def _begin_exit(self) -> float:
        """Start sending what is queued; returns how many seconds the exit may take."""

    def _finish_exit(self, seconds: float) -> None:
        """Settle everything within so many seconds."""


class _PidPage:
    """Stands in for the page where the kernel has no such thing: `page[0]` is true in the same process."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    def __getitem__(self, index: int) -> bool:
        return os.getpid() == self._pid

    def __setitem__(self, index: int, value: int) -> None:
        self._pid = os.getpid()


def _make_page() -> Any:
    if not hasattr(os, "fork"):
        return bytearray(b"\1")
    flag = _speedups.native.fork_flag() if _speedups.native is not None else None
    if flag is not None:
        return flag
    if "linux" in sys.platform:
        import mmap  # noqa: PLC0415 - used once, on Linux

        try:
            page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            page.madvise(_MADV_WIPEONFORK)
        except (OSError, ValueError):
            return _PidPage()
        page[0] = 1
        return page
    return _PidPage()


page = _make_page()
"""`page[0]` is false in a forked child until `renew` has run. Compiled code reads it where it lies."""

_watched: list[weakref.ref[Any]] = []
_is_registered = False
# Held by the thread that renews, where the fork itself was not noticed.
_renewing = threading.RLock()


def register(resident: Resident) -> None:
    """Tell `resident` of forks and of the exit from now on. The first call prepares for forks."""
    global _is_registered
    _watched[:] = [ref for ref in _watched if ref() is not None]
    if not any(ref() is resident for ref in _watched):
        _watched.append(weakref.ref(resident))
    if not _is_registered:
        _is_registered = True
        watch_restores(_after_restore)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork)


def renew() -> None:
    """In a forked child that has just noticed that it is one: give everybody fresh locks and queues."""
    # Not for ever: the thread that held it may have been left behind in the parent.
    is_mine = _renewing.acquire(timeout=1.0)
    try:
        if not page[0]:
            _after_fork()
    finally:
        if is_mine:
            _renewing.release()


def _after_fork() -> None:
    """What `renew` does. Python's fork hook calls it, before the child has a second thread."""
    # The collector would run destructors, and their events would be lost in what is about to be replaced.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        record.renew_after_fork()
        for resident in _alive():
            resident._renew_after_fork()
        # Last, since a thread that finds it true must find everything else renewed.
        page[0] = 1
    finally:
        if was_enabled:
            gc.enable()


def _after_restore() -> None:
    """In a process that was started from a saved image: use other insert_ids than its siblings."""
    for resident in _alive():
        resident._renew_ids()


def notice_fork() -> None:
    """Renew, if this is a child that has not noticed yet."""
    if not page[0]:
        renew()


record.notice_fork = notice_fork


def _alive() -> list[Any]:
    return [resident for ref in list(_watched) if (resident := ref()) is not None]


def begin_in_process() -> None:
    """Make ready for the end of this process; called when a sender starts its thread."""
    workers.watch_exit(_at_exit)
    for resident in _alive():
        resident._begin_in_process()


def _at_exit() -> None:
    """Give every client its chance at once, then wait for each within the longest shutdown timeout."""
    notice_fork()
    clients = _alive()
    deadline = time.monotonic() + max((client._begin_exit() for client in clients), default=0.0)
    for client in clients:
        try:
            client._finish_exit(max(0.0, deadline - time.monotonic()))
        except KeyboardInterrupt:
            # The user has waited enough: the other clients settle at once, too.
            deadline = time.monotonic()
        except Exception:
            # One client's failure must not cost another's events.
            write(logging.ERROR, "sending what was queued at exit failed", exc_info=True)


process_exit.handler = _at_exit


def uwsgi_without_threads() -> bool:
    """Whether this is a uWSGI worker in which background threads never get to run."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None:
        return False
    options = getattr(uwsgi, "opt", {})

    def is_set(name: str) -> bool:
        return any(key in options for key in (name, name.encode()))

    return not (is_set("enable-threads") or is_set("threads"))
