"""What the spool is promised to survive: kills, exits, forks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import antinode
from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import sequence
from tests.memory import Memory
from tests.storage.spooling import MakeClient, left, run_with, tick


@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)"], ids=["killed", "_exit"]
)
@pytest.mark.parametrize("durability", ["process", "interval", "strict"])
def test_events_survive_the_process(
    directory: Path, endpoint: Endpoint, make_client: MakeClient, end: str, durability: str
) -> None:
    """What was logged is delivered by the next process: in order, with its own insert_id and time."""
    ended = run_with(
        directory,
        f"""
        import antinode, json, os, signal
        client = antinode.init(KEY, server_url=URL, storage=DIR, durability={durability!r})
        for seq in range(300):
            handle = client.log_event(event(seq))
            fields = handle.event()
            print(json.dumps([fields["insert_id"], fields["time"]]), flush=True)
        {end}
        """,
    )
    client = make_client(server_url=endpoint.url)
    report = client.flush(120)
    assert report.delivered == 300
    assert [[event["insert_id"], event["time"]] for event in endpoint.events] == [
        json.loads(line) for line in ended.lines
    ]
    assert sequence(endpoint.events) == list(range(300))
    stats = client.stats()
    assert (stats.accepted, stats.recovered, stats.delivered) == (300, 300, 300)
    client.shutdown()
    assert left(directory) == []


def test_what_was_left_comes_before_what_is_logged_now(
    directory: Path, endpoint: Endpoint, make_client: MakeClient
) -> None:
    """The next process's own events of the same user follow those of its predecessor."""
    run_with(
        directory,
        """
        import antinode, os
        client = antinode.init(KEY, server_url=URL, storage=DIR)
        for seq in range(2000):
            client.log_event(event(seq))
        os._exit(0)
        """,
    )
    client = make_client(server_url=endpoint.url)
    for seq in range(2000, 2500):
        client.log_event(tick(seq))
    assert client.flush(120).delivered == 2500
    assert sequence(endpoint.events) == list(range(2500))
    assert endpoint.duplicates() == []


def test_delivered_events_do_not_come_again(directory: Path, endpoint: Endpoint) -> None:
    """A process that is killed after a flush leaves nothing to deliver."""
    for _ in range(3):
        run_with(
            directory,
            """
            import antinode, os, signal
            client = antinode.init(KEY, server_url=URL, storage=DIR)
            client.log_event(event(1))
            assert client.flush(120).complete
            os.kill(os.getpid(), signal.SIGKILL)
            """,
            endpoint.url,
        )
    assert len(endpoint.received) == 3


def test_shutdown_leaves_at_once_what_is_not_sent(make_client: MakeClient, directory: Path) -> None:
    """With `shutdown_timeout=0` nothing is waited for, and everything is counted as spooled."""
    told: list[antinode.Delivery] = []
    client = make_client(transport=Memory(is_open=False), shutdown_timeout=0)
    handles = [client.log_event(tick(seq)) for seq in range(100)]
    handles[5].add_done_callback(told.append)
    report = client.shutdown()
    assert (report.spooled, report.dropped, report.pending, report.complete) == (100, 0, 0, True)
    stats = client.stats()
    assert (stats.spooled, stats.pending, stats.balanced) == (100, 0, True)
    assert {handle.result(0).kind for handle in handles} == {"spooled"}
    assert told == [handles[5]]
    memory = Memory()
    successor = make_client(transport=memory)
    assert successor.flush(120).delivered == 100
    assert [event["event_properties"]["seq"] for event in memory.events] == list(range(100))


def test_exit_does_not_wait_for_a_server_that_hangs(
    directory: Path, endpoint: Endpoint, make_client: MakeClient
) -> None:
    """With `shutdown_timeout=0` the process ends normally, says what stays, and the next one delivers."""
    endpoint.answer = faults.hang()
    ended = run_with(
        directory,
        """
        import antinode, logging
        logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
        client = antinode.init(KEY, server_url=URL, storage=DIR, shutdown_timeout=0)
        for seq in range(50):
            client.log_event(event(seq))
        """,
        endpoint.url,
    )
    assert ended.status == 0
    assert "50 events stay in the spool, for the next process to deliver" in ended.output
    endpoint.answer = None
    assert make_client(server_url=endpoint.url).flush(120).delivered == 50
    assert sequence(endpoint.events) == list(range(50))


def test_exit_handlers_may_log_after_the_end(
    directory: Path, endpoint: Endpoint, make_client: MakeClient
) -> None:
    """What is logged once antinode's own exit handler has run is delivered, or stays on disk."""
    ended = run_with(
        directory,
        """
        import atexit
        def at_exit():
            client.log_event(event(3))
            client.log_event(event(4))
            say(client.stats().balanced)
        atexit.register(at_exit)
        import antinode
        client = antinode.init(KEY, server_url=URL, storage=DIR, shutdown_timeout=0)
        for seq in range(3):
            client.log_event(event(seq))
        """,
    )
    assert (ended.status, ended.lines) == (0, ["True"])
    make_client(server_url=endpoint.url).flush(120)
    assert sequence(endpoint.events) == list(range(5))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_forked_child_has_files_of_its_own(directory: Path, endpoint: Endpoint) -> None:
    """It does not touch its parent's, whose events are delivered by the parent, each once."""
    ended = run_with(
        directory,
        """
        import antinode, glob, os
        client = antinode.init(KEY, server_url=URL, storage=DIR)
        for seq in range(100):
            client.log_event(event(seq, "parent"))
        for number in range(3):
            if os.fork() == 0:
                for seq in range(50):
                    handle = client.log_event(event(seq, f"child-{number}"))
                stats = client.stats()
                say(stats.accepted, stats.recovered, len(glob.glob(f"{DIR}/*-{os.getpid()}-*.seg")) > 0)
                client.shutdown(120)
                os._exit(0)
        for _ in range(3):
            os.wait()
        report = client.shutdown(120)
        say(report.delivered, client.stats().balanced)
        """,
        endpoint.url,
    )
    assert ended.lines == ["50 0 True"] * 3 + ["100 True"], ended.errors
    for user, count in [("parent", 100), ("child-0", 50), ("child-1", 50), ("child-2", 50)]:
        assert sequence(endpoint.events, user) == list(range(count))
    assert endpoint.duplicates() == []
    assert left(directory) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_forked_child_that_is_killed_leaves_its_events_to_the_parent(
    directory: Path, endpoint: Endpoint
) -> None:
    """The parent takes them over, as those of any process that died."""
    ended = run_with(
        directory,
        """
        import antinode, os, signal
        from antinode._delivery.shell import spooler
        spooler.ADOPT_EVERY_SECONDS = 0.05
        client = antinode.init(KEY, server_url=URL, storage=DIR, upload_interval_in_sec=60)
        client.log_event(event(0, "parent"))
        child = os.fork()
        if child == 0:
            for seq in range(50):
                client.log_event(event(seq, "child"))
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        while client.stats().recovered < 50:
            idle()
        say(client.flush(120).delivered)
        """,
        endpoint.url,
    )
    assert ended.lines == ["51"], ended.errors
    assert sequence(endpoint.events, "child") == list(range(50))
