"""SQLAlchemy: events that are written as rows of the session's own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from sqlalchemy import MetaData, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

from antinode.outbox._rows import OutboxStatus
from antinode.outbox._writing import WrittenEvent, written
from antinode.outbox.sqlalchemy._statements import add_key, status_of
from antinode.outbox.sqlalchemy._tables import Tables, tables_in

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import async_scoped_session
    from sqlalchemy.orm import scoped_session

    from antinode import Client, Event, EventDict, TypedEvent

    AnyConnection: TypeAlias = Session | Connection | scoped_session[Any]
    AnyAsyncConnection: TypeAlias = AsyncSession | AsyncConnection | async_scoped_session[Any]

__all__ = ["Outbox", "OutboxStatus"]

TABLE: Final = "antinode_outbox"


class Outbox:
    """Tables of your database in which events wait for `antinode outbox deliver`; see docs/outbox.md."""

    def __init__(
        self,
        client: Client | None = None,
        *,
        table: str = TABLE,
        schema: str | None = None,
        metadata: MetaData | None = None,
    ) -> None:
        """`client` is whose events they are: the default instance, unless given.

        `table` is the name of the table of events, and the beginning of the others'. `metadata` is that of
        your models, so that Alembic finds the tables; without it they have one of their own.
        """
        self._client = client
        self.metadata = MetaData() if metadata is None else metadata
        """What holds the tables."""
        self.tables: Tables = tables_in(self.metadata, table, schema)
        """The tables: `events`, `once`, `dead` and `leases`."""

    def log_event(
        self, where: AnyConnection, event: EventDict | Event | TypedEvent, *, once: str | None = None
    ) -> bool:
        """Write the event into the transaction of a session or connection; True if there is a row.

        The event has the values, the `time` and the context of this call, and has gone through the client's
        middleware. One that is refused or skipped is told as by `Client.log_event`, and writes no row.
        `once` is a business key such as "order-88231": for an event type it is written once in seven days;
        the insert_id is made from it. Begins the transaction if there is none yet, as `execute` does.

        Raises `ConfigurationError` for a client without `init`, under `strict=True` also `EventError`, and
        whatever the database raises.
        """
        self._check(where, is_async=False)
        ready = written(event, client=self._client, once=once)
        return ready is not None and self._write(self._connection(where), ready)

    async def alog_event(
        self, where: AnyAsyncConnection, event: EventDict | Event | TypedEvent, *, once: str | None = None
    ) -> bool:
        """`log_event` for an `AsyncSession`, an `async_scoped_session` or an `AsyncConnection`."""
        self._check(where, is_async=True)
        ready = written(event, client=self._client, once=once)
        if ready is None:
            return False
        session: Any = where
        target = session() if hasattr(where, "registry") else session
        done: bool = await target.run_sync(lambda inner: self._write(self._connection(inner), ready))
        return done

    @staticmethod
    def _check(where: object, *, is_async: bool) -> None:
        inner = where.registry() if hasattr(where, "registry") else where
        fits: tuple[type, ...] = (AsyncSession, AsyncConnection) if is_async else (Session, Connection)
        if not isinstance(inner, fits):
            other = "log_event" if is_async else "await outbox.alog_event"
            does = isinstance(inner, (Session, Connection, AsyncSession, AsyncConnection))
            hint = f": write {other}(…)" if does else ", and a session or connection comes first"
            name = "alog_event" if is_async else "log_event"
            raise TypeError(f"Outbox.{name}() does not take {type(inner).__name__}{hint}")

    def _connection(self, where: Any) -> Connection:
        if isinstance(where, Connection):
            return where
        connection: Connection = where.connection(bind_arguments={"clause": self.tables.events})
        return connection

    def _write(self, connection: Connection, ready: WrittenEvent) -> bool:
        tables = self.tables
        if ready.once_key is not None and not add_key(
            connection, tables.once, ready.once_key, ready.logged_at
        ):
            return False
        connection.execute(tables.events.insert().inline(), ready.row)
        return True

    def create_tables(self, bind: Engine | Connection) -> None:
        """Create the tables that are not there yet."""
        self.metadata.create_all(bind, tables=list(self.tables), checkfirst=True)

    def drop_tables(self, bind: Engine | Connection) -> None:
        """Drop the tables, and with them whatever waits."""
        self.metadata.drop_all(bind, tables=list(self.tables), checkfirst=True)

    def pending_events(self, where: AnyConnection) -> list[dict[str, Any]]:
        """The events that wait, in their order, as the session or connection sees them: for tests."""
        self._check(where, is_async=False)
        events = self.tables.events
        found = self._connection(where).scalars(select(events.c.body).order_by(events.c.id))
        return [msgspec.json.decode(body, type=dict[str, Any]) for body in found]

    def status(self, where: AnyConnection) -> OutboxStatus:
        """How many wait, since when, how many are dead, and who delivers."""
        self._check(where, is_async=False)
        return status_of(self._connection(where), self.tables)
