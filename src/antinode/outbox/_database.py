"""What delivering asks of a database: the SQL, which SQLAlchemy or Django does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

from antinode.outbox._horizon import Snapshot
from antinode.outbox._rows import DeadEvent, DeadRow, OutboxRow, OutboxStatus
from antinode.outbox._shares import Lease, Share

PIECE: Final = 500
"""Ids that one statement names."""

Decide = Callable[[Sequence[Lease], int], Share]
"""From all leases, and the time by the database's clock in milliseconds, to what is to be done."""


class OutboxDatabase(Protocol):
    """Each method is a transaction of its own, which has ended when it returns."""

    @property
    def faults(self) -> tuple[type[Exception], ...]:
        """What is raised for a database that cannot be reached, or not now: it may work later."""

    def check(self) -> None:
        """Raise what there is to raise if the tables cannot be read."""

    def look(self) -> Snapshot: ...

    def next_transaction(self) -> int:
        """A number above those of all that have begun; 0 where the ids are in the order of commits."""

    def read(
        self, limit: int, *, reach: int, shards: Collection[int], without: Collection[int]
    ) -> Sequence[OutboxRow]:
        """The rows with the lowest ids up to `reach`, of these shards but none of the streams `without`."""

    def commit(self, ended: Collection[int], dead: Sequence[DeadRow]) -> None:
        """Delete the rows with these ids, and move the dead to where they are kept."""

    def hold(self, owner: str, seconds: float, decide: Decide) -> set[int]:
        """Renew all leases of this owner, and what says that it is there; then do what `decide` says.

        What is to be left stays as it is: see `leave`. Returns the shards that the owner has then.
        """

    def leave(self, owner: str, shards: Collection[int] | None) -> None:
        """Give back the leases of these shards; with None of all, and be gone."""

    def forget_keys(self, before: int, limit: int) -> int:
        """Delete so many keys of `once=` that are older than `before`, in milliseconds; returns how many."""

    def status(self) -> OutboxStatus: ...

    def dead(self, after: int, limit: int) -> Sequence[DeadEvent]:
        """Dead events in the order of their ids: the first of those above `after`."""

    def revive(self, limit: int) -> int:
        """Have so many of the dead wait again, the first of them first; returns how many it was."""

    def close(self) -> None: ...


def pieces(ids: Collection[int]) -> list[list[int]]:
    """`ids` in lists that one statement may name."""
    listed = list(ids)
    return [listed[start : start + PIECE] for start in range(0, len(listed), PIECE)]
