"""One process that delivers: rows go through a client of its own, and what has ended is deleted."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from antinode import Client, ConfigurationError, Delivery, Outcome, Status
from antinode.outbox._queue import OutboxQueue
from antinode.outbox._rows import ONCE_SECONDS, OutboxRow

if TYPE_CHECKING:
    from antinode.outbox._database import OutboxDatabase

LEASE_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 60.0
DRAIN_SECONDS: Final = 10.0

_SLICE_SECONDS: Final = 0.1
"""How long a signal may wait to be noticed."""
_KEYS_AT_ONCE: Final = 1_000
_KEYS_EVERY_SECONDS: Final = 60.0
_TRIES_AFTER_SECONDS: Final = 1.0
_TRIES_AFTER_AT_MOST_SECONDS: Final = 30.0
_LATECOMERS_SECONDS: Final = 5.0

_UNREADABLE: Final = Outcome(
    "rejected", Status.INVALID, "unreadable", message="the row is not an event as JSON"
)
# What would have an event wait without need or end too early, or would keep it in a second place.
_OVERRIDDEN: Final[dict[str, Any]] = {
    "dead_letters": None,
    "drain_on_sigterm": False,
    "max_event_age": None,
    "max_queue_bytes": 1 << 30,
    "max_queue_events": 1_000_000,
    "opt_out": False,
    "retry": None,
    "retry_timeouts": None,
    "storage": None,
    "strict": False,
    "upload_interval_in_sec": 0,
}

_log = logging.getLogger("antinode")


MakeClient: TypeAlias = Callable[[Callable[[Delivery], object]], Client]
"""From what hears of each outcome to a client that is ready."""


class OutboxReport(msgspec.Struct):
    """What a deliverer has done."""

    delivered: int = 0
    rejected: int = 0
    """Moved to the dead."""
    withheld: int = 0
    """Deleted unsent: the user had withdrawn consent."""
    is_empty: bool = False
    """Whether nothing waited any more when it ended."""
    is_faulted: bool = False
    """Whether the key or the URL is wrong, by what the server said."""


def client_maker(api_key: str | None, options: Mapping[str, Any]) -> MakeClient:
    """What makes the client of a deliverer, which tells each outcome. Raises `ConfigurationError`."""
    if not options.get("enabled", True):
        raise ConfigurationError("with enabled=False nothing would be sent: there is nothing to deliver")
    given = options.get("on_outcome")

    def make(on_outcome: Callable[[Delivery], object]) -> Client:
        def tell(delivery: Delivery) -> None:
            on_outcome(delivery)
            if given is not None:
                given(delivery)

        chosen: Any = {**options, **_OVERRIDDEN, "on_outcome": tell}
        return Client("outbox").init(api_key, **chosen)

    return make


class Deliverer:
    """Delivers what the outbox holds, until it is told to end. Any number of them may do so at once."""

    def __init__(
        self,
        database: OutboxDatabase,
        make_client: MakeClient,
        *,
        lease: float = LEASE_SECONDS,
        patience: float = PATIENCE_SECONDS,
        drain: float = DRAIN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`drain` is for how many seconds what is in hand at the end may still be sent."""
        self._database = database
        self._make_client = make_client
        self._clock = clock
        self._drain_seconds = drain
        self._queue = OutboxQueue(database, _owner(), lease=lease, patience=patience)
        self._settled: SimpleQueue[Delivery] = SimpleQueue()
        self._rows: dict[Delivery, OutboxRow] = {}
        self._client = make_client(self._settled.put)
        self._keys_at = self._fault_told_at = float("-inf")
        self._tries_after = _TRIES_AFTER_SECONDS
        self.report = OutboxReport()

    def run(
        self,
        is_ending: Callable[[], bool],
        *,
        until_empty: bool = False,
        timeout: float | None = None,
        on_round: Callable[[OutboxReport, str], object] | None = None,
    ) -> OutboxReport:
        """Deliver until `is_ending` says so, or nothing waits any more; then let go of all.

        `on_round` hears what was done so far, and what keeps it from being more. Raises what the database
        raises when it is asked for the first time; later the database's faults are told in the log.
        """
        try:
            self._database.check()
        except BaseException:
            self._client.shutdown(0)
            self._database.close()
            raise
        started = self._clock()
        try:
            while not is_ending():
                wait = self._safely(self._round)
                stalled = self._client.stats().stalled or ""
                if on_round is not None:
                    on_round(self.report, stalled)
                if until_empty and self._is_done(stalled):
                    break
                if timeout is not None and self._clock() - started >= timeout:
                    break
                self._wait(wait, is_ending)
        finally:
            self._end()
        return self.report

    def _is_done(self, stalled: str) -> bool:
        self.report.is_faulted = stalled.startswith("configuration")
        return self.report.is_faulted or (self._queue.is_empty and not self._queue.in_hand)

    def _safely(self, step: Callable[[], float]) -> float:
        """Do a step that needs the database; returns how long to wait for the next one."""
        try:
            wait = step()
        except self._database.faults as error:
            now = self._clock()
            wait, self._tries_after = (
                self._tries_after,
                min(_TRIES_AFTER_AT_MOST_SECONDS, self._tries_after * 2),
            )
            if now >= self._fault_told_at + 60:
                self._fault_told_at = now
                # Its message may quote what was written; the type says what is the matter.
                kind = type(getattr(error, "orig", None) or error.__cause__ or error).__name__
                _log.warning("antinode: the outbox's database does not answer (%s): trying again", kind)
            return wait
        self._tries_after = _TRIES_AFTER_SECONDS
        return wait

    def _round(self) -> float:
        queue, now = self._queue, self._clock()
        if queue.has_lost(now):
            self._let_go("its leases have expired")
        self._take_settled()
        queue.commit()
        if now >= queue.renews_at and not queue.renew(now):
            self._let_go("another process has taken over a lease")
            queue.renew(now)
        self._forget_keys(now)
        rows = queue.read(now)
        for row in rows:
            self._hand_over(row)
        return min(queue.looks_after(rows), max(0.0, queue.renews_at - now))

    def _hand_over(self, row: OutboxRow) -> None:
        try:
            event: Any = msgspec.json.decode(row.body, type=dict[str, Any])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._count(row, _UNREADABLE)
            return
        delivery = self._client.log_event(event)
        self._rows[delivery] = row
        if delivery.outcome is not None and delivery.outcome.kind == "skipped":
            self._settled.put(delivery)  # of which nobody else tells

    def _take_settled(self) -> None:
        while True:
            try:
                delivery = self._settled.get_nowait()
            except Empty:
                return
            row = self._rows.pop(delivery, None)
            if row is not None and delivery.outcome is not None:
                self._count(row, delivery.outcome)

    def _count(self, row: OutboxRow, outcome: Outcome) -> None:
        self._queue.end(row, outcome, self._clock())
        if outcome.kind == "delivered":
            self.report.delivered += 1
        elif outcome.kind == "rejected":
            self.report.rejected += 1
        elif outcome.reason in {"consent", "forgotten"}:
            self.report.withheld += 1

    def _forget_keys(self, now: float) -> None:
        if now >= self._keys_at:
            before = time.time_ns() // 1_000_000 - ONCE_SECONDS * 1_000
            count = self._database.forget_keys(before, _KEYS_AT_ONCE)
            self._keys_at = now if count >= _KEYS_AT_ONCE else now + _KEYS_EVERY_SECONDS

    def _wait(self, seconds: float, is_ending: Callable[[], bool]) -> None:
        """Wait so long, or until an event has settled."""
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0 and not is_ending():
            try:
                # Put back at the end, which is no matter: none is later than another of its stream.
                self._settled.put(self._settled.get(timeout=min(_SLICE_SECONDS, left)))
            except Empty:
                continue
            return

    def _let_go(self, why: str) -> None:
        """Send nothing more of what is in hand: another process may be sending it."""
        _log.warning("antinode: what the outbox had in hand is left to others: %s", why)
        self._client.shutdown(0)
        self._take_settled()
        self._queue.let_go()
        self._client = self._make_client(self._settled.put)

    def _end(self) -> None:
        """Bring what is in hand to its end, for a while, and leave the rest to others."""
        end = self._clock() + self._drain_seconds
        while self._queue.in_hand and self._clock() < end and not self._is_stuck():
            self._wait(self._safely(self._finishing), lambda: False)
        self._client.shutdown(0)
        latest = self._clock() + _LATECOMERS_SECONDS
        while self._rows and self._clock() < latest:
            self._wait(_SLICE_SECONDS, lambda: False)
            self._take_settled()
        self._safely(partial(self._finishing, is_last=True))
        self.report.is_empty = self._queue.is_empty and not self._queue.in_hand
        self._safely(self._leave)
        self._database.close()

    def _is_stuck(self) -> bool:
        return (self._client.stats().stalled or "").startswith("configuration")

    def _finishing(self, *, is_last: bool = False) -> float:
        queue, now = self._queue, self._clock()
        if queue.has_lost(now):
            self._let_go("its leases have expired")
        self._take_settled()
        queue.commit()
        if not is_last and now >= queue.renews_at and not queue.renew(now):
            self._let_go("another process has taken over a lease")
        return _SLICE_SECONDS

    def _leave(self) -> float:
        self._queue.leave()
        return 0.0


def _owner() -> str:
    """A name that tells people which process it is, and no other has."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{os.urandom(4).hex()}"
