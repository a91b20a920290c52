"""`with_lifespan`: the end of the server drains, whatever the application says of its own lifespan."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

import antinode
from antinode import _instances
from antinode.integrations.asgi import with_lifespan
from tests.lifecycle.driver import KEY
from tests.memory import Memory

STARTED, ENDED = "lifespan.startup.complete", "lifespan.shutdown.complete"


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """What a default instance of the test's own sends to."""
    monkeypatch.setattr(_instances, "_default", antinode.Client())
    transport = Memory()
    antinode.init(KEY, transport=transport, upload_interval_in_sec=600)
    yield transport
    antinode.shutdown()


def log(name: str) -> None:
    antinode.log_event({"event_type": name, "user_id": "user-1"})


def live(app: Any, memory: Memory) -> tuple[list[str], list[str], str]:
    """Start and end an application: what it says, what had arrived by the last of it, and what it raises."""
    said: list[str] = []
    arrived: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        said.append(message["type"])
        arrived[:] = [each["event_type"] for each in memory.events]

    raised = ""
    try:
        asyncio.run(with_lifespan(app)({"type": "lifespan"}, receive, send))
    except ZeroDivisionError as error:
        raised = type(error).__name__
    return said, arrived, raised


async def none(scope: Any, receive: Any, send: Any) -> None:
    """Django's answer."""
    raise ValueError("only HTTP")


async def mute(scope: Any, receive: Any, send: Any) -> None:
    """One that looks at nothing."""


async def confused(scope: Any, receive: Any, send: Any) -> None:
    """One that reads the body of any request."""
    await receive()
    raise KeyError("http")


async def whole(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": STARTED})
    await receive()
    log("late")
    await send({"type": ENDED})


async def started(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": STARTED})


async def failing(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed"})
    raise ZeroDivisionError


async def breaking(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": STARTED})
    await receive()
    raise ZeroDivisionError


@pytest.mark.parametrize("app", [none, mute, confused, whole, started], ids=lambda app: app.__name__)
def test_all_is_sent_before_the_server_hears_of_the_end(
    app: Callable[..., Awaitable[None]], memory: Memory
) -> None:
    """By an application that has a lifespan, whole or not, and for one that has none."""
    log("queued")
    said, arrived, raised = live(app, memory)
    assert (said, raised) == ([STARTED, ENDED], "")
    assert arrived == (["queued", "late"] if app is whole else ["queued"])


def test_an_application_that_fails_to_start_or_end_is_left_to_fail(memory: Memory) -> None:
    """The server hears what it would have heard; what was queued is sent when it breaks at its end."""
    assert live(failing, memory) == (["lifespan.startup.failed"], [], "ZeroDivisionError")
    log("queued")
    assert live(breaking, memory)[::2] == ([STARTED], "ZeroDivisionError")
    assert [each["event_type"] for each in memory.events] == ["queued"]


def test_requests_pass_through(memory: Memory) -> None:
    """Nothing else is looked at."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    asyncio.run(with_lifespan(app)({"type": "http"}, receive := object(), send := object()))  # type: ignore[arg-type]
    assert seen == [({"type": "http"}, receive, send)]
