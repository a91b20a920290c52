"""Dramatiq, with Redis and with its stub: actors run in the context in which their message was sent."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from antinode.testing import Endpoint
from tests.integrations.brokers import run, told, work

pytest.importorskip("dramatiq")

_ACTORS = """
import os
import antinode, dramatiq
from antinode.integrations.dramatiq import AntinodeMiddleware

if "REDIS_URL" in os.environ:
    from dramatiq.brokers.redis import RedisBroker
    broker = RedisBroker(url=os.environ["REDIS_URL"])
else:
    from dramatiq.brokers.stub import StubBroker
    broker = StubBroker()
broker.add_middleware(AntinodeMiddleware())
broker.add_middleware(dramatiq.middleware.AsyncIO())
dramatiq.set_broker(broker)
antinode.init(server_url=os.environ["ANTINODE_SERVER_URL"], upload_interval_in_sec=600, shutdown_timeout=120)

def note(line):
    with open(os.path.join(os.environ["HOME_OF_TASKS"], "ran"), "a") as file:
        file.write(line + "\\n")

@dramatiq.actor
def plain(name):
    antinode.log_event({"event_type": name, "device_id": "device-1"})
    note(name)

@dramatiq.actor
async def asynchronous():
    antinode.log_event({"event_type": "asynchronous"})
    note("asynchronous")

@dramatiq.actor
def outer():
    antinode.log_event({"event_type": "outer"})
    antinode.add_context(event_properties={"from": "outer"})
    plain.send("inner")

@dramatiq.actor(max_retries=1, min_backoff=1)
def failing():
    antinode.log_event({"event_type": "failing"})
    note("failing")
    raise ZeroDivisionError

def fill():
    for user in range(3):
        with antinode.context(user_id=f"user-{user}", event_properties={"page": "cart"}):
            plain.send("plain")
    with antinode.context(user_id="user-7"):
        outer.send()
        failing.send()
        asynchronous.send()
        second = plain.message_with_options(args=("second",), pipe_ignore=True)
        (plain.message("first of a pipe") | second).run()
    plain.send("no context")

def fill_and_work():
    fill()
    worker = dramatiq.Worker(broker, worker_timeout=100)
    worker.start()
    broker.join("default", fail_fast=False)
    worker.join()
    worker.stop()
"""
_CART = "{'page': 'cart'}"
_EXPECTED = sorted(
    [
        *(("plain", f"user-{user}", _CART) for user in range(3)),
        ("outer", "user-7", ""),
        ("inner", "user-7", "{'from': 'outer'}"),
        ("failing", "user-7", ""),
        ("failing", "user-7", ""),
        ("asynchronous", "user-7", ""),
        ("first of a pipe", "user-7", ""),
        ("second", "user-7", ""),
        ("no context", "", ""),
    ]
)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no Redis on this system")
def test_workers_log_in_the_context_of_each_message_and_lose_nothing(
    endpoint: Endpoint, tmp_path: Path, redis_url: str
) -> None:
    """Also retries, pipelines, asynchronous actors, and messages of actors, in several processes."""
    (tmp_path / "actors.py").write_text(_ACTORS)
    run(tmp_path, endpoint, "-c", "import actors; actors.fill()", REDIS_URL=redis_url)
    command = ("-m", "dramatiq", "actors", "--processes=2", "--threads=2")
    written = work(tmp_path, endpoint, len(_EXPECTED) - 1, *command, REDIS_URL=redis_url)
    assert told(endpoint.events) == _EXPECTED, written


def test_the_stub_of_tests_does_the_same(endpoint: Endpoint, tmp_path: Path) -> None:
    """In one process, whose own context is not that of the messages."""
    (tmp_path / "actors.py").write_text(_ACTORS)
    program = "import actors, antinode\nwith antinode.context(ip='192.0.2.1'): actors.fill_and_work()"
    run(tmp_path, endpoint, "-c", program)
    assert told(endpoint.events) == _EXPECTED
