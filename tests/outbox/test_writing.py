"""`Outbox.log_event` of SQLAlchemy: a row if and only if the transaction commits."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, inspect, select, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker

import antinode
from antinode import Client, ConfigurationError, EventError
from antinode.outbox.sqlalchemy import Outbox
from tests.memory import Memory, logging_client


def event(name: str, user: str = "user-1") -> Any:
    return {"event_type": name, "user_id": user}


def names(engine: Engine, outbox: Outbox) -> list[str]:
    """The types of the events that wait."""
    with engine.connect() as connection:
        return [each["event_type"] for each in outbox.pending_events(connection)]


def keys(engine: Engine, outbox: Outbox) -> int:
    with engine.connect() as connection:
        return len(connection.execute(select(outbox.tables.once)).all())


def test_exactly_what_commits_is_written(engine: Engine, outbox: Outbox) -> None:
    """By sessions and connections; a savepoint takes its events with it."""
    with Session(engine) as session, session.begin():
        assert outbox.log_event(session, event("outer"))
        with suppress(ZeroDivisionError), session.begin_nested():
            outbox.log_event(session, event("of a savepoint that is rolled back"))
            raise ZeroDivisionError
        with session.begin_nested():
            outbox.log_event(session, event("of one that is released"))
        assert names(engine, outbox) == []
    with suppress(ZeroDivisionError), Session(engine) as session, session.begin():
        outbox.log_event(session, event("rolled back"), once="order-1")
        raise ZeroDivisionError
    with Session(engine) as session:
        outbox.log_event(session, event("closed without a commit"))
    with engine.begin() as connection:
        outbox.log_event(connection, event("of a connection"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        outbox.log_event(connection, event("by itself"))
    registry = scoped_session(sessionmaker(engine))
    outbox.log_event(registry, event("of a registry"))
    registry.commit()
    registry.remove()
    assert names(engine, outbox) == [
        "outer",
        "of one that is released",
        "of a connection",
        "by itself",
        "of a registry",
    ]
    assert keys(engine, outbox) == 0


def test_the_row_says_whose_event_it_is_and_when(engine: Engine, outbox: Outbox, client: Client) -> None:
    """The event is that of the call: context, middleware, time and insert_id are in it."""
    client.add_event_middleware(lambda payload, next: next(payload))
    logged = {"event_type": "Ordered", "event_properties": {"items": [1]}}
    with Session(engine) as session, session.begin():
        with antinode.context(user_id="user-7"):
            outbox.log_event(session, logged)  # type: ignore[arg-type]
        logged["event_properties"]["items"].append(2)  # type: ignore[index]
    with engine.connect() as connection:
        (row,) = connection.execute(select(outbox.tables.events))
    body = json.loads(row.body)
    assert (body["user_id"], body["event_properties"]) == ("user-7", {"items": [1]})
    assert {"time", "insert_id", "library"} <= body.keys()
    assert abs(row.logged_at - body["time"]) < 60_000
    assert client.stats().accepted == 0


@pytest.mark.filterwarnings("default")
def test_what_would_be_refused_writes_no_row_and_is_told(
    engine: Engine, outbox: Outbox, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log and in the books; under `strict=True` it raises, and nothing is written either."""
    with caplog.at_level(logging.WARNING), Session(engine) as session, session.begin():
        assert not outbox.log_event(session, {"user_id": "user-1"}, once="order-1")  # type: ignore[arg-type]
        client.opt_out = True
        assert not outbox.log_event(session, event("opted out"), once="order-2")
        client.flush()
    assert "`event_type` is missing" in caplog.text
    assert client.stats().rejected == {"invalid_event": 1}
    with logging_client(Memory(), strict=True) as strict, Session(engine) as session:
        with pytest.raises(EventError):
            Outbox(strict).log_event(session, {"user_id": "user-1"})  # type: ignore[arg-type]
        session.commit()
    assert names(engine, outbox) == []
    assert keys(engine, outbox) == 0


