"""Records that others put into a store: read when there is room, and given back when the store wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from antinode._delivery.core.loops import streams_of, total_size
from antinode._delivery.outcome import SPOOLED, Outcome
from antinode._delivery.record import Record
from antinode._protocol.status import Status

if TYPE_CHECKING:
    from antinode._delivery.core.backlog import Backlog
    from antinode._delivery.core.pending import Pending
    from antinode._delivery.core.settlement import Settlement
    from antinode._delivery.storage import FedStore

PARKED: Final = Outcome(
    SPOOLED, Status.UNKNOWN, "parked", message="its user or device is throttled: it waits in the store"
)


class FedQueue:
    """The part of a queue that is in a store which others fill. Called by whoever steps."""

    def __init__(
        self,
        store: FedStore,
        settlement: Settlement,
        backlog: Backlog,
        pending: Pending,
        *,
        max_events: int,
        max_bytes: int,
        memory_events: int,
        memory_bytes: int,
    ) -> None:
        self._store = store
        self._settlement = settlement
        self._backlog = backlog
        self._pending = pending
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._queue_events = min(memory_events, max_events)
        self._queue_bytes = min(memory_bytes, max_bytes)
        settlement.is_stored = True

    @property
    def is_behind(self) -> bool:
        """Whether there is anything in the store that has not been read into the queue."""
        return self._store.has_unread

    @property
    def wanted(self) -> int:
        """How many records should be read into the queue now."""
        if not self._store.has_unread:
            return 0
        ledger = self._settlement.ledger
        room = self._queue_events - self._backlog.available
        if room < max(1, self._queue_events // 2) or ledger.pending_bytes >= self._max_bytes:
            return 0
        return max(0, min(room, self._max_events - ledger.pending))

    @property
    def wanted_bytes(self) -> int:
        return self._queue_bytes // 2

    def take_in(self, records: Sequence[Record]) -> float:
        """Take in records that were read from the store. Returns when the oldest of them was logged."""
        if not records:
            return float("inf")
        taken = list(records)
        size = total_size(taken)
        ledger = self._settlement.ledger
        with self._settlement.guard:
            epoch = ledger.epoch
            for record in taken:
                record.epoch = epoch
            ledger.count_recovered(epoch, len(taken), size)
            self._backlog.fresh.extend(taken)
        return min([record.logged_at for record in taken])

    def take_held(self, now: float, wants: Callable[[Record, int], bool]) -> list[Record]:
        """Take out whole streams that rate limits hold, of which `wants` says that the store takes them.

        `wants` is asked with a stream's first record and how many wait. None is taken of a stream that has
        something in a request, or in a batch, which is older and may come back.
        """
        backlog = self._backlog
        meant = {
            queue.stream
            for queue in backlog.stream_queues
            if queue.records
            and queue.release_at is not None
            and queue.release_at > now
            and wants(queue.records[0], len(queue.records))
        }
        for batch in self._pending.batches.values():
            meant -= streams_of(list(batch.records()))
        if not meant:
            return []
        with self._settlement.guard:
            taken = backlog.take_out(lambda record: record.stream in meant)
        self._settlement.settle(taken, PARKED)
        return taken
