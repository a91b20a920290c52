"""A directory for a spool, clients with one, and an endpoint to deliver to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from antinode import Client
from antinode.testing import Endpoint
from tests.lifecycle.driver import KEY
from tests.memory import Memory
from tests.storage.spooling import MakeClient


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running


@pytest.fixture
def make_client(directory: Path) -> Iterator[MakeClient]:
    """Makes clients with a spool, which are shut down with the test."""
    made: list[Client] = []
    gates: list[threading.Event] = []

    def make(key: str = KEY, **options: Any) -> Client:
        if isinstance(transport := options.get("transport"), Memory):
            gates.append(transport.gate)
        client = Client("test").init(key, **{"storage": directory, **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.shutdown(0)
    # A request that waits for its test would keep its thread for two minutes, in the midst of others.
    for gate in gates:
        gate.set()
