"""The SQL, but for what a single statement is enough for: for PostgreSQL, SQLite, MySQL and others."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Select,
    Table,
    TextClause,
    bindparam,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import Insert

from antinode.outbox._rows import SHARDS, OutboxStatus
from antinode.outbox._shares import SHARD_NAMES
from antinode.outbox.sqlalchemy._tables import Tables

_CLOCKS = {
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    "mysql": "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
    "mariadb": "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
}


def clock(dialect: str) -> TextClause | None:
    """What asks for the time in milliseconds; None where it is this machine's."""
    return text(f"SELECT {_CLOCKS[dialect]}") if dialect in _CLOCKS else None


def now_of(connection: Connection) -> int:
    """The time by the clock that all deliverers have in common, in milliseconds."""
    asked = clock(connection.dialect.name)
    return time.time_ns() // 1_000_000 if asked is None else int(cast("Any", connection.scalar(asked)))


def insert_new(dialect: str, table: Table) -> Insert | None:
    """An INSERT that leaves alone what has the same primary key; None where there is none."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing().inline()
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing().inline()
    if dialect in {"mysql", "mariadb"}:
        return mysql.insert(table).prefix_with("IGNORE").inline()
    return None


def add(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row, unless one has the same primary key; whether it was inserted."""
    statement = insert_new(connection.dialect.name, table)
    if statement is not None:
        # Of an INSERT the number is not kept unless it is asked for.
        counted = {"preserve_rowcount": True}
        return connection.execute(statement, row, execution_options=counted).rowcount == 1
    try:
        with connection.begin_nested():
            connection.execute(table.insert().inline(), row)
    except IntegrityError:
        return False
    return True


def add_key(connection: Connection, once: Table, key: str, logged_at: int) -> bool:
    """Keep a key of `once=`; False if it is there already."""
    return add(connection, once, {"insert_id": key, "logged_at": logged_at})


def looking(dialect: str, events: Table) -> Select[Any]:
    """What asks for the highest id, and for the oldest of the transactions that are open."""
    highest = select(func.max(events.c.id)).scalar_subquery()
    is_numbered = dialect == "postgresql"
    return select(
        highest, literal_column("txid_snapshot_xmin(txid_current_snapshot())" if is_numbered else "0")
    )


def reading(events: Table, *, reach: int, shards: Collection[int], without: Collection[int]) -> Select[Any]:
    """What asks for the rows of a deliverer; the numbers stand in the statement, of which some take few."""
    asked = select(events.c.id, events.c.stream, events.c.body, events.c.logged_at)
    asked = asked.where(events.c.id <= reach).order_by(events.c.id)
    if len(shards) < SHARDS:
        asked = asked.where((events.c.stream % SHARDS).in_(_literal("shards", shards)))
    if without:
        asked = asked.where(events.c.stream.not_in(_literal("streams", without)))
    return asked


def _literal(name: str, numbers: Collection[int]) -> Any:
    return bindparam(name, sorted(numbers), expanding=True, literal_execute=True, type_=BigInteger)


def status_of(connection: Connection, tables: Tables) -> OutboxStatus:
    """What the outbox tells of itself."""
    events, leases = tables.events, tables.leases
    waiting = connection.scalar(select(func.count()).select_from(events)) or 0
    first = connection.scalar(select(events.c.logged_at).order_by(events.c.id).limit(1))
    dead = connection.scalar(select(func.count()).select_from(tables.dead)) or 0
    deliverers: dict[str, int] = {}
    living = select(leases.c.owner, leases.c.name).where(leases.c.expires_at > now_of(connection))
    for owner, name in connection.execute(living):
        deliverers[owner] = deliverers.get(owner, 0) + (name in SHARD_NAMES)
    age = None if first is None else max(0.0, time.time() - first / 1_000)
    return OutboxStatus(waiting, age, dead, deliverers)
