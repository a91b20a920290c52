"""SIGTERM with `drain_on_sigterm=True`: send what is queued, then let the signal have its way."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from antinode._delivery.shell.log_limiter import write
from antinode._delivery.shell.threads import make_thread
from antinode._lifecycle.eventlet_hub import HubWaker

# How long the main thread has to run the handler before the signal is raised once more.
RAISE_AGAIN_SECONDS = 0.2


class Drainable(Protocol):
    """What can send its events within so many seconds, and go on or end after that."""

    def flush(self, timeout: float) -> object: ...

    def shutdown(self, timeout: float) -> object: ...

    def stop_lingering(self) -> object: ...


class Drain:
    """A SIGTERM handler that drains on a thread of its own and then raises the signal again.

    It does not drain in the handler: that runs between two instructions of whatever the main thread was
    doing, perhaps holding a lock that draining needs. The application goes on meanwhile, and SIGTERM again
    in that time changes nothing. If the process dies of the signal then, events that are logged after the
    first part of the drain are sent as well as time allows, and the rest settles as dropped. If the
    application ends by itself, what it logs until then is sent at once, whatever the interval.

    An event loop hears of signals through a descriptor, whoever has the handler. Its application has heard
    before anything is drained, and must not hear again: there the signal is not raised a second time.
    """

    def __init__(self, target: Callable[[], Drainable | None], timeout: float) -> None:
        self._target = target
        self._timeout = timeout
        self._previous: Any = None
        self._is_draining = False
        self._has_drained = False
        self._has_told = False
        self._is_inherited = False
        """Whether this process was forked after `install`, as by a server that has loaded the application."""
        self._waker: HubWaker | None = None

    def install(self) -> str | None:
        """Take SIGTERM over; returns the reason if that is not possible."""
        if "uwsgi" in sys.modules:
            return (
                "uWSGI takes SIGTERM itself once it has loaded the application. Start it with --master and "
                '--hook-master-start "unix_signal:15 gracefully_kill_them_all" instead: its workers send '
                "what is queued when they end"
            )
        if "mod_wsgi" in sys.modules:
            return (
                "mod_wsgi keeps SIGTERM to itself. Leave drain_on_sigterm out: its processes send what is "
                "queued when they end"
            )
        previous = signal.getsignal(signal.SIGTERM)
        if previous is None:
            return "SIGTERM has a handler that was not installed from Python, and could not be given back"
        try:
            self._previous = previous
            signal.signal(signal.SIGTERM, self._handle)
        except ValueError:
            return "init() was not called on the main thread, where alone Python installs signal handlers"
        self._waker = HubWaker.for_this_thread()
        return None

    def remove(self) -> None:
        """Give SIGTERM back, if it is still ours and this is the main thread."""
        try:
            if signal.getsignal(signal.SIGTERM) == self._handle:
                signal.signal(signal.SIGTERM, self._previous)
        except ValueError:
            return
        if self._waker is not None:
            self._waker.close()

    def renew_after_fork(self) -> None:
        self._is_draining = self._has_drained = self._has_told = False
        self._is_inherited = True

    def take_shortfall(self) -> str | None:
        """Why not all that is logged until the end is drained, in words; told once in each process."""
        if self._has_told:
            return None
        self._has_told = True
        handler = signal.getsignal(signal.SIGTERM)
        while isinstance(drain := getattr(handler, "__self__", None), Drain):
            if drain is self:
                return _shortfall_before(self._previous)
            handler = drain._previous
        if _is_of("uvicorn", handler):
            if self._is_inherited and _is_in_gunicorn():
                return (
                    "init() was called before gunicorn forked this worker, which has reset SIGTERM since. "
                    f"{_REMEDY_OF_UVICORN}"
                )
            # uvicorn gives SIGTERM back in the end, and raises it anew.
            return None
        if _is_of("gunicorn", handler):
            return (
                "init() was called before gunicorn forked this worker, which has taken SIGTERM over since. "
                "Leave drain_on_sigterm out: the worker ends by itself, and sends what is queued then"
            )
        return (
            f"{_name(handler)} has taken SIGTERM over since init(). What is queued is sent when the process "
            "exits by itself, and lost if it dies of the signal, unless that handler calls the one before it"
        )

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if _belongs_to_loop(self._previous):
            self._chain(number, frame)
        if self._has_drained:
            # If the process lives on, the next signal finds new events to drain.
            self._is_draining = self._has_drained = False
            self._chain(number, frame)
        elif not self._is_draining:
            self._is_draining = True
            self._start(number)

    def _start(self, number: int) -> None:
        thread = make_thread(self._drain, "antinode-sigterm", number)
        try:
            thread.start()
        except RuntimeError:
            self._drain(number)
        except AssertionError:
            # gevent and eventlet run the handler where nothing may wait, not even for a thread to start.
            pass
        if self._waker is not None:
            self._waker.wake()

    def _drain(self, number: int) -> None:
        end = time.monotonic() + self._timeout
        try:
            target = self._target()
            if target is not None:
                target.flush(self._timeout)
                if self._is_deadly:
                    target.shutdown(max(0.0, end - time.monotonic()))
                else:
                    target.stop_lingering()
        finally:
            if _belongs_to_loop(self._previous):
                self._is_draining = False
            else:
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
            time.sleep(RAISE_AGAIN_SECONDS)

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


def take(target: Callable[[], Drainable | None], timeout: float) -> Drain | None:
    """A drain that has SIGTERM; None, and a warning, where that is not possible."""
    drain = Drain(target, timeout)
    hindrance = drain.install()
    if hindrance is None:
        return drain
    write(logging.WARNING, "drain_on_sigterm has no effect: %s", hindrance)
    return None


def _belongs_to_loop(handler: object) -> bool:
    """Whether this is the handler that an event loop installs where it hears of a signal by a descriptor.

    That of asyncio does nothing, that of uvloop keeps a note for the loop.
    """
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not callable(handler):
        return False
    owner = getattr(handler, "__self__", None)
    noop = getattr(sys.modules.get("asyncio.unix_events"), "_sighandler_noop", None)
    return handler is noop or isinstance(owner, asyncio.AbstractEventLoop)


def _shortfall_before(previous: object) -> str | None:
    """What the handler that is called after the drain is known to do to later events."""
    return _REMEDY_OF_UVICORN if _is_of("uvicorn", previous) else None


_REMEDY_OF_UVICORN = (
    "uvicorn ends by dying of the signal, without exit handlers, once it has shut down. For the events of "
    "its last requests wrap the application in `antinode.integrations.asgi.with_lifespan(app)`, or call "
    "`await client.aflush(5)` at the end of its lifespan, which makes drain_on_sigterm unnecessary"
)


def _is_of(package: str, handler: object) -> bool:
    """Whether a handler is a method of something of this package, or of a subclass of it."""
    return any(
        kind.__module__.partition(".")[0] == package
        for kind in type(getattr(handler, "__self__", None)).__mro__
    )


def _is_in_gunicorn() -> bool:
    """Whether uvicorn runs as a worker of gunicorn, which gives all signals back to the system first."""
    return "uvicorn_worker" in sys.modules or "uvicorn.workers" in sys.modules


def _name(handler: object) -> str:
    if isinstance(handler, signal.Handlers):
        return "the system's default" if handler is signal.SIG_DFL else "a call that ignores it"
    if _belongs_to_loop(handler):
        return "an event loop"
    name = getattr(handler, "__qualname__", type(handler).__qualname__)
    return f"{getattr(handler, '__module__', '?')}.{name}"
