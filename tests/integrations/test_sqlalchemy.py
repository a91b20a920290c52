"""`log_on_commit` of SQLAlchemy, on SQLite and on PostgreSQL: what commits is logged, and nothing else."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import antinode
from antinode import Client
from antinode.testing import Endpoint
from tests.examples import examples
from tests.lifecycle.driver import KEY

sqlalchemy = pytest.importorskip("sqlalchemy")

from sqlalchemy import create_engine, event, text  # noqa: E402 - only where it is installed
from sqlalchemy.exc import IntegrityError, InvalidRequestError  # noqa: E402
from sqlalchemy.ext.asyncio import (  # noqa: E402
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker  # noqa: E402

from antinode.integrations.sqlalchemy import log_on_commit  # noqa: E402

TABLES = (
    "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
    "CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
)


class Recorder:
    """Stands for a client: what was logged to it."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def log_event(self, event: Any, *, once: str | None = None) -> None:
        self.seen.append(event["event_type"])


@pytest.fixture
def log() -> Recorder:
    return Recorder()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/database"
    return f"postgresql+psycopg://postgres@/postgres?host={request.getfixturevalue('postgres')}"


@pytest.fixture
def engine(url: str) -> Iterator[sqlalchemy.Engine]:
    made = create_engine(url)
    if made.dialect.name == "sqlite":
        event.listen(made, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))
    with made.begin() as connection:
        for table in TABLES:
            connection.execute(text(table))
    yield made
    with made.begin() as connection:
        for table in ("child", "parent"):
            connection.execute(text(f"DROP TABLE {table}"))
    made.dispose()


def note(session: Any, name: str, log: Recorder) -> None:
    """Write a row, and an event about it."""
    target = session() if isinstance(session, scoped_session) else session
    target.execute(text("INSERT INTO parent SELECT count(*) FROM parent"))
    log_on_commit(session, {"event_type": name, "user_id": "user-1"}, client=log)  # type: ignore[arg-type]


def test_event_is_logged_when_the_transaction_commits_and_not_before(
    engine: sqlalchemy.Engine, log: Recorder
) -> None:
    """In the order of the calls, and by the next transaction of the session not again."""
    with Session(engine) as session:
        note(session, "first", log)
        note(session, "second", log)
        assert log.seen == []
        session.commit()
        assert log.seen == ["first", "second"]
        session.commit()
        with session.begin():
            note(session, "third", log)
    assert log.seen == ["first", "second", "third"]


@pytest.mark.parametrize("end", ["rollback", "close", "reset", "exception"])
def test_event_is_never_logged_when_the_transaction_does_not_commit(
    engine: sqlalchemy.Engine, log: Recorder, end: str
) -> None:
    """However it ends, and whatever the session commits later."""
    with Session(engine) as session:
        if end == "exception":
            with suppress(ZeroDivisionError), session.begin():
                note(session, "gone", log)
                raise ZeroDivisionError
        else:
            note(session, "gone", log)
            getattr(session, end)()
        note(session, "stays", log)
        session.commit()
    assert log.seen == ["stays"]


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_session_that_lives_on_holds_nothing_of_ended_transactions(
    engine: sqlalchemy.Engine, log: Recorder, end: str
) -> None:
    """Neither of those that committed nor of the others, savepoints included."""

    with Session(engine) as session:
        for begin in (lambda: None, session.begin_nested):
            session.execute(text("SELECT 1"))
            begin()
            log_on_commit(session, {"event_type": "Ordered"}, client=log)  # type: ignore[arg-type]
            getattr(session, end)()
        assert not any(session.info.values())


def test_event_of_a_commit_that_the_database_refuses_is_not_logged(
    engine: sqlalchemy.Engine, log: Recorder
) -> None:
    """A deferred constraint speaks at the commit."""
    with Session(engine) as session:
        session.execute(text("INSERT INTO child VALUES (404)"))
        note(session, "gone", log)
        with pytest.raises(IntegrityError):
            session.commit()
        session.rollback()
    assert log.seen == []


