"""An `OutboxDatabase` in memory, with transactions that may commit late, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from antinode.outbox._database import Decide
from antinode.outbox._horizon import Snapshot
from antinode.outbox._rows import DeadEvent, DeadRow, OutboxRow, OutboxStatus, shard_of
from antinode.outbox._shares import SHARD_NAMES, Lease, numbers_of


class Unreachable(Exception):
    """The database does not answer."""


class MemoryDatabase:
    """What several deliverers share; `now` is in seconds."""

    faults: tuple[type[Exception], ...] = (Unreachable,)

    def __init__(self) -> None:
        self.now = 1_000.0
        self.is_down = False
        self.rows: dict[int, OutboxRow] = {}
        self.graves: list[DeadRow] = []
        self.leases: dict[str, Lease] = {name: Lease(name, "", 0) for name in SHARD_NAMES}
        self._last_id = 0
        self._next = 1
        self._open: dict[int, list[OutboxRow]] = {}

    # What applications do.

    def begin(self) -> int:
        number, self._next = self._next, self._next + 1
        self._open[number] = []
        return number

    def write(self, transaction: int, stream: int, body: str = "") -> OutboxRow:
        self._last_id += 1
        row = OutboxRow(self._last_id, stream, body, 0)
        self._open[transaction].append(row)
        return row

    def end(self, transaction: int, *, commits: bool = True) -> None:
        written = self._open.pop(transaction)
        if commits:
            self.rows.update((row.id, row) for row in written)

    @property
    def open(self) -> list[int]:
        return list(self._open)

    # What deliverers do.

    def check(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.is_down:
            raise Unreachable

    def look(self) -> Snapshot:
        self._answer()
        return Snapshot(max(self.rows, default=None), min(self._open, default=self._next))

    def next_transaction(self) -> int:
        self._answer()
        number = self.begin()
        self.end(number)
        return number

    def read(
        self, limit: int, *, reach: int, shards: Collection[int], without: Collection[int]
    ) -> Sequence[OutboxRow]:
        self._answer()
        found = [
            row._replace()
            for row_id, row in sorted(self.rows.items())
            if row_id <= reach and row.stream not in without and shard_of(row.stream) in shards
        ]
        return found[:limit]

    def commit(self, ended: Collection[int], dead: Sequence[DeadRow]) -> None:
        self._answer()
        for row_id in ended:
            self.rows.pop(row_id, None)
        self.graves += [each for each in dead if self.rows.pop(each.row.id, None)]

    def hold(self, owner: str, seconds: float, decide: Decide) -> set[int]:
        self._answer()
        now, expires_at = int(self.now * 1_000), int((self.now + seconds) * 1_000)
        self.leases[owner] = Lease(owner, owner, expires_at)
        for name, lease in self.leases.items():
            if lease.owner == owner:
                self.leases[name] = Lease(name, owner, expires_at)
        decided = decide(list(self.leases.values()), now)
        for name in [SHARD_NAMES[each] for each in decided.takes]:
            if not self.leases[name].owner or self.leases[name].expires_at <= now:
                self.leases[name] = Lease(name, owner, expires_at)
        return numbers_of([name for name, lease in self.leases.items() if lease.owner == owner])

    def leave(self, owner: str, shards: Collection[int] | None) -> None:
        self._answer()
        for name, lease in list(self.leases.items()):
            if (
                lease.owner == owner
                and name != owner
                and (shards is None or SHARD_NAMES.index(name) in shards)
            ):
                self.leases[name] = Lease(name, "", 0)
        if shards is None:
            self.leases.pop(owner, None)

    def forget_keys(self, before: int, limit: int) -> int:
        self._answer()
        return 0

    def status(self) -> OutboxStatus:
        return OutboxStatus(len(self.rows), None, len(self.graves), {})

    def dead(self, after: int, limit: int) -> Sequence[DeadEvent]:
        return []

    def revive(self, limit: int) -> int:
        return 0

    def close(self) -> None:
        """There is nothing to close."""
