"""What delivering asks of a database, by SQLAlchemy."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from antinode.outbox._database import Decide, pieces
from antinode.outbox._horizon import Snapshot
from antinode.outbox._rows import DeadEvent, DeadRow, OutboxRow, OutboxStatus
from antinode.outbox._shares import SHARD_NAMES, Lease, numbers_of
from antinode.outbox.sqlalchemy._statements import add, looking, now_of, reading, status_of

if TYPE_CHECKING:
    from antinode.outbox.sqlalchemy._tables import Tables


class SqlalchemyDatabase:
    """An `OutboxDatabase`: the tables of an `Outbox`, at an engine."""

    faults: tuple[type[Exception], ...] = (OperationalError, InterfaceError, PoolTimeoutError)

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._tables = tables

    def check(self) -> None:
        with self._engine.connect() as connection:
            for table in self._tables:
                connection.execute(select(*table.c).limit(0))

    def look(self) -> Snapshot:
        with self._engine.connect() as connection:
            asked = looking(connection.dialect.name, self._tables.events)
            return Snapshot(*connection.execute(asked).one())

    def next_transaction(self) -> int:
        if self._engine.dialect.name != "postgresql":
            return 0
        with self._engine.begin() as connection:
            # A snapshot's own end knows only of transactions that have ended.
            number: int = connection.execute(select(func.txid_current())).scalar_one()
            return number

    def read(
        self, limit: int, *, reach: int, shards: Collection[int], without: Collection[int]
    ) -> Sequence[OutboxRow]:
        asked = reading(self._tables.events, reach=reach, shards=shards, without=without).limit(limit)
        with self._engine.connect() as connection:
            return [OutboxRow(*row) for row in connection.execute(asked)]

    def commit(self, ended: Collection[int], dead: Sequence[DeadRow]) -> None:
        events = self._tables.events
        with self._engine.begin() as connection:
            for piece in pieces(ended):
                connection.execute(delete(events).where(events.c.id.in_(piece)))
            for each in dead:
                # Another deliverer, which had its shard before, may have moved it.
                if connection.execute(delete(events).where(events.c.id == each.row.id)).rowcount:
                    connection.execute(self._tables.dead.insert().inline(), _of_dead(each))

    def hold(self, owner: str, seconds: float, decide: Decide) -> set[int]:
        leases = self._tables.leases
        with self._engine.begin() as connection:
            now = now_of(connection)
            expires_at = now + int(seconds * 1_000)
            # First of all, since SQLite gives who has read and then writes no time to wait for others.
            connection.execute(update(leases).where(leases.c.owner == owner).values(expires_at=expires_at))
            found = self._leases(connection)
            if not any(lease.name == owner for lease in found):
                self._appear(connection, owner, expires_at, {lease.name for lease in found})
                found = self._leases(connection)
            decided = decide(found, now)
            self._take(connection, owner, [SHARD_NAMES[each] for each in decided.takes], now, expires_at)
            held = connection.scalars(select(leases.c.name).where(leases.c.owner == owner))
            return numbers_of(held.all())

    def _leases(self, connection: Connection) -> list[Lease]:
        leases = self._tables.leases
        found = connection.execute(select(leases.c.name, leases.c.owner, leases.c.expires_at))
        return [Lease(*row) for row in found]

    def _appear(self, connection: Connection, owner: str, expires_at: int, known: set[str]) -> None:
        leases = self._tables.leases
        for name in SHARD_NAMES:
            if name not in known:
                add(connection, leases, {"name": name, "owner": "", "expires_at": 0})
        add(connection, leases, {"name": owner, "owner": owner, "expires_at": expires_at})

    def _take(self, connection: Connection, owner: str, names: list[str], now: int, expires_at: int) -> None:
        if not names:
            return
        leases = self._tables.leases
        is_free = (leases.c.owner == "") | (leases.c.expires_at <= now)
        # What another one is about to take is left to it, rather than waited for.
        asked = select(leases.c.name).where(leases.c.name.in_(names), is_free)
        free = connection.scalars(asked.with_for_update(skip_locked=True)).all()
        if free:
            taking = update(leases).where(leases.c.name.in_(free), is_free)
            connection.execute(taking.values(owner=owner, expires_at=expires_at))

    def leave(self, owner: str, shards: Collection[int] | None) -> None:
        leases = self._tables.leases
        with self._engine.begin() as connection:
            given = update(leases).where(leases.c.owner == owner, leases.c.name != owner)
            if shards is not None:
                given = given.where(leases.c.name.in_([SHARD_NAMES[each] for each in shards]))
            connection.execute(given.values(owner="", expires_at=0))
            if shards is None:
                now = now_of(connection)
                gone = (leases.c.name == owner) | (
                    leases.c.name.not_in(SHARD_NAMES) & (leases.c.expires_at <= now)
                )
                connection.execute(delete(leases).where(gone))

    def forget_keys(self, before: int, limit: int) -> int:
        once = self._tables.once
        with self._engine.begin() as connection:
            asked = select(once.c.insert_id).where(once.c.logged_at < before).limit(limit)
            old = connection.scalars(asked).all()
            for start in range(0, len(old), 500):
                connection.execute(delete(once).where(once.c.insert_id.in_(old[start : start + 500])))
            return len(old)

    def status(self) -> OutboxStatus:
        with self._engine.connect() as connection:
            return status_of(connection, self._tables)

    def dead(self, after: int, limit: int) -> Sequence[DeadEvent]:
        dead = self._tables.dead
        asked = select(*(dead.c[name] for name in DeadEvent._fields))
        with self._engine.connect() as connection:
            found = connection.execute(asked.where(dead.c.id > after).order_by(dead.c.id).limit(limit))
            return [DeadEvent(*row) for row in found]

    def revive(self, limit: int) -> int:
        dead = self._tables.dead
        with self._engine.begin() as connection:
            asked = select(dead.c.id, dead.c.stream, dead.c.body, dead.c.logged_at).order_by(dead.c.id)
            found = connection.execute(asked.limit(limit).with_for_update()).all()
            for row_id, stream, body, logged_at in found:
                # Only one of several that do this at once.
                if connection.execute(delete(dead).where(dead.c.id == row_id)).rowcount:
                    row = {"stream": stream, "body": body, "logged_at": logged_at}
                    connection.execute(self._tables.events.insert().inline(), row)
            return len(found)

    def close(self) -> None:
        self._engine.dispose()


def _of_dead(each: DeadRow) -> dict[str, object]:
    return {
        "stream": each.row.stream,
        "body": each.row.body,
        "logged_at": each.row.logged_at,
        "died_at": time.time_ns() // 1_000_000,
        "reason": each.reason[:64],
        "code": each.code,
        "message": each.message.replace("\0", ""),
    }