def test_event_of_a_savepoint_that_is_rolled_back_goes_and_the_others_stay(
    engine: sqlalchemy.Engine, log: Recorder
) -> None:
    """A savepoint inside it goes with it, though that one was released."""
    with Session(engine) as session, session.begin():
        note(session, "outer", log)
        with suppress(ZeroDivisionError), session.begin_nested():
            note(session, "rolled back", log)
            with session.begin_nested():
                note(session, "released in it", log)
            raise ZeroDivisionError
        with session.begin_nested():
            note(session, "released", log)
        note(session, "outer again", log)
    assert log.seen == ["outer", "released", "outer again"]


def test_two_phases_log_at_the_second(postgres: Path, log: Recorder) -> None:
    """After PREPARE TRANSACTION the event waits; then it is logged, or is gone."""
    engine = create_engine(f"postgresql+psycopg://postgres@/postgres?host={postgres}")
    for name, end in (("committed", "commit"), ("gone", "rollback")):
        with Session(engine, twophase=True) as session:
            session.execute(text("SELECT 1"))
            log_on_commit(session, {"event_type": name}, client=log)  # type: ignore[arg-type]
            session.prepare()
            assert name not in log.seen
            getattr(session, end)()
    engine.dispose()
    assert log.seen == ["committed"]


@pytest.mark.parametrize(
    "mode", ["create_savepoint", "rollback_only", "conditional_savepoint", "control_fully"]
)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_session_in_the_transaction_of_a_connection_logs_when_that_commits(
    engine: sqlalchemy.Engine, log: Recorder, mode: Any, end: str
) -> None:
    """As in the usual fixture of tests, which rolls everything back that the code under test commits."""
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode=mode) as session:
            note(session, "inner", log)
            session.commit()
        if mode == "control_fully":
            assert log.seen == ["inner"]
            return
        assert log.seen == []
        getattr(outer, end)()
    assert log.seen == (["inner"] if end == "commit" else [])


def test_savepoint_of_the_connection_takes_its_events_with_it(
    engine: sqlalchemy.Engine, log: Recorder
) -> None:
    """What committed sessions have logged in a savepoint of the connection around them."""
    with engine.connect() as connection, connection.begin():

        def one(name: str) -> None:
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                note(session, name, log)
                session.commit()

        one("first")
        savepoint = connection.begin_nested()
        one("rolled back")
        savepoint.rollback()
        with connection.begin_nested():
            one("released")
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            note(session, "rolled back by itself", log)
            session.rollback()
    assert log.seen == ["first", "released"]


def test_session_without_a_transaction_begins_one(engine: sqlalchemy.Engine, log: Recorder) -> None:
    """As `add` does: an event that was logged before anything else is rolled back as well."""
    with Session(engine) as session:
        log_on_commit(session, {"event_type": "gone"}, client=log)  # type: ignore[arg-type]
        session.rollback()
        log_on_commit(session, {"event_type": "stays"}, client=log)  # type: ignore[arg-type]
        session.commit()
    assert log.seen == ["stays"]
    with Session(engine, autobegin=False) as session, pytest.raises(InvalidRequestError, match="begin"):
        log_on_commit(session, {"event_type": "refused"}, client=log)  # type: ignore[arg-type]


def test_listeners_of_the_application_may_log_too(engine: sqlalchemy.Engine, log: Recorder) -> None:
    """In a flush the event waits for the commit; after the commit it is logged at once."""
    with Session(engine) as session:

        @event.listens_for(session, "after_commit")
        def committed(session: Session) -> None:
            log_on_commit(session, {"event_type": "after the commit"}, client=log)  # type: ignore[arg-type]

        note(session, "before", log)
        session.commit()
    assert log.seen == ["before", "after the commit"]


def test_registries_and_factories_are_taken(engine: sqlalchemy.Engine, log: Recorder) -> None:
    """A `scoped_session` and a session of a `sessionmaker`; anything else is refused by name."""
    registry = scoped_session(sessionmaker(engine))
    note(registry, "scoped", log)
    registry.commit()
    registry.remove()
    with sessionmaker(engine).begin() as session:
        note(session, "made", log)
    assert log.seen == ["scoped", "made"]
    with pytest.raises(TypeError, match="not Engine"):
        log_on_commit(engine, {"event_type": "x"})  # type: ignore[arg-type]


