"""Databases for the outbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from antinode import Client
from antinode.testing import Endpoint
from tests.integrations.databases import postgresql
from tests.memory import Memory, logging_client

sqlalchemy = pytest.importorskip("sqlalchemy")

from antinode.outbox.sqlalchemy import Outbox  # noqa: E402 - only where it is installed


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """The directory of the socket of a PostgreSQL, which runs as long as the tests."""
    with postgresql() as home:
        yield home


@pytest.fixture
def postgres_url(postgres: Path) -> str:
    return f"postgresql+psycopg://postgres@/postgres?host={postgres}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of SQLAlchemy's."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/database"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def engine(url: str) -> Iterator[sqlalchemy.Engine]:
    made = sqlalchemy.create_engine(url)
    yield made
    made.dispose()


@pytest.fixture
def client() -> Iterator[Client]:
    """Whose events are written; it sends nothing."""
    with logging_client(Memory()) as made:
        yield made


@pytest.fixture
def outbox(engine: sqlalchemy.Engine, client: Client) -> Iterator[Outbox]:
    """An outbox with its tables."""
    made = Outbox(client)
    made.create_tables(engine)
    yield made
    made.drop_tables(engine)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running