def test_a_client_that_is_not_ready_is_a_mistake(engine: Engine, outbox: Outbox) -> None:
    """The event would be lost while its transaction commits."""
    with Session(engine) as session, pytest.raises(ConfigurationError, match="init"):
        Outbox(Client("unready")).log_event(session, event("lost"))


def test_once_is_once(engine: Engine, outbox: Outbox) -> None:
    """In one transaction and in several, also after it was delivered; for each event type by itself."""
    with Session(engine) as session, session.begin():
        assert outbox.log_event(session, event("Paid"), once="order-1")
        assert not outbox.log_event(session, event("Paid"), once="order-1")
    with Session(engine) as session, session.begin():
        assert not outbox.log_event(session, event("Paid", "user-2"), once="order-1")
        assert outbox.log_event(session, event("Shipped"), once="order-1")
    with engine.begin() as connection:
        connection.execute(outbox.tables.events.delete())
    with Session(engine) as session, session.begin():
        assert not outbox.log_event(session, event("Paid"), once="order-1")
        # The transaction goes on.
        assert outbox.log_event(session, event("Other"))
    assert names(engine, outbox) == ["Other"]


def test_once_of_a_transaction_that_was_rolled_back_is_free(engine: Engine, outbox: Outbox) -> None:
    """Nothing was written: the job that is run again writes it."""
    with Session(engine) as session:
        assert outbox.log_event(session, event("Paid"), once="order-1")
        session.rollback()
        assert outbox.log_event(session, event("Paid"), once="order-1")
        session.commit()
    assert names(engine, outbox) == ["Paid"]


def test_once_makes_the_insert_id(engine: Engine, outbox: Outbox, client: Client) -> None:
    """So that Amplitude counts the fact once, too, wherever it was logged; a long id of a middleware fits."""
    with engine.begin() as connection:
        outbox.log_event(connection, event("Paid"), once="order-1")
        assert isinstance(same := client.encode_event(event("Paid"), once="order-1"), bytes)
        (written,) = outbox.pending_events(connection)
        assert written["insert_id"] == json.loads(same)["insert_id"]

        def lengthen(payload: Any, next: Any) -> None:
            payload.event["insert_id"] *= 10
            next(payload)

        client.add_event_middleware(lengthen)
        assert outbox.log_event(connection, event("Paid"), once="order-1")
        assert not outbox.log_event(connection, event("Paid"), once="order-1")


def test_two_transactions_with_one_key_write_one_row(postgres_url: str, client: Client) -> None:
    """The second waits for the first: it writes if that was rolled back, and else does not."""
    engine, outbox = create_engine(postgres_url), Outbox(client, table="racing")
    outbox.create_tables(engine)
    results: dict[str, bool] = {}

    def write(key: str) -> None:
        with Session(engine) as session, session.begin():
            results[key] = outbox.log_event(session, event(key), once=key)

    with Session(engine) as committed, Session(engine) as rolled_back:
        assert outbox.log_event(committed, event("first"), once="first")
        assert outbox.log_event(rolled_back, event("second"), once="second")
        threads = [threading.Thread(target=write, args=(key,)) for key in ("first", "second")]
        for thread in threads:
            thread.start()
        with engine.connect() as connection:
            waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            while connection.scalar(waiting) != 2:
                connection.rollback()
        committed.commit()
        rolled_back.rollback()
        for thread in threads:
            thread.join(120)
    assert results == {"first": False, "second": True}
    assert names(engine, outbox) == ["first", "second"]
    outbox.drop_tables(engine)
    engine.dispose()


def test_asynchronous_sessions(url: str, engine: Engine, outbox: Outbox) -> None:
    """Sessions, registries and connections of asyncio."""

    async def use() -> None:
        made = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))
        async with AsyncSession(made) as session:
            assert await outbox.alog_event(session, event("stays"), once="order-1")
            assert not await outbox.alog_event(session, event("stays"), once="order-1")
            await session.commit()
            await outbox.alog_event(session, event("gone"))
            await session.rollback()
        registry = async_scoped_session(async_sessionmaker(made), asyncio.current_task)
        await outbox.alog_event(registry, event("of a registry"))
        await registry.commit()
        await registry.remove()
        async with made.begin() as connection:
            await outbox.alog_event(connection, event("of a connection"))
            assert not await outbox.alog_event(connection, {"user_id": "user-1"})  # type: ignore[arg-type]
            with pytest.raises(TypeError, match=r"await outbox\.alog_event"):
                outbox.log_event(connection, event("wrong"))  # type: ignore[arg-type]
        await made.dispose()

    asyncio.run(use())
    assert names(engine, outbox) == ["stays", "of a registry", "of a connection"]