def test_asynchronous_sessions(url: str, engine: sqlalchemy.Engine, log: Recorder) -> None:
    """Commits, rollbacks and savepoints of an `AsyncSession`, also in a registry."""

    async def use() -> None:
        made = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))

        def say(session: Any, name: str) -> None:
            log_on_commit(session, {"event_type": name}, client=log)  # type: ignore[arg-type]

        async with AsyncSession(made) as session:
            await session.execute(text("SELECT 1"))
            say(session, "outer")
            savepoint = await session.begin_nested()
            say(session, "rolled back")
            await savepoint.rollback()
            async with session.begin_nested():
                say(session, "released")
            assert log.seen == []
            await session.commit()
            say(session, "gone")
            await session.rollback()
        registry = async_scoped_session(async_sessionmaker(made), asyncio.current_task)
        say(registry, "scoped")
        await registry.commit()
        await registry.remove()
        await made.dispose()

    asyncio.run(use())
    assert log.seen == ["outer", "released", "scoped"]


def test_event_is_that_of_the_call(engine: sqlalchemy.Engine, endpoint: Endpoint) -> None:
    """Its values, its time and its context, whatever has changed when the transaction commits."""
    with Client("test").init(KEY, server_url=endpoint.url) as client, Session(engine) as session:
        logged = {"event_type": "Ordered", "event_properties": {"items": [1]}}
        with antinode.context(user_id="user-1", event_properties={"page": "cart"}):
            log_on_commit(session, logged, client=client, once="order-1")  # type: ignore[arg-type]
            antinode.add_context(ip="192.0.2.1")
        logged["event_properties"]["items"].append(2)  # type: ignore[index]
        called_by = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 == called_by:
            pass
        with antinode.context(user_id="user-2", language="de"):
            session.commit()
    (seen,) = endpoint.events
    assert (seen["user_id"], seen["event_properties"]) == ("user-1", {"page": "cart", "items": [1]})
    assert not {"ip", "language"} & seen.keys()
    assert seen["time"] <= called_by
    with Client("test").init(KEY, server_url=endpoint.url) as client:
        client.log_event({"event_type": "Ordered", "user_id": "user-1"}, once="order-1")
    assert endpoint.received[1]["insert_id"] == seen["insert_id"]


def test_fault_of_an_event_costs_the_commit_nothing(
    engine: sqlalchemy.Engine, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """Also under `strict=True`: what the event tells of has happened."""
    with Client("test").init(KEY, server_url=endpoint.url, strict=True) as client, Session(engine) as session:
        for odd in ({"user_id": "user-1"}, None, {"event_type": "Fine", "user_id": "user-1"}):
            log_on_commit(session, odd, client=client)  # type: ignore[arg-type]
        with caplog.at_level(logging.ERROR):
            session.commit()
    assert [each["event_type"] for each in endpoint.events] == ["Fine"]
    assert caplog.text.count("an event could not be logged at its commit") == 2


Work = st.recursive(
    st.just("event"),
    lambda inner: st.tuples(st.sampled_from(["commit", "rollback"]), st.lists(inner, max_size=4)),
    max_leaves=20,
)


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(st.sampled_from(["commit", "rollback"]), st.lists(Work, max_size=4)), max_size=4))
def test_exactly_what_all_around_it_commits_is_logged(transactions: list[Any]) -> None:
    """Whatever the nesting of savepoints: an event is logged if each transaction around it commits."""
    log, wanted, count = Recorder(), [], iter(range(10_000))
    engine = create_engine("sqlite://")

    def work(session: Session, steps: list[Any], is_kept: bool) -> None:
        for step in steps:
            if step == "event":
                name = str(next(count))
                log_on_commit(session, {"event_type": name}, client=log)  # type: ignore[arg-type]
                if is_kept:
                    wanted.append(name)
            else:
                end, inner = step
                savepoint = session.begin_nested()
                work(session, inner, is_kept and end == "commit")
                getattr(savepoint, end)()

    with Session(engine) as session:
        for end, steps in transactions:
            work(session, steps, end == "commit")
            getattr(session, end)()
    engine.dispose()
    assert sorted(log.seen, key=int) == wanted
