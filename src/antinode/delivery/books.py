"""Settling: giving records their one final outcome and writing it into the books."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from antinode.delivery.ledger import Ledger
from antinode.delivery.record import DELIVERED, Delivery, Outcome


class Books:
    """The ledger, its guard, and the records whose outcome somebody wants to hear of."""

    def __init__(self, guard: AbstractContextManager[object]) -> None:
        self.ledger = Ledger()
        self.guard = guard
        self.keeps_all = False
        """Whether every settled record is kept for the shell, not only those with callbacks."""
        self._settled: list[Delivery] = []

    def refuse(self, record: Delivery, outcome: Outcome) -> None:
        """Settle a record that never got in: accepted and ended in the same instant."""
        with self.guard:
            ledger = self.ledger
            epoch = record.epoch = ledger.epoch
            ledger.accepted += 1
            epoch.accepted += 1
            ledger.settle(outcome, 1)
            epoch.settle(outcome.kind, 1)
        record.outcome = outcome

    def skip(self, record: Delivery, outcome: Outcome) -> None:
        """Settle a record that was never meant to be sent: counted, but not as accepted."""
        with self.guard:
            self.ledger.settle(outcome, 1)
        record.outcome = outcome

    def settle(self, records: Sequence[Delivery], outcome: Outcome, *, sent: int = 0) -> None:
        """Settle pending records; in the books first, so that whoever sees an outcome finds it counted.

        `sent` is 1 if the request that decided counts as an attempt that they have not been charged for.
        """
        if not records:
            return
        size = sum([len(record.body) for record in records])
        ledger = self.ledger
        with self.guard:
            ledger.pending -= len(records)
            ledger.pending_bytes -= size
            ledger.settle(outcome, len(records))
            if ledger.has_one_epoch:
                ledger.epoch.settle(outcome.kind, len(records))
            else:
                for record in records:
                    if record.epoch is not None:
                        record.epoch.settle(outcome.kind, 1)
        keeps_all, settled = self.keeps_all, self._settled
        is_delivered = outcome.kind == DELIVERED
        usual = outcome.attempts
        variants: dict[int, Outcome] = {}
        for record in records:
            attempts = record.attempts = record.attempts + sent
            if attempts == usual:
                record.outcome = outcome
            else:
                own = variants.get(attempts)
                if own is None:
                    own = variants[attempts] = outcome.after(attempts)
                record.outcome = own
            if keeps_all or record.callbacks is not None:
                settled.append(record)
            elif is_delivered:
                record.body = b""

    def take_settled(self) -> list[Delivery]:
        """Records settled since the last call whose callbacks, or whose outcome, somebody wants."""
        settled, self._settled = self._settled, []
        return settled
