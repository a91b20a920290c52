"""Nothing is imported once `init` has returned.

On the sender's threads a fork would leave its child with a locked module, and a destructor may log when the
interpreter is past importing.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from antinode.testing import Arrival, Endpoint, faults
from tests.delivery.rawserver import Peer, RawServer
from tests.lifecycle.driver import run

# What the process imports while `watch` is on, told with the thread that did it.
_WATCH = """
import sys, threading
URL, KEY = sys.argv[1:]
found, is_on = set(), False

def heard(name, arguments):
    if name == "import" and is_on:
        found.add((threading.current_thread().name, arguments[0]))

sys.addaudithook(heard)

def watch(state):
    global is_on
    is_on = state

EVENTS = [
    {"event_type": "Tick", "user_id": "user-1", "event_properties": {"text": "x" * 3000, "ratio": 1.5}},
    {"event_type": "Tick", "user_id": 20391, "event_properties": {"odd": float("nan"), "what": object()}},
    {"event_type": "Tick", "device_id": "device-1", "evnt_properties": {}, "time": 20240501},
    {"event_type": ""},
    {"user_id": "user-1"},
    7,
]

def use(client, patience):
    watch(True)
    for _ in range(2):
        for event in EVENTS:
            client.log_event(event)
        client.flush(patience)
        client.stats()
        repr(client)
    client.shutdown(patience)
    watch(False)
"""

_ANSWERS = [
    faults.Answer(400, b'{"code": 400, "error": "odd", "events_with_invalid_fields": {"time": [0]}}'),
    faults.Answer(413),
    faults.Answer(200, b"\xef\xbb\xbf<html>"),
    faults.Answer(200, b"\xef\xbb\xbf{}"),
    faults.Answer(503, b"\xff\xfe"),
    faults.drop_before(),
    faults.drop_after(),
    faults.cut_short(),
    faults.garbage(),
]


def hang_up(peer: Peer) -> None:
    """Answer what is neither TLS nor SOCKS, nor lets anybody through."""
    peer.sock.recv(1000)
    peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    peer.close()


@pytest.fixture
def moody(endpoint: Endpoint) -> Endpoint:
    """An endpoint that gives each kind of answer, and a good one after each of them."""
    answers = itertools.chain.from_iterable((each, None) for each in _ANSWERS)

    def answer(_: Arrival) -> faults.Answer | None:
        return next(answers, None)

    endpoint.answer = answer
    return endpoint


@pytest.mark.parametrize("kind", ["in memory", "process", "interval", "strict"])
def test_delivery_imports_nothing(moody: Endpoint, tmp_path: Path, kind: str) -> None:
    """Whatever is logged and answered, in memory and with a spool of each kind."""
    spool = "" if kind == "in memory" else f"storage={str(tmp_path / 'spool')!r}, durability={kind!r},"
    ended = run(
        f"""{_WATCH}
import antinode, logging
logging.getLogger("antinode").addHandler(logging.NullHandler())
use(antinode.init(KEY, server_url=URL, compress=True, {spool} dead_letters={str(tmp_path / "letters")!r},
                  on_outcome=lambda _: None, on_retry=lambda *_: None, connections=1,
                  request_timeout_millis=1000, retry_timeouts=[1] * 20), patience=5)
print(sorted(found))
""",
        moody.url,
        bare=True,
    )
    assert (ended.lines, ended.errors) == (["[]"], "")


@pytest.mark.parametrize(
    "way",
    [
        {"server_url": "http://localhost:{port}/2/httpapi"},
        {"server_url": "https://localhost:{port}/2/httpapi"},
        {"server_url": "http://api.example/2/httpapi", "proxy": "http://user:password@localhost:{port}"},
        {"server_url": "https://api.example/2/httpapi", "proxy": "http://user:password@localhost:{port}"},
        {"server_url": "https://api.example/2/httpapi", "proxy": "socks5://127.0.0.1:{port}"},
        {"server_url": "http://api.example/2/httpapi"},
    ],
    ids=["name", "TLS", "proxy", "proxy to TLS", "SOCKS", "SOCKS by environment"],
)
def test_connecting_imports_nothing(way: dict[str, str]) -> None:
    """By name, over TLS, and through proxies of each kind, though somebody else listens there."""
    with RawServer(hang_up) as server:
        is_in_environment = way["server_url"].startswith("http://api") and "proxy" not in way
        options = {name: value.format(port=server.port) for name, value in way.items()}
        ended = run(
            f"""{_WATCH}
import os
if {is_in_environment}:
    os.environ["HTTP_PROXY"] = "socks5h://127.0.0.1:{server.port}"
import antinode, logging
logging.getLogger("antinode").addHandler(logging.NullHandler())
use(antinode.init(KEY, **{options!r}, retry_timeouts=[1]), patience=0.5)
print(sorted(found))
""",
            bare=True,
        )
    assert (ended.lines, ended.errors) == (["[]"], "")
