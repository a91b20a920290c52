"""The books balance, and handles learn how events on disk end."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

import antinode
from antinode._delivery import record as records
from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import sequence
from tests.memory import Memory
from tests.storage.spooling import NOBODY, MakeClient, tick, until


def test_books_balance_at_every_instant(make_client: MakeClient, endpoint: Endpoint) -> None:
    """Also while events move between memory and disk, fail, and several threads log."""
    endpoint.answer = faults.random_mix(7, {faults.Answer(500): 0.1, faults.drop_after(): 0.1})
    client = make_client(server_url=endpoint.url, max_queue_events=300)
    threads = [
        threading.Thread(target=lambda n=n: [client.log_event(tick(seq, f"user-{n}")) for seq in range(2000)])
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        stats = client.stats()
        assert stats.balanced, stats
    assert client.flush(120).complete
    stats = client.stats()
    assert (stats.accepted, stats.delivered, stats.on_disk) == (6000, 6000, 0)
    for number in range(3):
        assert sequence(endpoint.events, f"user-{number}") == list(range(2000))


def test_shutdown_while_the_backlog_is_read(make_client: MakeClient) -> None:
    """What is being read just then is counted, and comes; twice only if its answer was not heard."""
    sent: list[int] = []
    total = 3000
    make_client(server_url=NOBODY).shutdown(0)
    client = make_client(server_url=NOBODY)
    for seq in range(total):
        client.log_event(tick(seq))
    client.shutdown(0)
    rounds = 0
    while len(set(sent)) < total:
        rounds += 1
        memory = Memory()
        client = make_client(transport=memory, max_queue_events=40)
        enough = rounds * 7
        until(lambda c=client, enough=enough: c.stats().delivered > enough or c.stats().pending == 0)
        client.shutdown(0)
        assert client.stats().balanced
        sent += [event["event_properties"]["seq"] for event in memory.events]
    first = list(dict.fromkeys(sent))
    assert first == list(range(total))


def test_callback_of_a_handle_that_was_let_go_is_called(make_client: MakeClient) -> None:
    """Even if its event was on disk alone, where nothing but the callback remembers it."""
    memory = Memory(is_open=False)
    client = make_client(transport=memory, max_queue_events=10)
    called: list[int] = []
    for seq in range(200):
        client.log_event(tick(seq)).add_done_callback(lambda handle, seq=seq: called.append(seq))
    gc.collect()
    assert client.stats().on_disk > 100
    memory.gate.set()
    assert client.flush(120).delivered == 200
    assert called == list(range(200))
    assert not records._anchored


def test_handles_that_are_kept_learn_the_outcome(make_client: MakeClient) -> None:
    """Those that are let go cost no memory while the event is on disk alone."""
    memory = Memory(is_open=False)
    client = make_client(transport=memory, max_queue_events=10)
    kept = [client.log_event(tick(seq)) for seq in range(100)]
    gone = weakref.ref(client.log_event(tick(100)))
    gc.collect()
    while gone() is not None:
        # It is looked now and then which are kept.
        assert client.stats().accepted < 1000
        client.log_event(tick(0))
    memory.gate.set()
    assert client.flush(120).delivered == client.stats().accepted
    assert all(handle.result(0).ok for handle in kept)


def test_waiting_in_vain_leaves_nothing_behind(make_client: MakeClient) -> None:
    """A handle whose `result` was asked for with a timeout is not kept alive by that."""
    client = make_client(transport=Memory(is_open=False), max_queue_events=5)
    for seq in range(20):
        handle = client.log_event(tick(seq))
        with pytest.raises(TimeoutError):
            handle.result(0)
    assert not records._anchored


def test_failed_events_are_told_once(make_client: MakeClient, endpoint: Endpoint) -> None:
    """An event that the server refuses ends rejected, and does not come again."""
    endpoint.answer = faults.invalid({"event_properties.seq": 3})
    client = make_client(server_url=endpoint.url)
    handles = [client.log_event(tick(seq)) for seq in range(6)]
    report = client.flush(120)
    assert (report.delivered, report.rejected) == (5, 1)
    assert handles[3].result(0).kind == "rejected"
    client.shutdown()
    successor = make_client(server_url=endpoint.url)
    assert successor.flush(120).delivered == 0
    assert successor.stats().recovered == 0


async def test_asyncio_waits_for_events_on_disk(make_client: MakeClient) -> None:
    """Awaiting a handle, `aflush` and `ashutdown` cover events that are on disk alone."""
    memory = Memory(is_open=False)
    client = make_client(transport=memory, max_queue_events=5)
    handles = [client.log_event(tick(seq)) for seq in range(50)]
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(_outcome(handles[40]), 0.01)
    assert (await client.aflush(0.01)).pending == 50
    memory.gate.set()
    assert (await handles[49]).ok
    assert (await client.aflush(120)).complete
    memory.gate.clear()
    client.log_event(tick(50))
    assert (await client.ashutdown(0)).spooled == 1


async def _outcome(handle: antinode.Delivery) -> antinode.Outcome:
    return await handle
