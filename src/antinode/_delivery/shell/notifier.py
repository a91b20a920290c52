"""Telling the application what happened: its callbacks and log lines, each once, whatever they raise."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from antinode._delivery.outcome import DELIVERED, Delivery
from antinode._delivery.record import Record, notify
from antinode._delivery.shell.log_limiter import QUIET_SECONDS, LogLimiter, write
from antinode._locks import is_owned, let_go
from antinode._protocol.words import agreeing, counted

if TYPE_CHECKING:
    from antinode._delivery.core.response_handler import Note, Retried
    from antinode._delivery.retry import Response


class Notifier:
    """News for the application: any thread may add some, one thread at a time tells it, outside all locks.

    News stays here until it is told, so that whoever takes over from a thread that died goes on with it.
    """

    def __init__(
        self,
        on_outcome: Callable[[Delivery], object] | None,
        on_retry: Callable[[Response, int, bool], object] | None,
        clock: Callable[[], float],
        *,
        quiet: float = QUIET_SECONDS,
    ) -> None:
        self._on_outcome = on_outcome
        self._on_retry = on_retry
        self._log_limiter = LogLimiter(clock, quiet=quiet)
        self._settled: deque[Record] = deque()
        self._notes: deque[Note] = deque()
        self._retried: deque[Retried] = deque()
        self._telling = threading.RLock()
        self._is_telling = False
        self._is_taken_over = False

    @property
    def wants_all(self) -> bool:
        """Whether somebody wants to hear of every record, not only of those with callbacks."""
        return self._on_outcome is not None

    @property
    def has_news(self) -> bool:
        return bool(self._settled or self._notes or self._retried)

    @property
    def is_busy(self) -> bool:
        """Whether there is news that has not been told to its end."""
        return self.has_news or self._is_telling

    @property
    def is_this_thread(self) -> bool:
        """Whether the calling thread is telling: it is inside one of the application's callbacks."""
        return is_owned(self._telling)

    def recover(self) -> None:
        """Release the lock that an exception left taken, on the thread in which it was raised."""
        if self.is_this_thread:
            self._is_telling = False
            let_go([self._telling])

    def add(
        self, settled: Iterable[Record] = (), notes: Iterable[Note] = (), retried: Iterable[Retried] = ()
    ) -> None:
        self._settled.extend(settled)
        self._notes.extend(notes)
        self._retried.extend(retried)

    def tell(self) -> None:
        """Tell the news there is now, unless another thread is at it, or is about to tell the last news."""
        if self._is_taken_over or self.is_this_thread or not self._telling.acquire(blocking=False):
            return
        self._tell_and_release()

    def tell_last(self, patience: float) -> None:
        """Tell the news there is now, on the thread that ends the client, for which the process waits.

        Another thread that is telling stops after the callback that it is in. If that takes longer than
        `patience` seconds, the log says how many outcomes have not been told.
        """
        if self.is_this_thread:
            return
        self._is_taken_over = True
        try:
            is_ours = self._telling.acquire(timeout=patience)
        finally:
            self._is_taken_over = False
        if is_ours:
            self._tell_and_release()
        elif untold := len(self._settled):
            outcomes = f"{counted(untold, 'outcome')} {agreeing(untold, 'was', 'were')}"
            text = f"a callback has not returned: {outcomes} not told before shutdown"
            self._log_limiter.say("WARNING", "untold", text)

    def _tell_and_release(self) -> None:
        self._is_telling = True
        try:
            # Only what is there now: a callback that logs must not keep this thread here for ever.
            for _ in range(len(self._notes)):
                self._log_limiter.say(*self._notes.popleft())
            for _ in range(len(self._retried)):
                self._tell_of_retry(self._retried.popleft())
            for _ in range(len(self._settled)):
                if self._is_taken_over:
                    break
                self._tell_of_outcome(self._settled.popleft())
        finally:
            self._is_telling = False
            self._telling.release()

    def sum_up(self) -> None:
        """Say how many log lines were kept back."""
        self._log_limiter.sum_up()

    def _tell_of_retry(self, retried: Retried) -> None:
        if self._on_retry is not None:
            try:
                self._on_retry(retried.response, retried.attempt, retried.is_last)
            except BaseException as error:
                _shield(error, "on_retry raised; delivery goes on")

    def _tell_of_outcome(self, record: Record) -> None:
        if self._on_outcome is not None:
            try:
                self._on_outcome(record)
            except BaseException as error:
                _shield(error, "on_outcome raised; the event's outcome is not affected")
        while record.callbacks is not None:
            try:
                notify(record)
            except BaseException as error:
                _shield(error, "a callback of a delivery raised; the event's outcome is not affected")
        outcome = record.outcome
        if outcome is not None and outcome.kind == DELIVERED:
            record.body = b""


def _shield(error: BaseException, text: str) -> None:
    """Log what a callback raised, so that it costs neither this thread nor the others' callbacks.

    That holds for SystemExit and asyncio's CancelledError too, which mean nothing on a thread of ours. Ctrl-C
    goes through: it comes only where the application's main thread does the telling, at exit.
    """
    if isinstance(error, KeyboardInterrupt):
        raise error
    write(logging.ERROR, text, exc_info=True)
