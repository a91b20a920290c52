"""The endpoint in a process of its own, steered from outside."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from antinode.testing import Endpoint, EndpointProcess
from antinode.testing._arrival import Arrival
from antinode.testing.endpoint._control import Control
from tests.testing.requests import V2, event, post


def test_the_process_is_steered_from_outside() -> None:
    """The script can be changed, and the ledger and the events be read, through the same port."""
    with EndpointProcess("--script", "drop_after") as endpoint:
        with pytest.raises(http.client.RemoteDisconnected):
            post(endpoint, event(1))
        endpoint.answer({"fault": "answer", "status": 500})
        assert post(endpoint, event(2))[0] == 500
        endpoint.answer(None)
        endpoint.script([{"fault": "answer", "status": 503}])
        assert [post(endpoint, event(number))[0] for number in (1, 3)] == [503, 200]

        ledger = endpoint.ledger(events=2, requests=4)
        assert (ledger["events"], ledger["requests"], ledger["failures"]) == (2, 4, [])
        assert ledger["by_status"] == {"0": 1, "200": 1, "500": 1, "503": 1}
        assert endpoint.events() == [event(1), event(3)]
        assert [request["status"] for request in endpoint.requests()] == [0, 500, 503, 200]
        assert endpoint.ledger(events=99, timeout=0)["events"] == 2
        with pytest.raises(ValueError, match="no fault of this name"):
            endpoint.answer("explode")
        endpoint.clear()
        assert endpoint.events() == []


def test_the_process_goes_down_when_told() -> None:
    """`down` from outside is answered, and then connections are refused."""
    with EndpointProcess() as endpoint:
        endpoint.down(3600)
        with pytest.raises(ConnectionRefusedError):
            post(endpoint, event(1))


def test_the_process_starts_while_another_thread_changes_the_environment() -> None:
    """As pytest itself does before each test: what the child is given is a copy."""
    is_over = threading.Event()

    def change() -> None:
        while not is_over.is_set():
            for number in range(3):
                os.environ[f"ANTINODE_TEST_{number}"] = "x"
            for number in range(3):
                del os.environ[f"ANTINODE_TEST_{number}"]

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(10):
            with EndpointProcess():
                pass
    finally:
        is_over.set()
        changing.join()


def test_the_process_says_one_line_and_stops_when_told() -> None:
    """Standard output is one line of JSON; POST /_/stop ends the process with status 0."""
    command = [sys.executable, "-W", "error", "-m", "antinode.testing.endpoint", "--keep", "ids"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["url"] == f"http://127.0.0.1:{ready['port']}{V2}"
        with closing(http.client.HTTPConnection("127.0.0.1", ready["port"], timeout=120)) as connection:
            connection.request("GET", "/_/events")
            response = connection.getresponse()
            assert (response.status, "keeps only ids" in response.read().decode()) == (400, True)
            connection.request("POST", "/_/stop")
            connection.getresponse().read()
        assert process.communicate(timeout=120) == (b"", b"")
    assert process.returncode == 0


def test_it_stops_once_it_has_answered() -> None:
    """Stopping closes every connection, that of whoever asked for it too."""
    with Endpoint() as endpoint:
        control = Control(endpoint)
        asked = Arrival(
            connection=1, method="POST", target="/_/stop", version="HTTP/1.1", headers={}, read=lambda _: b""
        )
        answer = control(asked)
        assert (answer is not None and answer.status, control.stopped.is_set()) == (200, False)
        control.answered(asked)
        assert control.stopped.is_set()


def test_the_process_ends_with_its_parent() -> None:
    """With --follow-stdin the end of standard input ends the process."""
    command = [sys.executable, "-m", "antinode.testing.endpoint", "--follow-stdin"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0


def test_the_command_line_refuses_unknown_faults() -> None:
    """A wrong --script is told with the names there are."""
    command = [sys.executable, "-m", "antinode.testing.endpoint", "--script", "explode"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 2
    assert all(name in done.stderr.decode() for name in ("drop_after", "throttle"))
