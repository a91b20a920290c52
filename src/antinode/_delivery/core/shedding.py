"""Ends that no answer decides: at the queue's bound, at the end of the process, and after an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antinode._delivery.core.settlement import OUT_OF_MEMORY
from antinode._delivery.outcome import DROPPED, Outcome
from antinode._protocol.status import Status

if TYPE_CHECKING:
    from antinode._delivery.core.backlog import Backlog
    from antinode._delivery.core.config import CoreConfig
    from antinode._delivery.core.isolation import Isolation
    from antinode._delivery.core.pending import Pending
    from antinode._delivery.core.settlement import Settlement
    from antinode._delivery.core.spooled_queue import SpooledQueue
    from antinode._delivery.record import Record

QUEUE_FULL = Outcome(
    DROPPED,
    Status.FAILED,
    "queue_full",
    message="the queue was full: raise max_queue_events or max_queue_bytes, or see why events do not leave",
)

# The oldest events end in lots of this size where there is no memory for a list of all of them.
SHED_RECORDS = 1000


class Shedding:
    """Gives pending records up, the oldest first."""

    def __init__(
        self,
        config: CoreConfig,
        settlement: Settlement,
        backlog: Backlog,
        pending: Pending,
        isolation: Isolation,
        spooled: SpooledQueue | None,
    ) -> None:
        self._max_events = config.max_events
        self._max_bytes = config.max_bytes
        self._settlement = settlement
        self._guard = settlement.guard
        self._ledger = settlement.ledger
        self._backlog = backlog
        self._pending = pending
        self._isolation = isolation
        self._spooled = spooled

    def make_room(self, size: int) -> bool:
        """Drop records, in the order of `Pending.oldest`, until `size` bytes fit; False if they never do."""
        ledger = self._ledger
        if size > self._max_bytes:
            return False
        while (
            ledger.pending - ledger.on_disk >= self._max_events
            or ledger.pending_bytes - ledger.on_disk_bytes + size > self._max_bytes
        ):
            if not self._drop_oldest(QUEUE_FULL):
                return False
        return True

    def _drop_oldest(self, outcome: Outcome) -> bool:
        """Drop the first record in the order of `Pending.oldest`, at last one that the store did not take."""
        victim, take_out = self._pending.oldest()
        if victim is not None:
            self._isolation.end_alone(victim, take_out, outcome)
            return True
        # Another thread, which may be storing them, must not come between the look and the end.
        with self._guard:
            rear = self._spooled.rear if self._spooled is not None else None
            if rear:
                self._isolation.end_alone(rear[0], rear.popleft, outcome)
                return True
        return False

    def mend(self) -> None:
        """Make the ledger agree with the records after an exception anywhere in `Core.admit` or `make_room`.

        A signal handler may raise between any two steps. Where the records are is what counts; the ledger
        follows. To be called under every lock, by the thread in which the exception was raised.
        """
        with self._guard:
            self._backlog.recount()
            if self._spooled is not None:
                self._spooled.recover()
            victim, outcome = self._isolation.take_leaving() or (None, QUEUE_FULL)
            # The guard keeps other threads out, but not a destructor or signal handler that logs in here.
            while not self._recount(victim, outcome):
                pass

    def _recount(self, victim: Record | None, outcome: Outcome) -> bool:
        """Make the ledger agree with what is pending; False if anything was logged meanwhile."""
        accepted = self._ledger.accepted
        pending = self._pending.records()
        if self._spooled is not None:
            pending += self._spooled.rear
        if victim is not None and any(record is victim for record in pending):
            victim = None  # it is still pending
        return self._settlement.recount(pending, victim, outcome, accepted=accepted)

    def listed(self) -> list[Record]:
        """All that is pending; where there is no memory for the list, the oldest end for lack of it first."""
        while True:
            try:
                return self._pending.records()
            except MemoryError:
                if not self._shed():
                    raise

    def _shed(self) -> int:
        """Give back memory at the end of the process: settle some of the oldest. Returns how many."""
        for count in range(SHED_RECORDS):
            if not self._drop_oldest(OUT_OF_MEMORY):
                return count
        return SHED_RECORDS
