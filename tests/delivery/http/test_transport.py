"""The exchange of one request: what is sent, and which answers are understood."""

from __future__ import annotations

import gzip
import os
import random
import socket
from pathlib import Path

import pytest
import trustme

from antinode._delivery.http.transport import HttpTransport
from antinode._delivery.messages import Request, Transport
from tests.delivery.http.exchanges import BODY, LARGE, Make, answer, server_tls
from tests.delivery.rawserver import OK, Peer, RawServer, answering


def test_is_a_transport(make: Make) -> None:
    """`HttpTransport` has the methods that a shell calls."""
    assert isinstance(make(), Transport)


def test_body_is_posted_as_it_is(make: Make) -> None:
    """The body arrives byte for byte, as JSON, at the path and query of the URL."""
    with RawServer(answering()) as server:
        response = make(user_agent="antinode/1").send(Request(server.url + "?a=1", BODY))
    (request,) = server.requests
    assert (response.status, response.body) == (200, b"{}")
    assert (request.method, request.target, request.body) == ("POST", "/2/httpapi?a=1", BODY)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "antinode/1"
    assert request.headers["host"] == server.address
    assert "content-encoding" not in request.headers


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_head_and_body_leave_in_one_piece(
    make: Make, authority: trustme.CA, bundle: Path, is_tls: bool
) -> None:
    """A small request is there with the first receive: no second packet, no second wait."""
    pieces: list[bytes] = []

    def handler(peer: Peer) -> None:
        pieces.append(peer.sock.recv(65536))
        peer.buffered = pieces[0]
        peer.read_request()
        peer.send(OK)

    with RawServer(handler, server_tls(authority) if is_tls else None) as server:
        make(ca_bundle=bundle).send(Request(server.tls_url if is_tls else server.url, BODY))
    assert pieces[0].endswith(b"\r\n\r\n" + BODY)


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_a_body_that_fits_no_buffer_arrives_whole(
    make: Make, authority: trustme.CA, bundle: Path, is_tls: bool
) -> None:
    """What the system does not take at once is sent as the server reads on."""
    body = random.Random(0).randbytes(16 << 20)
    with RawServer(answering(), server_tls(authority) if is_tls else None) as server:
        make(ca_bundle=bundle).send(Request(server.tls_url if is_tls else server.url, body, timeout=120))
    assert [request.body for request in server.requests] == [body]


def test_headers_are_sent_with_each_request(make: Make) -> None:
    """Configured headers go with every request; a request's own header of the same name wins."""
    with RawServer(answering()) as server:
        client = make(headers={"x-team": "growth", "X-Zone": "a"})
        client.send(Request(server.url, BODY))
        client.send(Request(server.url, BODY, {"X-TEAM": "billing"}))
    assert [r.headers["x-team"] for r in server.requests] == ["growth", "billing"]
    assert [r.headers["x-zone"] for r in server.requests] == ["a", "a"]


@pytest.mark.parametrize("name", ["content-type", "Content-Encoding", "CONTENT-LENGTH", "Host"])
def test_headers_cannot_take_over_the_framing(name: str) -> None:
    """A configured header that the transport itself sets is refused where it is written."""
    with pytest.raises(ValueError, match="belongs to the transport"):
        HttpTransport(headers={name: "x"})


@pytest.mark.parametrize(
    ("name", "value"), [("a b", "x"), ("", "x"), ("X-A", "secret\r\nX-B: 1"), ("X-A", "é")]
)
def test_headers_that_cannot_be_sent_are_refused(name: str, value: str) -> None:
    """Names and values that would break the request are refused, and the value is not repeated."""
    with pytest.raises(ValueError, match="headers") as caught:
        HttpTransport(headers={name: value})
    assert "secret" not in str(caught.value)


def test_answer_headers_have_lower_case_names(make: Make) -> None:
    """Header names come in lower case, and a header given twice is one joined value."""
    with RawServer(answering(answer(b"", "X-Request-ID: 7", "Via: a", "Via: b"))) as server:
        response = make().send(Request(server.url, BODY))
    assert response.headers == {"content-length": "0", "x-request-id": "7", "via": "a, b"}


@pytest.mark.parametrize("status", ["400 Bad Request", "429 Too Many Requests", "500 No", "204 No Content"])
def test_any_status_is_an_answer(make: Make, status: str) -> None:
    """A status that tells of an error is returned, not raised, and not tried again."""
    with RawServer(answering(answer(b"", status=status))) as server:
        assert make().send(Request(server.url, BODY)).status == int(status[:3])
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(make: Make, status: int) -> None:
    """A redirect comes back as it is."""
    with RawServer(answering()) as other:
        reply = answer(b"", f"Location: {other.url}", status=f"{status} Moved")
        with RawServer(answering(reply)) as server:
            response = make().send(Request(server.url, BODY))
        assert (response.status, response.headers["location"]) == (status, other.url)
    assert (len(server.requests), other.connections) == (1, 0)


def test_chunked_answers_are_joined(make: Make) -> None:
    """An answer in chunks is one body, and its connection is used again."""
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with RawServer(answering(reply)) as server:
        client = make()
        assert [client.send(Request(server.url, BODY)).body for _ in range(2)] == [b"abcde"] * 2
    assert server.connections == 1


def test_answer_without_a_length_ends_with_the_connection(make: Make) -> None:
    """An answer that only the end of the connection delimits is whole."""

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.0 200 OK\r\n\r\nabc")

    with RawServer(handle) as server:
        client = make()
        assert [client.send(Request(server.url, BODY)).body for _ in range(2)] == [b"abc"] * 2
    assert server.connections == 2


@pytest.mark.parametrize("framing", ["length", "chunks", "gzip"])
def test_huge_answers_are_cut(make: Make, framing: str) -> None:
    """A body over 1 MiB is cut there, and its connection is not used again."""
    huge = b"x" * (5 << 20)
    reply = {
        "length": answer(huge),
        "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n500000\r\n"
        + huge
        + b"\r\n0\r\n\r\n",
        "gzip": answer(gzip.compress(os.urandom(2 << 20)), "Content-Encoding: gzip"),
    }[framing]
    with RawServer(answering(reply)) as server:
        client = make()
        for _ in range(2):
            response = client.send(Request(server.url, BODY))
            assert response.status == 200
            assert len(response.body) <= 1 << 20
            assert framing == "gzip" or response.body == huge[: 1 << 20]
    assert server.connections == 2


def test_answer_given_before_the_body_was_read(make: Make) -> None:
    """A server may refuse a large body before it has read all of it; its answer counts."""

    def handle(peer: Peer) -> None:
        peer.read_head()
        peer.send(answer(b"", "Connection: close", status="413 Payload Too Large"))
        peer.sock.shutdown(socket.SHUT_WR)
        while peer.sock.recv(1 << 20):
            pass

    with RawServer(handle) as server:
        assert make().send(Request(server.url, LARGE)).status == 413
