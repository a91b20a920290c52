"""A full spool, and a backlog of any length in little memory."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

import antinode
from antinode import Client
from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import sequence
from tests.memory import Memory
from tests.storage.spooling import NOBODY, MakeClient, run_with, tick, until


def _sender(client: Client) -> Any:
    return client._sender


def test_full_spool_drops_the_oldest(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    """With "drop_oldest" the newest events are kept, and those that made room are counted."""
    outcomes: list[antinode.Delivery] = []
    client = make_client(
        server_url=NOBODY, max_spool_bytes=1024 * 1024, max_queue_events=100, on_outcome=outcomes.append
    )
    pad = "x" * 1000
    for seq in range(4000):
        client.log_event(tick(seq, pad=pad))
    until(lambda: client.stats().dropped.get("spool_full"), "dropping")
    report = client.shutdown(0)
    stats = client.stats()
    assert stats.balanced
    assert report.spooled + report.dropped == 4000
    assert "the oldest events are dropped" in caplog.text
    memory = Memory()
    make_client(transport=memory).flush(120)
    arrived = [event["event_properties"]["seq"] for event in memory.events]
    assert arrived == sorted(set(arrived))
    assert len(arrived) == report.spooled > 100


def test_full_spool_of_events_that_are_in_memory_too(make_client: MakeClient) -> None:
    """The oldest make room for the new ones even where the queue in memory could hold more."""
    client = make_client(server_url=NOBODY, max_spool_bytes=1024 * 1024)
    pad = "x" * 1000
    for seq in range(3000):
        client.log_event(tick(seq, pad=pad))
    until(lambda: client.stats().dropped.get("spool_full"), "dropping")
    until(lambda: not _sender(client)._core.spooled.is_failing, "room")
    for seq in range(3000, 3100):
        client.log_event(tick(seq))
    until(lambda: not _sender(client)._core.spooled.is_failing, "room")
    assert client.stats().balanced
    client.shutdown(0)
    memory = Memory()
    make_client(transport=memory).flush(120)
    arrived = [event["event_properties"]["seq"] for event in memory.events]
    assert arrived[-100:] == list(range(3000, 3100))


def test_full_spool_of_events_that_wait_in_a_batch(make_client: MakeClient, endpoint: Endpoint) -> None:
    """Room is made also where all that is stored was in a request that failed, and waits to be sent again."""
    endpoint.answer = faults.Answer(503)
    client = make_client(server_url=endpoint.url, max_spool_bytes=1024 * 1024, upload_interval_in_sec=600)
    for seq in range(840):
        client.log_event(tick(seq, pad="x" * 1000))
    client.flush(0)
    until(lambda: client.stats().waiting == 840, "a batch that waits")
    for seq in range(840, 2000):
        client.log_event(tick(seq, pad="x" * 1000))
    until(lambda: client.stats().dropped.get("spool_full", 0) > 840, "dropping")
    until(lambda: not _sender(client)._core.spooled.is_failing, "room")
    assert client.stats().balanced


def test_full_spool_drops_the_newest(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    """With "drop_newest" what is on disk stays, and new events settle at once."""
    client = make_client(server_url=NOBODY, max_spool_bytes=1024 * 1024, overflow="drop_newest")
    pad = "x" * 1000
    handles = [client.log_event(tick(seq, pad=pad)) for seq in range(3000)]
    dropped = [handle for handle in handles if handle.done()]
    assert 0 < len(dropped) < 3000
    assert {handle.result(0).reason for handle in dropped} == {"spool_full"}
    until(lambda: "holds its limit of 1,048,576 bytes" in caplog.text, "the line about the limit")
    report = client.shutdown(0)
    assert (report.spooled, report.dropped) == (3000 - len(dropped), len(dropped))
    memory = Memory()
    make_client(transport=memory).flush(120)
    assert [event["event_properties"]["seq"] for event in memory.events] == [
        seq for seq, handle in enumerate(handles) if handle.result(0).kind == "spooled"
    ]


def test_full_spool_blocks_until_there_is_room(make_client: MakeClient, endpoint: Endpoint) -> None:
    """With "block" the thread that logs waits, and goes on soon after events have left."""
    endpoint.answer = faults.Answer(503)
    client = make_client(server_url=endpoint.url, max_spool_bytes=1024 * 1024, overflow="block")
    pad = "x" * 1000
    logged = []

    def log() -> None:
        for seq in range(4000):
            client.log_event(tick(seq, pad=pad))
            logged.append(seq)

    thread = threading.Thread(target=log)
    thread.start()
    until(lambda: _sender(client)._works.room, "blocking")
    assert len(logged) < 4000
    endpoint.answer = None
    thread.join(120)
    assert len(logged) == 4000
    assert client.flush(120).complete
    assert (client.stats().delivered, dict(client.stats().dropped)) == (4000, {})
    assert sequence(endpoint.events) == list(range(4000))


_RSS = """
import antinode
def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is measured by Linux's /proc")
def test_memory_stays_small_however_long_the_backlog(directory: Path, make_client: MakeClient) -> None:
    """300,000 events that cannot leave take some 30 MB, where they are logged and where they are read."""
    ended = run_with(
        directory,
        _RSS
        + """
client = antinode.init(KEY, server_url=URL, storage=DIR, shutdown_timeout=0)
client.log_event(event(0))
before = anonymous()
for seq in range(1, 300_000):
    client.log_event(event(seq, f"user-{seq % 1000}"))
say(anonymous() - before, client.stats().on_disk > 250_000, client.stats().balanced)
""",
    )
    size, *rest = ended.lines[0].split()
    assert rest == ["True", "True"]
    assert int(size) < 40_000
    ended = run_with(
        directory,
        _RSS
        + """
before = anonymous()
client = antinode.init(KEY, server_url=URL, storage=DIR, shutdown_timeout=0)
while client.stats().recovered < 20_000:
    idle()
say(anonymous() - before, client.stats().recovered < 50_000)
""",
    )
    size, *rest = ended.lines[0].split()
    assert rest == ["True"]
    assert int(size) < 40_000
    memory = Memory()
    client = make_client(transport=memory)
    assert client.flush(120).delivered == 300_000
