"""Which rows may be read: those that no open transaction can get in front of any more."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Snapshot(NamedTuple):
    """What a database says at one instant. Transactions are numbered in the order in which they begin."""

    highest: int | None
    """The highest id of a row that is seen; None if there is none."""
    oldest_open: int = 0
    """All transactions with a lower number have ended."""


class _Mark(NamedTuple):
    highest: int
    next: int
    seen_at: float


class Horizon:
    """Follows the snapshots.

    A row that is seen is of a transaction that has ended; a lower id can only come from one that has begun
    already. Once all those have ended, everything up to this row is there, and may be read in the order of
    the ids. After `patience` seconds a row waits for them no longer.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._marks: deque[_Mark] = deque()
        self.reach = 0
        """The highest id that may be read."""

    def is_news(self, snapshot: Snapshot) -> bool:
        """Whether rows are seen that have to be marked."""
        last = self._marks[-1].highest if self._marks else self.reach
        return snapshot.highest is not None and snapshot.highest > last

    def mark(self, snapshot: Snapshot, next_transaction: int, now: float) -> None:
        """Have the rows that are seen wait for all transactions before the one with this number.

        It has to be asked for after the snapshot.
        """
        if snapshot.highest is not None:
            self._marks.append(_Mark(snapshot.highest, next_transaction, now))

    def advance(self, oldest_open: int, now: float) -> None:
        """Go as far as the open transactions allow."""
        while self._marks:
            mark = self._marks[0]
            if mark.next > oldest_open and now < mark.seen_at + self._patience:
                break
            self.reach = mark.highest
            self._marks.popleft()

    @property
    def is_waiting(self) -> bool:
        """Whether rows have been seen that may not be read yet."""
        return bool(self._marks)
