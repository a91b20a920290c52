"""What the tests of ready-made middleware share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from antinode import Client, Middleware
from tests.memory import Memory, logging_client, sent

Through = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def through() -> Iterator[Through]:
    """Logs events through middlewares, and returns what a server receives of them."""
    clients: list[Any] = []

    def log(middlewares: Middleware | list[Middleware], *events: dict[str, Any]) -> list[dict[str, Any]]:
        memory = Memory()
        context = logging_client(memory)
        client: Client = context.__enter__()
        clients.append(context)
        for each in middlewares if isinstance(middlewares, list) else [middlewares]:
            client.add_event_middleware(each)
        for event in events:
            client.log_event(event)  # type: ignore[call-overload]
        return sent(client, memory)

    yield log
    for each in clients:
        each.__exit__(None, None, None)


def event(event_type: str = "Order Placed", **fields: Any) -> dict[str, Any]:
    return {"event_type": event_type, "user_id": "user-20391", **fields}
