"""asyncio: waiting never blocks the loop, and a loop that ends early does no harm."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from antinode import Client
from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import KEY

MakeClient = Callable[..., Client]


def tick(user: str = "user-1", seq: int = 0) -> Any:
    return {"event_type": "Tick", "user_id": user, "event_properties": {"seq": seq}}


async def while_the_loop_turns(waiting: Any, turns: int, release: Callable[[], object]) -> Any:
    """Await something that cannot end before `release`, which is called after so many turns of the loop."""

    async def turn() -> None:
        for _ in range(turns):
            await asyncio.sleep(0.001)
        release()

    turning = asyncio.create_task(turn())
    result = await waiting
    assert turning.done(), "it ended before it was released"
    return result


@pytest.fixture
def held(endpoint: Endpoint) -> threading.Event:
    """Set, it lets the endpoint's answers go; they wait until then."""
    go = threading.Event()
    endpoint.answer = lambda _: go.wait(120) and None
    return go


async def test_awaited_delivery_lets_the_loop_turn(make_client: MakeClient, held: threading.Event) -> None:
    """The outcome arrives while other tasks run."""
    handle = make_client().log_event(tick())
    outcome = await while_the_loop_turns(handle, 100, held.set)
    assert outcome.ok
    assert await handle is outcome


async def test_aflush_lets_the_loop_turn(make_client: MakeClient, held: threading.Event) -> None:
    """It reports what `flush` reports."""
    client = make_client()
    client.log_event(tick())
    report = await while_the_loop_turns(client.aflush(120), 700, held.set)
    assert report.delivered == 1


async def test_ashutdown_lets_the_loop_turn(make_client: MakeClient, held: threading.Event) -> None:
    """Its threads are gone when it returns."""
    client = make_client()
    client.log_event(tick())
    report = await while_the_loop_turns(client.ashutdown(120), 100, held.set)
    assert report.delivered == 1
    assert not [each for each in threading.enumerate() if each.name.startswith("antinode-lifecycle")]


async def test_ashutdown_does_not_block_the_loop_for_a_slow_callback(make_client: MakeClient) -> None:
    """Callbacks run on another thread, and what they take is waited for without blocking."""
    begun, go = threading.Event(), threading.Event()

    def slow(_: object) -> None:
        begun.set()
        go.wait(120)

    client = make_client(on_outcome=slow)
    client.log_event(tick())
    assert await asyncio.to_thread(begun.wait, 20)
    await while_the_loop_turns(client.ashutdown(120), 50, go.set)


async def test_aflush_gives_up_in_time(make_client: MakeClient, endpoint: Endpoint) -> None:
    """With a server that never answers it returns, and says what is pending."""
    endpoint.answer = faults.hang()
    client = make_client()
    client.log_event(tick())
    assert (await client.aflush(0.05)).pending == 1
    assert (await client.aflush(0)).pending == 1
    assert (await client.ashutdown(0.05)).dropped == 1


async def test_async_with_shuts_down(endpoint: Endpoint) -> None:
    """Leaving the block sends what is queued; an exception in it passes through."""
    client = Client("lifecycle").init(KEY, server_url=endpoint.url)

    async def use() -> None:
        async with client:
            client.log_event(tick())
            raise KeyError

    with pytest.raises(KeyError):
        await use()
    assert client.stats().delivered == 1
    assert client.log_event(tick()).result(0).reason == "shutdown"


async def test_many_deliveries_at_once(make_client: MakeClient) -> None:
    """`gather` takes them as they are."""
    client = make_client()
    outcomes = await asyncio.gather(*(client.log_event(tick(f"user-{i}")) for i in range(200)))
    assert all(outcome.ok for outcome in outcomes)


async def test_cancelled_waits_leave_nothing_behind(make_client: MakeClient, held: threading.Event) -> None:
    """Neither on the handle nor in the client; the event is delivered all the same."""
    client = make_client()
    handle = client.log_event(tick())
    for _ in range(20):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(handle, 0.001)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.aflush(), 0.001)
    assert not handle.callbacks
    assert client._sender is not None
    assert not client._sender._works.barriers
    held.set()
    assert (await handle).ok


def test_loop_that_closes_first_does_no_harm(
    make_client: MakeClient, held: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    """A task that was awaiting goes down with its loop; the event settles, and nobody complains."""
    client = make_client()
    handle = client.log_event(tick())
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(each) for each in (wait_for(handle), client.aflush())]
    loop.run_until_complete(asyncio.sleep(0))
    for task in tasks:
        # As at a crash: nobody cancels them, and nobody asks how they ended.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    held.set()
    assert handle.result(120).ok
    assert client.flush(120).complete
    assert not [each for each in caplog.records if each.levelname == "ERROR"]
    for task in tasks:
        task.get_coro().close()  # type: ignore[union-attr]


async def wait_for(handle: Any) -> object:
    return await handle


def test_deliveries_can_be_awaited_in_any_loop(make_client: MakeClient, held: threading.Event) -> None:
    """Two loops in two threads wait for the same event."""
    handle = make_client().log_event(tick())
    outcomes: list[object] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(asyncio.run(wait_for(handle)))) for _ in range(2)
    ]
    for each in threads:
        each.start()
    while len(handle.callbacks or []) < 2:
        pass
    held.set()
    for each in threads:
        each.join(120)
    assert outcomes == [handle.outcome] * 2


async def test_aflush_in_a_callback_of_its_own_loop(make_client: MakeClient) -> None:
    """Waiting there is no different: the loop's thread is none of the sender's."""
    client = make_client()
    client.log_event(tick())
    reports = await asyncio.gather(*(client.aflush(120) for _ in range(10)))
    assert sum(report.delivered for report in reports) == 1
