"""`antinode.flushing`: what a function logged has left when it returns."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import antinode
from antinode import Client, ConfigurationError, flushing
from antinode.testing import Endpoint, faults

EVENT: Any = {"event_type": "Tick", "user_id": "user-1"}


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    return make_client(upload_interval_in_sec=60)


def test_decorated_function_has_flushed_when_it_returns(client: Client) -> None:
    """Its name and result are its own."""

    @flushing(timeout=20, client=client)
    def handler(value: int) -> int:
        client.log_event(EVENT)
        return value + 1

    assert handler(1) == 2
    assert client.stats().delivered == 1
    assert handler.__name__ == "handler"


def test_decorated_function_has_flushed_when_it_raises(client: Client) -> None:
    """And the exception passes through."""

    @flushing(20, client=client)
    def handler() -> None:
        client.log_event(EVENT)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        handler()
    assert client.stats().delivered == 1


@pytest.mark.parametrize("raises", [False, True])
async def test_decorated_coroutine_function(client: Client, raises: bool) -> None:
    """It is awaited first, and flushes without blocking the loop."""

    @flushing(20, client=client)
    async def handler() -> str:
        client.log_event(EVENT)
        if raises:
            raise KeyError
        return "done"

    if raises:
        with pytest.raises(KeyError):
            await handler()
    else:
        assert await handler() == "done"
    assert client.stats().delivered == 1


async def test_coroutine_function_under_another_decorator(client: Client) -> None:
    """What is returned is awaited, though nothing about the function says that it will be awaitable."""

    def plain(fn: Callable[[], Any]) -> Callable[[], Any]:
        @functools.wraps(fn)
        def called() -> Any:
            return fn()

        return called

    async def handler() -> None:
        client.log_event(EVENT)

    await flushing(20, client=client)(plain(handler))()
    assert client.stats().delivered == 1


async def test_blocks(client: Client) -> None:
    """`with` and `async with` give the client and flush at their end, also after an exception."""
    with flushing(20, client=client) as same:
        same.log_event(EVENT)
    assert client.stats().delivered == 1

    async def use() -> None:
        async with flushing(20, client=client) as same:
            same.log_event(EVENT)
            raise KeyError

    with pytest.raises(KeyError):
        await use()
    assert client.stats().delivered == 2


def test_outage_costs_the_timeout_and_no_event(client: Client, endpoint: Endpoint) -> None:
    """What could not leave stays queued for the next invocation."""
    endpoint.answer = faults.times(1, faults.Answer(500))

    @flushing(timeout=0, client=client)
    def handler() -> None:
        client.log_event(EVENT)

    handler()
    assert client.stats().pending == 1
    with flushing(20, client=client):
        pass
    assert client.stats().delivered == 1


def test_default_instance_is_meant_unless_another_is_given(endpoint: Endpoint) -> None:
    """It is looked up at the end, so `init` may come after the decorator."""

    @flushing(20)
    def handler() -> None:
        antinode.log_event(EVENT)

    with antinode.init("0123456789abcdef0123456789abcdef", server_url=endpoint.url) as client:
        handler()
        assert client.stats().delivered == 1


def test_misuse_is_told() -> None:
    """A forgotten pair of parentheses, and generators, whose end the decorator cannot see."""
    with pytest.raises(ConfigurationError, match=r"write @antinode\.flushing\(\)"):
        flushing(test_misuse_is_told)  # type: ignore[arg-type]

    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    for fn in (generator, async_generator):
        with pytest.raises(ConfigurationError, match="inside it"):
            flushing()(fn)
