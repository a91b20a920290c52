"""Taking records out: what waits at once, and what is in a request when it comes back unsent.

So users are forgotten, and so the part of a store goes that another process delivers from now on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from antinode._delivery.outcome import DROPPED, SPOOLED, Outcome
from antinode._delivery.record import Record
from antinode._protocol.status import Status

if TYPE_CHECKING:
    from antinode._delivery.core.backlog import Backlog
    from antinode._delivery.core.pending import Pending
    from antinode._delivery.core.settlement import Settlement
    from antinode._delivery.core.spooled_queue import SpooledQueue

FORGOTTEN: Final = Outcome(DROPPED, Status.SKIPPED, "forgotten", message="its user was forgotten")
GIVEN_BACK: Final = Outcome(
    SPOOLED, Status.UNKNOWN, "given_back", message="left in the store to another process, which delivers it"
)

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
        self._returning: list[tuple[Record, Outcome]] = []
        """Records that were in requests when they were to be taken out, and how they end then."""

    def take_out(self, is_meant: IsMeant) -> TakenOut:
        """Settle what waits in memory, and remember what is in requests."""
        waiting, flying = self._take_out(lambda record: is_meant(record.body), FORGOTTEN)
        rear: list[Record] = []
        if self._spooled is not None and self._spooled.rear:
            with self._settlement.guard:
                rear = [record for record in self._spooled.rear if is_meant(record.body)]
                for record in rear:
                    self._spooled.rear.remove(record)
        return TakenOut(waiting + self._settle(rear, FORGOTTEN), flying)

    def give_back(self, is_meant: Callable[[Record], bool]) -> int:
        """Leave records to another process that reads the same store. Returns how many are in requests."""
        return self._take_out(is_meant, GIVEN_BACK)[1]

    def set_aside(self, outcome: Outcome) -> int:
        """Settle whatever is in no request, whole, so that a failure can be kept. Returns how many."""
        waiting = {id(record) for record in self._pending.records()}
        waiting.difference_update(map(id, self._pending.flying()))
        taken = self._take_waiting(waiting)
        self._settlement.settle(taken, outcome)
        return len(taken)

    def _take_out(self, is_meant: Callable[[Record], bool], outcome: Outcome) -> tuple[int, int]:
        """Returns how many have ended, and how many are in requests."""
        flying = [record for record in self._pending.flying() if is_meant(record)]
        self._returning += [(record, outcome) for record in flying]
        meant = {id(record) for record in self._pending.records() if is_meant(record)}
        meant.difference_update(map(id, flying))
        return self._settle_waiting(meant, outcome), len(flying)

    def take_out_returned(self) -> None:
        """Settle what has come back unsent; to be called after each answer."""
        if not self._returning:
            return
        flying = set(map(id, self._pending.flying()))
        self._drop_settled()
        for outcome in {each.reason: each for _, each in self._returning}.values():
            meant = {id(record) for record, each in self._returning if each is outcome}
            self._settle_waiting(meant - flying, outcome)
        self._drop_settled()

    def _drop_settled(self) -> None:
        self._returning = [pair for pair in self._returning if pair[0].outcome is None]

    def _settle_waiting(self, meant: set[int], outcome: Outcome) -> int:
        return self._settle(self._take_waiting(meant), outcome)

    def _take_waiting(self, meant: set[int]) -> list[Record]:
        gone: list[Record] = []
        if not meant:
            return gone
        for batch in self._pending.batches.values():
            gone += batch.remove(lambda record: id(record) in meant)
        with self._settlement.guard:
            gone += self._backlog.take_out(lambda record: id(record) in meant)
        return gone

    def _settle(self, records: list[Record], outcome: Outcome) -> int:
        self._settlement.settle(records, outcome)
        for record in records:
            record.body = b""
        return len(records)
