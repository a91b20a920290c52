"""Fixtures of the tests about processes and threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from antinode import Client
from antinode.testing import Endpoint
from tests.lifecycle.driver import KEY


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running


@pytest.fixture(autouse=True)
def alone() -> None:
    """Threads of earlier tests' clients have ended, for which `shutdown(0)` does not wait."""
    for thread in threading.enumerate():
        if thread.name.startswith("antinode-lifecycle"):
            thread.join(120)


@pytest.fixture
def make_client(endpoint: Endpoint) -> Iterator[Callable[..., Client]]:
    """Makes clients of the endpoint that are shut down with the test."""
    made: list[Client] = []

    def make(**options: Any) -> Client:
        if "transport" not in options:
            options.setdefault("server_url", endpoint.url)
        client = Client("lifecycle").init(KEY, **options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.shutdown(0)
