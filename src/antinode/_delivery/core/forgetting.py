"""Forgetting users: what of theirs waits is taken out, and what is in a request is when it comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from antinode._delivery.outcome import DROPPED, Outcome
from antinode._delivery.record import Record
from antinode._protocol.status import Status

if TYPE_CHECKING:
    from antinode._delivery.core.backlog import Backlog
    from antinode._delivery.core.pending import Pending
    from antinode._delivery.core.settlement import Settlement
    from antinode._delivery.core.spooled_queue import SpooledQueue

FORGOTTEN: Final = Outcome(DROPPED, Status.SKIPPED, "forgotten", message="its user was forgotten")

IsMeant = Callable[[bytes], bool]
"""Whether the event with this body is to be forgotten. Raises nothing."""


class TakenOut(NamedTuple):
    """What was found of a user in memory, and in the store of this process."""

    queued: int = 0
    in_flight: int = 0
    """In requests under way: they may arrive."""
    stored: int = 0
    """In the store alone."""


class Forgetting:
    """Takes records out by what they hold."""

    def __init__(
        self, settlement: Settlement, backlog: Backlog, pending: Pending, spooled: SpooledQueue | None
    ) -> None:
        self._settlement = settlement
        self._backlog = backlog
        self._pending = pending
        self._spooled = spooled
        self._returning: list[Record] = []
        """Records that were in requests when their users were forgotten."""

    def take_out(self, is_meant: IsMeant) -> TakenOut:
        """Settle what waits in memory, and remember what is in requests."""
        flying = [record for record in self._pending.flying() if is_meant(record.body)]
        self._returning += flying
        meant = {id(record) for record in self._pending.records() if is_meant(record.body)}
        meant.difference_update(map(id, flying))
        rear: list[Record] = []
        if self._spooled is not None and self._spooled.rear:
            with self._settlement.guard:
                rear = [record for record in self._spooled.rear if is_meant(record.body)]
                for record in rear:
                    self._spooled.rear.remove(record)
        return TakenOut(self._settle_waiting(meant) + self._settle(rear), len(flying))

    def take_out_returned(self) -> None:
        """Settle what has come back unsent; to be called after each answer."""
        if not self._returning:
            return
        flying = set(map(id, self._pending.flying()))
        self._returning = [record for record in self._returning if record.outcome is None]
        self._settle_waiting({id(record) for record in self._returning} - flying)
        self._returning = [record for record in self._returning if record.outcome is None]

    def _settle_waiting(self, meant: set[int]) -> int:
        if not meant:
            return 0
        gone: list[Record] = []
        for batch in self._pending.batches.values():
            gone += batch.remove(lambda record: id(record) in meant)
        with self._settlement.guard:
            gone += self._backlog.take_out(lambda record: id(record) in meant)
        return self._settle(gone)

    def _settle(self, records: list[Record]) -> int:
        self._settlement.settle(records, FORGOTTEN)
        for record in records:
            record.body = b""
        return len(records)
