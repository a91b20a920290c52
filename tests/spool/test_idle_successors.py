"""A process that has not logged anything yet delivers what others leave, whenever they die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from antinode import Client, HttpResponse, Request, TransportError
from antinode._delivery.shell import spooler
from antinode._factory import fingerprint
from antinode._spool import Spool
from tests.memory import KEY
from tests.spool.files import LIMIT

EVENT = b'{"event_type":"Left","user_id":"user-20391"}'


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooler, "ADOPT_EVERY_SECONDS", 0.05)


class Arrivals:
    """A transport that accepts everything of this process, and lets a test wait for it."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.has_come = threading.Event()
        self.bodies: list[bytes] = []

    def send(self, request: Request) -> HttpResponse:
        if os.getpid() != self.pid:
            raise TransportError("a forked child reaches nobody")
        self.bodies.append(request.body)
        self.has_come.set()
        return HttpResponse(200, {}, b'{"code":200}')

    def close(self) -> None:
        pass


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Arrivals]:
    """What arrives from a client that is up and logs nothing."""
    arrivals = Arrivals()
    client = Client().init(KEY, transport=arrivals, storage=tmp_path)
    yield arrivals
    client.shutdown()


def predecessor(path: Path) -> Spool:
    spool = Spool(path, max_bytes=LIMIT, fingerprint=fingerprint(KEY))
    spool.open()
    spool.append(EVENT, time.monotonic(), direct=True)
    return spool


def test_what_is_left_while_a_process_is_idle_arrives(idle: Arrivals, tmp_path: Path) -> None:
    """The process that logged it came after the idle one, and is gone."""
    predecessor(tmp_path).close()
    assert idle.has_come.wait(120)
    assert EVENT in idle.bodies[0]


def test_a_successor_takes_over_from_a_predecessor_that_dies_later(tmp_path: Path) -> None:
    """As in a rolling restart: for a time both live, and only then the old one dies."""
    old = predecessor(tmp_path)
    arrivals = Arrivals()
    client = Client().init(KEY, transport=arrivals, storage=tmp_path)
    assert not arrivals.has_come.wait(0.3), "what a living process holds is left alone"
    old.close()
    assert arrivals.has_come.wait(120)
    client.shutdown()


LOGS_AND_WAITS = """
import sys, time
from antinode import Client
client = Client().init(sys.argv[1], storage=sys.argv[2], server_url="http://127.0.0.1:9")
client.log_event({"event_type": "Left", "user_id": "user-20391"})
print("logged", flush=True)
time.sleep(600)
"""


def test_what_a_killed_process_left_arrives(idle: Arrivals, tmp_path: Path) -> None:
    """It was killed in the midst of its work."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOGS_AND_WAITS, KEY, str(tmp_path)], stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"logged\n"
        assert not idle.has_come.is_set()
        process.kill()
    assert idle.has_come.wait(120)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_an_idle_parent_delivers_what_its_killed_workers_left(tmp_path: Path) -> None:
    """The parent of pre-forked workers has a client of its own, which logs nothing."""
    arrivals = Arrivals()
    client = Client().init(KEY, transport=arrivals, storage=tmp_path)
    if (worker := os.fork()) == 0:
        client.log_event({"event_type": "Left", "user_id": "user-20391"})
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(worker, 0)
    assert arrivals.has_come.wait(120)
    client.shutdown()
