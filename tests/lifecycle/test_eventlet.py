"""antinode in a process that eventlet has patched."""

from __future__ import annotations

import signal

import pytest

from antinode.testing import Endpoint
from tests.lifecycle.driver import finish, run, sequence, start

pytest.importorskip("eventlet")

_PATCHED = """
        import warnings
        warnings.simplefilter("ignore")
        import eventlet
        eventlet.monkey_patch()
        import antinode
"""


def test_log_flush_and_exit_work(endpoint: Endpoint) -> None:
    """From several green threads; what is queued at the end is sent."""
    ended = run(
        f"""{_PATCHED}
        client = antinode.init(KEY, server_url=URL)
        pool = eventlet.GreenPool()
        for seq in range(20):
            pool.spawn(client.log_event, event(seq))
        pool.waitall()
        say(client.flush(120).delivered)
        client.log_event(event(20))
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines, ended.errors) == (0, ["20"], ""), ended
    assert sequence(endpoint.events) == list(range(21))


def test_sigterm_drains_at_once(endpoint: Endpoint) -> None:
    """While every green thread sleeps, too: the hub, which sleeps up to a minute, is woken."""
    process = start(
        f"""{_PATCHED}
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=600, drain_on_sigterm=True)
        client.log_event(event(0))
        eventlet.spawn_after(0.2, say, "ready")
        eventlet.sleep(600)
        """,
        endpoint.url,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert (ended.status, ended.errors) == (-signal.SIGTERM, "")
    assert sequence(endpoint.events) == [0]


def test_each_drain_gives_its_descriptors_back(endpoint: Endpoint) -> None:
    """Initialising again and again, and shutting down, leaves none open."""
    ended = run(
        f"""{_PATCHED}
        import os
        def held():
            return len(os.listdir("/proc/self/fd" if os.path.exists("/proc/self/fd") else "/dev/fd"))
        def once():
            with antinode.init(KEY, server_url=URL, drain_on_sigterm=True):
                pass
        once()
        before = held()
        for _ in range(5):
            once()
        say(held() - before)
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines, ended.errors) == (0, ["0"], ""), ended
