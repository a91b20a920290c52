"""antinode in trio, where all that can be awaited works as in asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from antinode import Client, Report, flushing
from antinode.testing import Endpoint, faults

trio = pytest.importorskip("trio")
anyio = pytest.importorskip("anyio")

MakeClient = Callable[..., Client]
EVENT: Any = {"event_type": "Tick", "user_id": "user-1"}


@pytest.fixture
def held(endpoint: Endpoint) -> threading.Event:
    """Answers wait until it is set."""
    event = threading.Event()

    def answer(_: object) -> None:
        event.wait(120)

    endpoint.answer = answer
    return event


def test_waits_let_other_tasks_run(make_client: MakeClient, held: threading.Event) -> None:
    """A delivery, a flush and a shutdown are awaited, while another task goes on."""
    client = make_client()
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while turns < 50:
            turns += 1
            await trio.sleep(0)
        held.set()

    async def main() -> None:
        handle = client.log_event(EVENT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(turn)
            assert (await handle).ok
        client.log_event(EVENT)
        assert (await client.aflush(120)).delivered == 2
        client.log_event(EVENT)
        assert (await client.ashutdown(120)).delivered == 1

    trio.run(main)
    assert turns == 50


def test_block_and_decorator(make_client: MakeClient) -> None:
    """`async with` and `flushing` send what was logged in them."""
    client = make_client(upload_interval_in_sec=600)

    @flushing(20, client=client)
    async def handle() -> None:
        client.log_event(EVENT)

    async def main() -> None:
        await handle()
        assert client.stats().delivered == 1
        async with client:
            client.log_event(EVENT)

    trio.run(main)
    assert client.stats().delivered == 2


def test_gives_up_in_time(make_client: MakeClient, endpoint: Endpoint) -> None:
    """With a server that never answers, `aflush` returns with what is pending, `ashutdown` drops it."""
    endpoint.answer = faults.hang()
    client = make_client()
    client.log_event(EVENT)
    assert trio.run(client.aflush, 0.05).pending == 1
    assert trio.run(client.ashutdown, 0.05).dropped == 1


def test_cancelled_waits_leave_nothing_behind(make_client: MakeClient, held: threading.Event) -> None:
    """Neither on the handle nor in the client; and what settles after the loop has ended does no harm."""
    client = make_client()
    handle = client.log_event(EVENT)

    async def await_it() -> None:
        await handle

    async def main() -> None:
        for wait in (await_it, client.aflush):
            with trio.move_on_after(0.01) as scope:
                await wait()
            assert scope.cancelled_caught

    trio.run(main)
    assert not handle.callbacks
    assert client._sender is not None
    assert not client._sender._works.barriers
    held.set()
    assert handle.result(120).ok


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_under_anyio(make_client: MakeClient, backend: str) -> None:
    """With either of its backends."""
    client = make_client()

    async def main() -> Report:
        assert (await client.log_event(EVENT)).ok
        client.log_event(EVENT)
        return await client.aflush(120)

    assert anyio.run(main, backend=backend).delivered == 2


def test_trio_as_a_guest_of_asyncio(make_client: MakeClient) -> None:
    """Each task waits in the loop that it belongs to."""
    client = make_client()

    async def wait() -> str:
        return (await client.log_event(EVENT)).kind

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            wait,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=lambda outcome: ended.set_result(outcome.unwrap()),
        )
        return [await wait(), await ended]

    assert asyncio.run(main()) == ["delivered", "delivered"]


def test_other_loops_are_told_what_to_do(make_client: MakeClient) -> None:
    """Nothing is waited for, and nothing left waiting."""
    client = make_client()
    with pytest.raises(RuntimeError, match=r"need asyncio or trio; elsewhere call flush\(\)"):
        client.aflush().send(None)
