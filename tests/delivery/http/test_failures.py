"""What counts as no answer: connections that fail, answers that are cut or malformed."""

from __future__ import annotations

import socket

import pytest

from antinode._delivery.messages import Request, TransportError, TransportTimeout
from tests.delivery.http.exchanges import BODY, KEY, Make, handler_that_sends
from tests.delivery.rawserver import Peer, RawServer, answering


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 200", "cut short"),
        (b"HTTP/1.1 200 OK\r\n", "cut short"),
        (b"HTTP/1.1 200 OK\r\nX-A: b\r\nX-", "cut short"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n", "cut short"),
        (KEY.encode() + b"\r\n\r\n", "malformed answer"),
        (b"HTTP/1.1 two\r\n\r\n", "malformed answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", "malformed answer"),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 70000 + b"\r\n\r\n", "malformed answer"),
    ],
)
def test_incomplete_and_malformed_answers_are_none(make: Make, reply: bytes, message: str) -> None:
    """What is not a whole HTTP answer raises, with its cause and without a word of what was exchanged."""
    with (
        RawServer(handler_that_sends(reply)) as server,
        pytest.raises(TransportError, match=message) as caught,
    ):
        make().send(Request(server.url, BODY))
    assert not isinstance(caught.value, TransportTimeout)
    assert caught.value.__cause__ is not None
    assert not any(KEY in str(cause) for cause in [caught.value])


def test_refused_connections_raise(make: Make) -> None:
    """Nobody listening is an error that names the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(TransportError, match=f"refused by {address}") as caught:
        make().send(Request(f"http://{address}/", BODY))
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_reset_connections_raise(make: Make) -> None:
    """A connection that is reset instead of answered is an error, not tried again when it was new."""

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.reset()

    with RawServer(handle) as server, pytest.raises(TransportError, match="reset by"):
        make().send(Request(server.url, BODY))
    assert server.connections == 1


def test_unknown_hosts_raise(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name without an address is an error that says so."""

    def fail(*_args: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(TransportError, match=r"cannot resolve the name of nowhere\.example:443"):
        make().send(Request("https://nowhere.example/", BODY))


def test_an_address_that_answers_nothing_leaves_time_for_the_next(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host with several addresses is reached by any that works."""
    with RawServer(answering()) as server, socket.create_server(("127.0.0.1", 0)) as listener:
        refused = listener.getsockname()
        listener.close()
        good = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [(*good[:4], refused), good])
        assert make().send(Request("http://two.example/", BODY)).status == 200
