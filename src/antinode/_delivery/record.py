"""A record: one event's final bytes, the stream it belongs to, and its fate."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from antinode._delivery.outcome import DROPPED, Delivery, Outcome
from antinode._protocol.status import Status

if TYPE_CHECKING:
    from antinode._delivery.epoch import Epoch

LONGEST_TIMEOUT_SECONDS = min(threading.TIMEOUT_MAX, 365 * 86_400.0)

_log = logging.getLogger("antinode")


# Guards the creation of a record's callback list, never its settling. Made anew in a forked child.
_registering = threading.RLock()

INHERITED = Outcome(
    DROPPED,
    Status.UNKNOWN,
    "forked",
    message="logged before the fork: the parent process delivers it, not this one",
)
# When this process was forked, by the monotonic clock: what was logged before is another's to settle.
_forked_at = float("-inf")
# Records with a callback that may be on disk alone: nothing else would keep the callback alive.
_anchored: set[Record] = set()

NOT_STORED = -1
"""The place of a record that is in memory only."""


def _nothing_to_notice() -> None:
    """Stands in for `notice_fork` while nobody watches for forks."""


# Called before waiting, since a child that was forked in C has not noticed yet. Set by `_lifecycle.fork`.
notice_fork: Callable[[], None] = _nothing_to_notice


def renew_after_fork() -> None:
    """In a forked child: make the lock anew, which another thread of the parent may have held."""
    global _registering, _forked_at
    _registering = threading.RLock()
    _anchored.clear()
    _forked_at = time.monotonic()


# gc=False: a queue of 200,000 records then adds nothing to the collector's work, which would be the
# application's tail latency. The one cycle there can be (a callback that holds its own handle) ends when
# the record settles, which clears the callbacks.
class Record(Delivery, msgspec.Struct, gc=False, eq=False):
    """One event on its way; to the application it is a `Delivery`."""

    body: bytes
    """The event's JSON text as it goes on the wire; empty once it is delivered."""
    stream: int
    logged_at: float
    epoch: Epoch | None = None
    attempts: int = 0
    outcome: Outcome | None = None
    callbacks: list[Callable[[Delivery], object]] | None = None
    place: int = NOT_STORED
    """Its place in the store."""

    def done(self) -> bool:
        return (self.outcome or self._look_again()) is not None

    @property
    def status(self) -> Status | None:
        outcome = self.outcome
        return None if outcome is None else outcome.status

    def result(self, timeout: float | None = None) -> Outcome:
        outcome = self.outcome or self._look_again()
        if outcome is None:
            gate = threading.Lock()
            gate.acquire()

            def opened(_: Delivery) -> None:
                gate.release()

            self.add_done_callback(opened)
            # A longer timeout overflows on some platforms.
            if not gate.acquire(
                timeout=-1 if timeout is None else min(max(0.0, timeout), LONGEST_TIMEOUT_SECONDS)
            ):
                remove_callback(self, opened)
                raise TimeoutError(
                    f"the event has not settled within {timeout} s; it is still being delivered"
                )
            outcome = self.outcome
            assert outcome is not None  # noqa: S101 - a callback runs only after the outcome is set
        return outcome

    def add_done_callback(self, fn: Callable[[Delivery], object]) -> None:
        if not self.done():
            with _registering:
                waiting = self.callbacks
                if waiting is None:
                    waiting = self.callbacks = []
                waiting.append(fn)
                anchor(self)
            # Settling sets the outcome first and takes callbacks second: whoever gets hold of `fn` runs it.
            # `notify` may have emptied this very list and let go of it before `fn` came in.
            if not (self.done() and _taken_from(waiting, fn)):
                return
            _anchored.discard(self)
        _call(fn, self)

    def event(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body, type=dict[str, Any]) if self.body else {}

    def _look_again(self) -> Outcome | None:
        """The outcome; in a forked child every event from before the fork has one."""
        notice_fork()
        if self.outcome is None and self.logged_at < _forked_at:
            self.outcome = INHERITED
        return self.outcome

    def __await__(self) -> Generator[Any, None, Outcome]:
        if not self.done():
            from antinode._delivery.aio import called  # noqa: PLC0415 - asyncio is loaded only where used

            yield from called(self.add_done_callback, partial(remove_callback, self))
        outcome = self.outcome
        assert outcome is not None  # noqa: S101 - see `result`
        return outcome

    def __copy__(self) -> Delivery:
        return self

    def __deepcopy__(self, memo: object) -> Delivery:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Delivery cannot be pickled: it settles in the process that logged the event; pass on what "
            "result() returns"
        )

    def __dir__(self) -> list[str]:
        # What an application is promised, and nothing of how it is delivered.
        return [*dir(Delivery), "outcome"]

    def __repr__(self) -> str:
        outcome = self.outcome
        fate = "pending" if outcome is None else f"{outcome.kind} ({outcome.reason}), code {outcome.code}"
        return f"<Delivery {fate}, attempts {self.attempts}>"


# Tracked by the collector, which costs little here: memory holds only the next few of a spool's records.
class SpooledRecord(Record, gc=True, weakref=True, eq=False):
    """A record that may be on disk alone: nobody but the application need hold it."""


def anchor(record: Record) -> None:
    """Keep a record alive that has callbacks and may be on disk alone."""
    if record.place != NOT_STORED and record.callbacks:
        _anchored.add(record)


def remove_callback(record: Record, fn: Callable[[Delivery], object]) -> None:
    """Do not call `fn` any more, if it was not called yet."""
    with _registering:
        if _taken_from(record.callbacks or [], fn) and not record.callbacks:
            _anchored.discard(record)


def _taken_from(callbacks: list[Callable[[Delivery], object]], fn: Callable[[Delivery], object]) -> bool:
    try:
        callbacks.remove(fn)
    except ValueError:
        return False
    return True


def notify(record: Record) -> None:
    """Run the callbacks of a settled record, each once, whatever they raise."""
    callbacks = record.callbacks
    if callbacks is None:
        return
    _anchored.discard(record)
    while callbacks:
        try:
            fn = callbacks.pop(0)
        except IndexError:
            break
        _call(fn, record)
    record.callbacks = None


def _call(fn: Callable[[Delivery], object], record: Record) -> None:
    try:
        fn(record)
    except Exception:
        _log.exception("antinode: a callback of a delivery raised; the event's outcome is not affected")
