"""What several integrations' tests need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from antinode.testing import Endpoint
from tests.integrations.brokers import redis
from tests.integrations.databases import postgresql


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """The directory of the socket of a PostgreSQL, which runs as long as the tests."""
    with postgresql() as home:
        yield home


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis, which runs as long as the tests."""
    with redis() as url:
        yield url
