"""Exceptions in the core's own work, which can only be faults of antinode, cost one record at most.

The record that an exception is about is found, by halving if need be, and ends alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from antinode._delivery.core.response_handler import ResponseHandler, delivered, failed
from antinode._delivery.outcome import Outcome
from antinode._delivery.record import Record
from antinode._protocol.responses import Action, Verdict

if TYPE_CHECKING:
    from antinode._delivery.core.backlog import Backlog
    from antinode._delivery.core.batch import Batch
    from antinode._delivery.core.pending import Pending
    from antinode._delivery.core.settlement import Settlement


class Isolation:
    """Keeps track of the records that are being worked on, and gives up the one that raises."""

    def __init__(
        self, settlement: Settlement, backlog: Backlog, pending: Pending, response_handler: ResponseHandler
    ) -> None:
        self._settlement = settlement
        self._backlog = backlog
        self._pending = pending
        self._response_handler = response_handler
        self._leaving: tuple[Record, Outcome] | None = None
        """The record that is being settled by itself, and how it ends."""
        self.looks_at: Batch | None = None
        """The batch whose first chunk is being looked at."""

    def end_alone(
        self, record: Record, take_out: Callable[[], object], outcome: Outcome, *, sent: int = 0
    ) -> None:
        """Take a record out and settle it apart from others; `sent` as in `Settlement.settle`."""
        # Named before it is taken out, so that an exception in between does not lose it: see `Shedding.mend`.
        self._leaving = (record, outcome)
        take_out()
        self._settlement.settle_alone(record, outcome, sent=sent)
        self._leaving = None

    def take_leaving(self) -> tuple[Record, Outcome] | None:
        """The record whose end was interrupted, if any was, and its outcome."""
        leaving, self._leaving = self._leaving, None
        return leaving

    def isolate(self, error: Exception) -> bool:
        """Give up the record at which making an upload raised, or narrow down which it is.

        False if the error is about no record.
        """
        self._response_handler.note_failure(error)
        suspect, self._backlog.suspect = self._backlog.suspect, None
        batch, self.looks_at = self.looks_at, None
        if suspect is not None:
            self.end_alone(suspect, lambda: self._backlog.remove(suspect), failed(type(error).__name__))
        elif batch is not None and batch.chunks:
            self._narrow(batch, batch.chunks.popleft(), error)
        return suspect is not None or batch is not None

    def _narrow(self, batch: Batch, records: list[Record], error: Exception) -> None:
        """Send these records in halves until the one that fails in whatever is done with it is alone."""
        middle = len(records) // 2
        batch.put_back(records[:middle], records[middle:])
        if len(records) == 1:
            self.end_alone(records[0], batch.pop_oldest, failed(type(error).__name__))

    def salvage(
        self,
        batch: Batch,
        records: list[Record],
        waiting: tuple[list[Record], ...],
        verdict: Verdict,
        now: float,
        error: Exception,
    ) -> None:
        """Give up the record at which applying an answer raised; `waiting` are others of its batch."""
        handler = self._response_handler
        handler.note_failure(error)
        placed = {id(record) for record in self._pending.records()}

        def adrift(chunk: list[Record]) -> list[Record]:
            return [record for record in chunk if record.outcome is None and id(record) not in placed]

        batch.put_back(*map(adrift, waiting))
        rest = adrift(records)
        if verdict.action is Action.DELIVERED:
            batch.put_back(rest)
            for record in list(rest):
                self.end_alone(record, batch.pop_oldest, delivered(verdict), sent=1)
        elif verdict.action in (Action.SORT, Action.BISECT, Action.HALVE):
            self._narrow(batch, rest, error)
        else:
            # The answer is not about the records.
            batch.put_back(rest)
            handler.link = handler.link.failed(
                now, asked=verdict.wait, own=None, jitter=0.0, why=verdict.message
            )
