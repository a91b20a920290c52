"""What log lines say: where they come from, whom they concern, and what to do."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator

import pytest

import antinode
from antinode._client import Client
from antinode._delivery.messages import HttpResponse, Request
from antinode._protocol.words import agreeing, counted
from tests.delivery.rawserver import Peer, RawServer

KEY = "0123456789abcdef0123456789abcdef"
SONG: antinode.EventDict = {"event_type": "Song Played", "user_id": "user-20391"}


class Answering:
    """A transport that answers each request in the same way."""

    def __init__(self, status: int = 200, body: bytes = b'{"code": 200}') -> None:
        self.response = HttpResponse(status, {}, body)

    def send(self, request: Request) -> HttpResponse:
        return self.response

    def close(self) -> None:
        pass


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """The messages of all lines, as a list that grows."""
    logger = logging.getLogger("antinode")
    level = logger.level
    caplog.set_level(logging.DEBUG, "antinode")
    messages: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    handler = Keeping()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)
    logger.setLevel(level)


def refuse(client: Client) -> int:
    """Log an event without an id; returns the line of the call."""
    frame = inspect.currentframe()
    assert frame is not None
    client.log_event({"event_type": "Song Played"})
    return frame.f_lineno - 1


def test_a_refusal_names_the_event_type_and_the_callers_line(lines: list[str]) -> None:
    """Whoever reads the log finds the call: its file, its line, and what was logged there."""
    client = Client().init(KEY, transport=Answering())
    line = refuse(client)
    client.shutdown(5)
    (told,) = [each for each in lines if "refused" in each]
    assert told.startswith(f'antinode: an event was refused ("Song Played", logged at {__file__}:{line}): ')


def test_debug_tells_of_each_event_and_each_upload(lines: list[str]) -> None:
    """With `debug=True` no line is kept back: accepted, mended and refused events, and each request."""
    client = Client().init(KEY, transport=Answering(), debug=True, server_url="http://h.example/2/httpapi")
    for _ in range(3):
        client.log_event(SONG)
        client.log_event({**SONG, "event_properties": {"title": "x" * 2000}})
        client.log_event({"event_type": "Song Played"})
        client.flush(5)
    client.shutdown(5)
    assert len([each for each in lines if "an event was accepted (" in each]) == 6
    assert len([each for each in lines if "an event was mended" in each]) == 3
    assert len([each for each in lines if "an event was refused" in each]) == 3
    uploads = [each for each in lines if each.startswith("antinode: POST ")]
    shape = r"antinode: POST /2/httpapi \d+ events? [\d.]+ k?B → 200 in \d+ ms"
    assert uploads
    assert all(re.fullmatch(shape, each) for each in uploads)
    assert all(each.startswith("antinode: ") for each in lines)
    assert KEY not in "".join(lines)


def test_what_the_server_rejects_is_named(lines: list[str]) -> None:
    """A rejection by the server says how many events it concerns, in agreement, and of which type."""
    body = b'{"code": 400, "error": "Invalid", "events_with_invalid_fields": {"time": [0]}}'
    client = Client().init(KEY, transport=Answering(400, body))
    client.log_event(SONG)
    client.flush(5)
    client.shutdown(5)
    assert any(each.startswith('antinode: 1 event was rejected ("Song Played"): ') for each in lines)


def test_a_failure_on_the_way_says_what_to_do(lines: list[str]) -> None:
    """Where no server answers, the line names the command that finds out why."""
    client = Client().init(KEY, server_url="http://127.0.0.1:9/2/httpapi")
    client.log_event(SONG)
    client.flush(0.3)
    client.shutdown(0)
    told = [each for each in lines if "127.0.0.1:9" in each]
    assert any("`antinode doctor` says why" in each for each in told)
    assert any(each.startswith("antinode: 1 event was not delivered before shutdown") for each in told)


def test_tls_to_a_plain_server_asks_whether_it_is_one(lines: list[str]) -> None:
    """https:// to a server that speaks plain http is answered by what to write."""

    def speak_plainly(peer: Peer) -> None:
        peer.sock.recv(1)
        peer.send(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with RawServer(speak_plainly) as server:
        client = Client().init(KEY, server_url=f"https://{server.address}/2/httpapi", proxy=False, debug=True)
        client.log_event(SONG)
        client.flush(3)
        client.shutdown(0)
    assert any("is that server plain http? Then write http:// in server_url" in each for each in lines)


def test_a_proxy_of_the_environment_is_named_with_its_variable(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody remembers the variable that sends requests through a proxy: the line names it."""
    monkeypatch.setenv("http_proxy", "http://me:s3cret@127.0.0.1:9")
    for name in ("HTTP_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    client = Client().init(KEY, server_url="http://api.example/2/httpapi")
    client.log_event(SONG)
    client.flush(1)
    client.shutdown(0)
    assert any("proxy http://127.0.0.1:9 (from http_proxy)" in each for each in lines)
    assert "s3cret" not in "".join(lines)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 events were"), (1, "1 event was"), (2000, "2,000 events were")]
)
def test_numbers_agree(count: int, text: str) -> None:
    """A noun and its verb follow the number."""
    assert f"{counted(count, 'event')} {agreeing(count, 'was', 'were')}" == text
