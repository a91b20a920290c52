"""A server beside the code that uses it, and one that serves until it is told to stop."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from urllib.parse import urlsplit

import pytest

import antinode
from antinode._delivery.core import link
from antinode._protocol import responses
from antinode.server import Fault, Rules, running
from tests.server.conftest import API_KEY, event

FAULTS = [
    "400@next=2",
    "403@next=1",
    "408@next=2",
    "413@next=1",
    "429@next=1",
    "429:user=user-1@next=1",
    "429:device=device-2@next=1",
    "500@next=2",
    "500-after@next=2",
    "502@next=1",
    "503@next=2",
    "503-after@next=1",
    "504@next=2",
    "delay:0.2s@next=2",
    "drop-before@next=2",
    "drop-after@next=2",
    "down:120s",
]


def test_it_runs_for_the_length_of_the_block(http):
    """It answers once the block is entered, and nothing listens, nor does any thread run, once it is left."""
    before = set(threading.enumerate())
    with running() as server:
        assert server.server_url == server.url + "/2/httpapi"
        assert http.request("GET", server.url + "/healthz").status == 200
        assert repr(server) == f"<Running {server.url}>"
    at = urlsplit(server.url)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((at.hostname, at.port))
    assert set(threading.enumerate()) <= before


def test_several_run_at_once():
    """Each has its port and its store."""
    with running() as one, running() as other:
        assert one.url != other.url
        one.api.set_clock(1)
        assert not other.api.clock().is_fixed


def test_an_address_that_is_taken():
    """It is told where the server was started, with what to do."""
    with running() as server, pytest.raises(OSError, match="give another host or port"):
        running(port=urlsplit(server.url).port).__enter__()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1"])
def test_an_address_that_is_not_ours(host):
    """So is one that this machine does not have."""
    with pytest.raises(OSError, match=f"cannot listen on {host} port 0"):
        running(host=host).__enter__()


def test_a_fault_that_cannot_be_read():
    """A misspelled fault raises before anything starts."""
    with pytest.raises(ValueError, match="cannot read the fault 'oops'"):
        running(faults=["oops"]).__enter__()


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "httptools"])
def test_without_the_extra(missing):
    """Where what the extra brings is missing, asking for the server says what to install."""
    code = f"import sys; sys.modules[{missing!r}] = None; import antinode.server; antinode.server.running()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f'needs {missing}, which an extra brings: pip install "antinode[server]"' in done.stderr


def test_an_exception_in_the_block_is_its_own():
    """The server ends, and the exception goes on."""
    with pytest.raises(KeyError), running():
        raise KeyError


def test_settings(tmp_path):
    """Rules and faults are in force from the start, and are what a reset goes back to."""
    rules = Rules(api_keys=(API_KEY,))
    faults = ["500@0%", Fault(action="delay", seconds=0.5, percent=0)]
    uploads = []
    with running(
        rules=rules, faults=faults, seed=3, max_events=10, on_upload=lambda *told: uploads.append(told)
    ) as server:
        server.api.set_rules()
        server.api.clear_faults()
        server.api.reset()
        assert server.api.rules() == rules
        assert [each.spelling for each in server.api.faults()] == ["500@0%", "delay:0.5s@0%"]
        assert server.api.stats().max_events == 10
        assert uploads == []
        with client_of(server) as client:
            client.log_event(event())
        ((upload, _, totals),) = uploads
        assert (upload.accepted, totals.events) == (1, 1)


def test_what_is_in_a_file_is_there_again(tmp_path):
    """With `data`, the next server on the file goes on where the one before ended."""
    for number in (1, 2):
        with running(data=tmp_path / "events.db") as server, client_of(server) as client:
            client.log_event(event(number))
            client.log_event(event(1))
            client.flush()
            assert server.api.wait(events=number).events == number
            assert server.api.stats().max_events is None


def test_two_servers_on_one_file(tmp_path):
    """The second is refused, and the first goes on."""
    with running(data=tmp_path / "events.db") as server:
        with pytest.raises(Exception, match=r"events\.db"):
            running(data=str(tmp_path / "events.db")).__enter__()
        assert server.api.stats().totals.events == 0


def test_loggers_of_others_are_left_alone():
    """An application that uses uvicorn itself finds its loggers as they were."""
    names = ["uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"]
    before = [
        (logger.handlers[:], logger.level, logger.propagate) for logger in map(logging.getLogger, names)
    ]
    with running():
        pass
    after = [(logger.handlers[:], logger.level, logger.propagate) for logger in map(logging.getLogger, names)]
    assert after == before


@contextlib.contextmanager
def client_of(server, **options):
    """A client that sends to the server, and has sent all when the block ends."""
    client = antinode.Client().init(API_KEY, **{"server_url": server.server_url} | options)
    try:
        yield client
    finally:
        client.shutdown()


@pytest.fixture
def in_a_hurry(monkeypatch):
    """The client waits for milliseconds where it would for seconds."""
    for wait in ("FIRST_WAIT", "LONGEST_WAIT", "FAULT_FIRST_WAIT", "FAULT_LONGEST_WAIT"):
        monkeypatch.setattr(link, f"{wait}_SECONDS", 0.02)
    for wait in ("ID_HOLD_SECONDS", "PROJECT_WAIT_SECONDS", "MAX_RETRY_AFTER_SECONDS"):
        monkeypatch.setattr(responses, wait, 0.02)


class TestOurClient:
    """antinode's own client against it."""

    def test_events_identifies_and_groups(self, server):
        """Events arrive as logged; identifies and groups change the properties that they name."""
        with client_of(server) as client:
            client.identify("user-20391", None, antinode.Identify().set("plan", "pro").add("logins", 2))
            client.set_group("user-20391", None, "org", "Acme")
            client.group_identify("org", "Acme", antinode.Identify().set("seats", 5))
            client.log_event(
                {"event_type": "Song Played", "user_id": "user-20391", "groups": {"org": "Acme"}}
            )
            client.revenue("user-20391", None, antinode.Revenue().set_price(3.99).set_quantity(2))
            client.flush()
        assert server.api.user("user-20391").user_properties == {"plan": "pro", "logins": 2, "org": "Acme"}
        assert server.api.group("org", "Acme").group_properties == {"seats": 5}
        kinds = [each.event_type for each in server.api.events(outcome="accepted")]
        assert kinds == ["revenue_amount", "Song Played", "$groupidentify", "$identify", "$identify"]
        assert server.api.events(problem="any", event_type="Song Played") == []

    @pytest.mark.parametrize("use_batch", [False, True])
    @pytest.mark.parametrize("fault", FAULTS)
    def test_every_fault_ends_with_every_event_once(self, server, in_a_hurry, fault, use_batch):
        """Whatever goes wrong on the way, each event is stored exactly once in the end, in order by user."""
        path = "/batch" if use_batch else "/2/httpapi"
        with client_of(server, server_url=server.url + path, upload_interval_in_sec=60) as client:
            (added,) = server.api.add_faults(fault)
            for number in range(60):
                client.log_event(
                    event(number, user_id=f"user-{number % 3}", device_id=f"device-{number % 3}")
                )
            if fault.startswith("down"):
                # It ends when it was met, however late that is.
                while not any(each.hits for each in server.api.faults()):
                    client.flush(0.05)
                server.api.remove_fault(added.id)
            assert client.flush(120).pending == 0
        stored = server.api.events(outcome="accepted", limit=1000)
        assert Counter(each.insert_id for each in stored) == Counter(f"insert-{n}" for n in range(60))
        assert fault.startswith("down") or any(each.hits for each in server.api.faults())
        for user in range(3):
            times = [each.time for each in reversed(stored) if each.user_id == f"user-{user}"]
            assert times == sorted(times)


SERVE = """
import sys
from antinode.server.http.run import serve
from antinode.server.settings import ServerSettings
serve(ServerSettings(port=0), lambda url: print(url, flush=True))
print("left", flush=True)
"""


class TestServing:
    """The blocking form, in a process of its own."""

    @pytest.fixture
    def serving(self):
        with subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SERVE],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals to send")
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_leaves_cleanly(self, serving, http, number):
        """On Ctrl-C and SIGTERM it returns, though some watch, some wait, and some never finish sending."""
        url = serving.stdout.readline().strip()
        at = urlsplit(url)
        watching = http.request("GET", url + "/api/live", preload_content=False)
        first = watching.read(10)
        with (
            socket.create_connection((at.hostname, at.port)) as half,
            socket.create_connection((at.hostname, at.port)) as idle,
        ):
            half.sendall(b"POST /batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
            idle.sendall(b"GET /api/wait?events=1&timeout=600 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert first == b"event: tic"
            serving.send_signal(number)
            out, err = serving.communicate(timeout=120)
            assert (out, err, serving.returncode) == ("left\n", "", 0)
        watching.close()
