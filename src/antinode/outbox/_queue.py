"""The outbox as one deliverer sees it: what it may read, what it has in hand, and what has ended.

Nothing here waits, sends or looks at a clock: the time is an argument, and the SQL is a database's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from antinode.outbox._horizon import Horizon
from antinode.outbox._rows import DeadRow, OutboxRow, shard_of
from antinode.outbox._shares import Lease, Share, share

if TYPE_CHECKING:
    from antinode import Outcome
    from antinode.outbox._database import OutboxDatabase

MOST_IN_HAND: Final = 10_000
"""Rows that are read and have not ended."""
MOST_BYTES: Final = 32 * 1024 * 1024
"""Their bytes, about."""
MOST_AT_ONCE: Final = 1_000
"""Rows that are read at once."""
MOST_OF_ONE: Final = 100
"""Rows of one stream in hand; what is throttled is not to fill all the room."""
FEW_OF_ONE: Final = 10
"""The same where half of the room is taken."""

LOOKS_AFTER: Final = 0.05
LOOKS_AFTER_AT_MOST: Final = 1.0
"""Seconds between two looks while there is nothing, and how far they grow."""
MOVES_AFTER: Final = 0.5
"""Seconds between two renewals while shards pass from one deliverer to another."""
RESTS_FOR: Final = 1.0
RESTS_FOR_AT_MOST: Final = 60.0
"""Seconds for which a stream is left alone whose event was dropped."""


class OutboxQueue:
    """Gives rows, each stream in order and never one that is in hand, and takes back how they ended."""

    def __init__(self, database: OutboxDatabase, owner: str, *, lease: float, patience: float) -> None:
        """`lease` is for how many seconds shards are this owner's, `patience` as for `Horizon`."""
        self._database = database
        self._owner = owner
        self._lease = lease
        self._horizon = Horizon(patience)
        self._shards: set[int] = set()
        self._leaving: frozenset[int] = frozenset()
        self._expects = False
        self._held_until = float("-inf")
        self.renews_at = float("-inf")
        """When `renew` is due."""
        self._hand: dict[int, OutboxRow] = {}
        self._streams: Counter[int] = Counter()
        self._bytes = 0
        self._ended: list[int] = []
        self._dead: list[DeadRow] = []
        self._resting: dict[int, float] = {}
        self._rest = RESTS_FOR
        self._look_again = LOOKS_AFTER
        self.is_empty = False
        """Whether there was no row at all when this last looked, whoever delivers it."""

    # Whose shards they are.

    def renew(self, now: float) -> bool:
        """Renew the leases, and even them out among the deliverers. False if one was lost that is in use."""
        self._shards = self._database.hold(self._owner, self._lease, self._decide)
        self._held_until = now + self._lease
        busy = self._busy_shards()
        if idle := self._leaving - busy:
            self._database.leave(self._owner, idle)
            self._shards -= idle
        is_moving = self._expects or self._leaving & busy
        self.renews_at = now + min(MOVES_AFTER if is_moving else self._lease, self._lease / 3)
        return busy <= self._shards

    def _decide(self, leases: Sequence[Lease], now: int) -> Share:
        decided = share(leases, self._owner, now, self._busy_shards())
        self._leaving, self._expects = decided.leaves, decided.expects
        return decided

    def _busy_shards(self) -> set[int]:
        return {shard_of(stream) for stream in self._streams}

    def has_lost(self, now: float) -> bool:
        """Whether the leases have expired, so that others may deliver what is in hand."""
        return bool(self._hand) and now >= self._held_until

    # What there is to deliver.

    def read(self, now: float) -> list[OutboxRow]:
        """The next rows; they are in hand until `commit` after their `end`.

        To be called after `commit`: a row that has ended must not be read again.
        """
        if self._ended or self._dead:
            return []
        snapshot = self._database.look()
        if self._horizon.is_news(snapshot):
            self._horizon.mark(snapshot, self._database.next_transaction(), now)
            snapshot = self._database.look()
        self._horizon.advance(snapshot.oldest_open, now)
        self.is_empty = snapshot.highest is None
        room = MOST_IN_HAND - len(self._hand)
        shards = self._shards - self._leaving
        if self.is_empty or now >= self._held_until or not shards or room <= 0 or self._bytes >= MOST_BYTES:
            return []
        self._resting = {stream: until for stream, until in self._resting.items() if until > now}
        found = self._database.read(
            min(MOST_AT_ONCE, room),
            reach=self._horizon.reach,
            shards=shards,
            without={*self._streams, *self._resting},
        )
        return self._take(found)

    def _take(self, found: Sequence[OutboxRow]) -> list[OutboxRow]:
        most = MOST_OF_ONE if len(self._hand) < MOST_IN_HAND // 2 else FEW_OF_ONE
        taken = []
        for row in found:
            if self._streams[row.stream] < most:
                self._hand[row.id] = row
                self._streams[row.stream] += 1
                self._bytes += len(row.body)
                taken.append(row)
                if self._bytes >= MOST_BYTES:
                    break
        return taken

    def looks_after(self, found: Sequence[OutboxRow]) -> float:
        """In how many seconds to `read` again, after it has given these."""
        if found:
            self._look_again = LOOKS_AFTER
            return 0.0 if len(found) >= MOST_AT_ONCE // 10 else LOOKS_AFTER
        if self._hand or self._horizon.is_waiting:
            return LOOKS_AFTER
        wait, self._look_again = self._look_again, min(LOOKS_AFTER_AT_MOST, self._look_again * 1.5)
        return wait

    @property
    def in_hand(self) -> int:
        """How many rows are in hand."""
        return len(self._hand)

    # How it ended.

    def end(self, row: OutboxRow, outcome: Outcome, now: float) -> None:
        """Take in how the event of a row has ended; `commit` makes it last.

        What was dropped stays where it is, and its stream is left alone for a while, but for what its user
        did not want to be sent.
        """
        is_held = self._hand.get(row.id) is row
        if outcome.kind == "rejected":
            self._dead.append(DeadRow(row, outcome.reason, outcome.code, outcome.message))
        elif outcome.kind != "dropped" or outcome.reason in {"consent", "forgotten"}:
            self._ended.append(row.id)
            self._rest = RESTS_FOR
        elif is_held:
            self._put_down(row)
            self._resting[row.stream] = now + self._rest
            self._rest = min(RESTS_FOR_AT_MOST, self._rest * 2)

    def commit(self) -> None:
        """Delete the rows that have ended, and set the dead aside; if that fails, they are still to be."""
        if not self._ended and not self._dead:
            return
        self._database.commit(self._ended, self._dead)
        for row_id in (*self._ended, *(each.row.id for each in self._dead)):
            row = self._hand.get(row_id)
            if row is not None:
                self._put_down(row)
        self._ended, self._dead = [], []

    def _put_down(self, row: OutboxRow) -> None:
        del self._hand[row.id]
        self._bytes -= len(row.body)
        self._streams[row.stream] -= 1
        if not self._streams[row.stream]:
            del self._streams[row.stream]

    def let_go(self) -> None:
        """Forget what is in hand: it is others' now, or is read again. What has ended is still committed."""
        self._hand.clear()
        self._streams.clear()
        self._bytes = 0
        self._shards = set()
        self._leaving = frozenset()
        self.renews_at = self._held_until = float("-inf")

    def leave(self) -> None:
        """Give back all leases: the others may go on at once."""
        self._database.leave(self._owner, None)