def test_what_is_no_session_is_refused_by_name(engine: Engine, outbox: Outbox) -> None:
    """With what to write instead."""
    with pytest.raises(TypeError, match="not take Engine, and a session or connection comes first"):
        outbox.log_event(engine, event("x"))  # type: ignore[arg-type]
    with Session(engine) as session, pytest.raises(TypeError, match="log_event"):
        asyncio.run(outbox.alog_event(session, event("x")))  # type: ignore[arg-type]
    with Session(engine, autobegin=False) as session, pytest.raises(InvalidRequestError):
        outbox.log_event(session, event("x"))


def test_outboxes_have_tables_of_their_own(postgres_url: str, client: Client) -> None:
    """By name, in a schema, in the application's metadata; made twice they are the same."""
    engine, metadata = create_engine(postgres_url), MetaData()
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA analytics"))
    billing = Outbox(client, table="billing_events", schema="analytics", metadata=metadata)
    assert (
        Outbox(client, table="billing_events", schema="analytics", metadata=metadata).tables == billing.tables
    )
    assert "analytics.billing_events_once" in metadata.tables
    billing.create_tables(engine)
    with Session(engine) as session, session.begin():
        assert billing.log_event(session, event("Billed"), once="1")
        assert billing.status(session).waiting == 1
    assert names(engine, billing) == ["Billed"]
    billing.drop_tables(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA analytics"))
    engine.dispose()


ENV = """
from alembic import context
from sqlalchemy import create_engine
from tests.outbox.test_writing import ALEMBIC_METADATA

engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=ALEMBIC_METADATA)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""
TEMPLATE = """
from alembic import op
import sqlalchemy as sa
from sqlalchemy import Text
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}

def upgrade():
    ${upgrades if upgrades else "pass"}

def downgrade():
    ${downgrades if downgrades else "pass"}
"""
BY_HAND = """
from alembic import op
from antinode.outbox.sqlalchemy import Outbox

revision, down_revision = "1", None

def upgrade():
    Outbox().create_tables(op.get_bind())

def downgrade():
    Outbox().drop_tables(op.get_bind())
"""
ALEMBIC_METADATA = MetaData()
Table("orders", ALEMBIC_METADATA, Column("id", Integer, primary_key=True))
Outbox(metadata=ALEMBIC_METADATA)
TABLES = {"antinode_outbox", "antinode_outbox_once", "antinode_outbox_dead", "antinode_outbox_lease"}


@pytest.mark.parametrize("way", ["autogenerate", "by hand"])
def test_alembic_makes_the_tables_and_takes_them_away(
    engine: Engine, client: Client, tmp_path: Path, url: str, way: str
) -> None:
    """From the application's metadata, after which it finds no difference, or by the revision of the page."""
    from alembic import command
    from alembic.config import Config

    scripts = tmp_path / "scripts"
    (scripts / "versions").mkdir(parents=True)
    (scripts / "env.py").write_text(ENV)
    (scripts / "script.py.mako").write_text(TEMPLATE)
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    if way == "by hand":
        (scripts / "versions" / "1.py").write_text(BY_HAND)
    else:
        command.revision(config, autogenerate=True)
    command.upgrade(config, "head")
    assert set(inspect(engine).get_table_names()) >= TABLES
    with engine.begin() as connection:
        assert Outbox(client).log_event(connection, event("Ordered"), once="1")
    if way == "autogenerate":
        command.check(config)
    command.downgrade(config, "base")
    assert not TABLES & set(inspect(engine).get_table_names())
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
