from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.http import transport as transport_module
from antinode._delivery.http.address import parse_target
from antinode._delivery.http.compression import DamagedGzip, compress, decompress
from antinode._delivery.http.proxies import parse_proxy
from antinode._delivery.http.transport import HttpTransport
from antinode._delivery.messages import Request, Transport, TransportError, TransportTimeout
from tests import needs
from tests.delivery.rawserver import OK, Peer, RawServer, answering, deaf, silent, socks5, tunnel

KEY = "0123456789abcdef0123456789abcdef"
BODY = json.dumps({"api_key": KEY, "events": [{"event_type": "Signed Up", "user_id": "user-1"}]}).encode()
LARGE = BODY + b" " * (32 << 20)  # more than the buffers of two sockets hold
SHORT = 0.3  # seconds, where the end of the time is what a test is about

Make = Callable[..., HttpTransport]


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def make() -> Iterator[Make]:
    with contextlib.ExitStack() as stack:

        def make_one(**options: Any) -> HttpTransport:
            return stack.enter_context(contextlib.closing(HttpTransport(**options)))

        yield make_one


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def server_tls(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


# The exchange


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
        make(ca_bundle=bundle).send(Request(server.tls_url if is_tls else server.url, body))
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


# Compression


def test_large_bodies_are_compressed(make: Make) -> None:
    """With `compress`, a body over the threshold is sent as gzip, one at the threshold as it is."""
    with RawServer(answering()) as server:
        client = make(compress=True, compress_above=100)
        client.send(Request(server.url, b"x" * 101))
        client.send(Request(server.url, b"x" * 100))
        make(compress=False).send(Request(server.url, b"x" * 5000))
    squeezed, small, plain = server.requests
    assert squeezed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(squeezed.body) == b"x" * 101
    assert int(squeezed.headers["content-length"]) == len(squeezed.body)
    assert ("content-encoding" in small.headers, small.body) == (False, b"x" * 100)
    assert ("content-encoding" in plain.headers, plain.body) == (False, b"x" * 5000)


@given(st.binary(max_size=5000))
def test_compression_is_repeatable_and_lossless(body: bytes) -> None:
    """The same body always gives the same gzip, with no time in it, and can be got back."""
    assert compress(body) == compress(body)
    assert compress(body)[4:8] == bytes(4)
    assert gzip.decompress(compress(body)) == body == decompress(compress(body), 5001)


@given(st.binary(min_size=1, max_size=5000), st.data())
def test_every_cut_of_a_gzip_stream_is_noticed(body: bytes, data: st.DataObject) -> None:
    """A gzip stream that ends early is damaged, wherever it ends; several in a row are one."""
    whole = compress(body)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(DamagedGzip):
        decompress(whole[:cut], len(body) + 1)
    assert body.startswith(decompress(whole[:cut], len(body) + 1, was_cut=True))
    assert decompress(whole * 2, 2 * len(body) + 1) == body * 2


@given(st.integers(0, 100), st.integers(1, 50))
def test_decompression_stops_at_its_limit(length: int, limit: int) -> None:
    """No more than the limit is ever produced, so that a small answer cannot fill the memory."""
    assert len(decompress(compress(b"x" * length), limit)) == min(length, limit)


@pytest.mark.parametrize("content", [b"", b"x"])
@pytest.mark.parametrize("was_cut", [False, True])
def test_answers_of_many_members_are_refused(content: bytes, was_cut: bool) -> None:
    """A few members are read as one text; a megabyte of tiny ones is no answer, whatever they hold."""
    member = gzip.compress(content, mtime=0)
    assert decompress(member * 16, 1 << 20, was_cut=was_cut) == content * 16
    with pytest.raises(DamagedGzip, match="too many members"):
        decompress(member * 40_000, 1 << 20, was_cut=was_cut)


def test_a_bomb_fills_no_memory() -> None:
    """Of an answer that would be a thousand times as long, no more than the limit is ever held."""
    bomb = compress(bytes(256 << 20))
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        assert decompress(bomb, 1 << 20) == bytes(1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_compressed_answers_are_decoded(make: Make) -> None:
    """An answer in gzip is given decompressed; gzip is the one coding asked for."""
    with RawServer(answering(answer(gzip.compress(b'{"code":200}'), "Content-Encoding: GZIP"))) as server:
        assert make().send(Request(server.url, BODY)).body == b'{"code":200}'
    assert server.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("damaged", [b"not gzip", gzip.compress(b"x" * 100, mtime=0)[:-3]])
def test_damaged_compressed_answers_are_no_answer(make: Make, damaged: bytes) -> None:
    """An answer whose gzip is invalid or ends early raises."""
    with (
        RawServer(answering(answer(damaged, "Content-Encoding: gzip"))) as server,
        pytest.raises(TransportError, match="malformed answer"),
    ):
        make().send(Request(server.url, BODY))


# Failures


def handler_that_sends(data: bytes) -> Callable[[Peer], None]:
    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)

    return handle


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


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "/2/httpapi", "", "http://", "http://[::1/", f"http://{'a' * 70}.example/"]
)
def test_unusable_urls_raise(make: Make, url: str) -> None:
    """A URL that leads nowhere raises `TransportError`, as every other failure."""
    with pytest.raises(TransportError):
        make().send(Request(url, BODY))


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("HTTP://API.Example", "api.example", 80, "/"),
        (
            "https://user:word@api.example/2/httpapi?a=b%20c&d#part",
            "api.example",
            443,
            "/2/httpapi?a=b%20c&d",
        ),
        (
            "http://api.example:8300/a b/\N{LATIN SMALL LETTER E WITH ACUTE}/%7E/../~",
            "api.example",
            8300,
            "/a%20b/%C3%A9/%7E/../~",
        ),
        ("http://[::1]:8300?x=\N{EURO SIGN}", "::1", 8300, "/?x=%E2%82%AC"),
        ("http://[fe80::1%25eth0]/", "fe80::1%eth0", 80, "/"),
    ],
)
def test_a_url_names_the_way(url: str, host: str, port: int, target: str) -> None:
    """What may not stand in a request line is escaped; user, fragment and the case of a host mean nothing."""
    address, path = parse_target(url)
    assert (address.host, address.port, path) == (host, port, target)


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


# Time


def full_listener(stack: contextlib.ExitStack) -> int:
    """The port of a listener whose queue is full, so that a new connection is neither made nor refused."""
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for _ in range(4):
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    return int(listener.getsockname()[1])


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems answer when the queue is full")


@linux_only
def test_connecting_ends_with_the_time(make: Make) -> None:
    """A connection that does not come about ends with the request's time."""
    with contextlib.ExitStack() as stack:
        port = full_listener(stack)
        with pytest.raises(TransportTimeout):
            make().send(Request(f"http://127.0.0.1:{port}/", BODY, timeout=SHORT))


@linux_only
def test_connecting_has_a_time_of_its_own(make: Make) -> None:
    """The connect timeout ends a request that still has time, and says what took it."""
    with contextlib.ExitStack() as stack:
        port = full_listener(stack)
        with pytest.raises(TransportError, match=r"connecting to .* took too long") as caught:
            make(connect_timeout=SHORT).send(Request(f"http://127.0.0.1:{port}/", BODY, timeout=60))
    assert not isinstance(caught.value, TransportTimeout)


@linux_only
def test_addresses_share_the_time_for_connecting(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that answers nothing does not use up the time of the next one."""
    with contextlib.ExitStack() as stack:
        port = full_listener(stack)
        server = stack.enter_context(RawServer(answering()))
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        addresses = [(*kind, ("127.0.0.1", port)), (*kind, ("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: addresses)
        client = make(connect_timeout=1.0)
        assert client.send(Request("http://two.example/", BODY, timeout=60)).status == 200


def drip_head(peer: Peer) -> None:
    peer.read_request()
    peer.drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 60000)


def drip_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    peer.drip(b"x" * 60000)


def drip_chunks(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.drip(b"1\r\nx\r\n" * 10000)


@pytest.mark.parametrize("handler", [silent, deaf, drip_head, drip_body, drip_chunks])
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_time_bounds_the_whole_exchange(
    make: Make, authority: trustme.CA, bundle: Path, handler: Callable[[Peer], None], is_tls: bool
) -> None:
    """A server that is silent, or gives one byte at a time, cannot hold a request beyond its time."""
    with RawServer(handler, server_tls(authority) if is_tls else None) as server:
        client = make(ca_bundle=bundle)
        with pytest.raises(TransportTimeout):
            client.send(Request(server.tls_url if is_tls else server.url, BODY, timeout=SHORT))


def read_slowly(peer: Peer) -> None:
    while peer.sock.recv(1) and not peer.server.ended.wait(0.03):
        pass


@pytest.mark.parametrize("handler", [deaf, read_slowly])
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_time_bounds_the_sending_of_a_body(
    make: Make, authority: trustme.CA, bundle: Path, handler: Callable[[Peer], None], is_tls: bool
) -> None:
    """A large body to a server that reads slowly, or not at all, ends with the request's time."""
    with RawServer(handler, server_tls(authority) if is_tls else None) as server:
        client = make(ca_bundle=bundle)
        with pytest.raises(TransportTimeout):
            client.send(Request(server.tls_url if is_tls else server.url, LARGE, timeout=SHORT))


def test_time_bounds_the_tls_handshake(make: Make, bundle: Path) -> None:
    """A server that accepts and never shakes hands cannot hold a request."""
    with RawServer(deaf) as server, pytest.raises(TransportTimeout):
        make(ca_bundle=bundle).send(Request(server.tls_url, BODY, timeout=SHORT))


def test_time_bounds_the_handshake_behind_a_slow_proxy(make: Make, bundle: Path) -> None:
    """The time that a proxy took for its tunnel is not given again to what follows."""

    def handle(peer: Peer) -> None:
        peer.read_head()
        peer.server.ended.wait(SHORT)
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.server.ended.wait()

    with RawServer(handle) as proxy:
        client = make(proxy=f"http://{proxy.address}", ca_bundle=bundle)
        with pytest.raises(TransportTimeout):
            client.send(Request("https://localhost:1/", BODY, timeout=2 * SHORT))


def test_time_bounds_a_dripping_proxy(make: Make, bundle: Path) -> None:
    """A proxy that gives its answer to CONNECT one byte at a time cannot hold a request."""

    def handle(peer: Peer) -> None:
        peer.read_head()
        peer.drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 60000)

    with RawServer(handle) as proxy:
        client = make(proxy=f"http://{proxy.address}", ca_bundle=bundle)
        with pytest.raises(TransportTimeout):
            client.send(Request("https://localhost:1/", BODY, timeout=SHORT))


def test_no_time_is_no_request(make: Make) -> None:
    """A request whose time is over before it starts is not sent."""
    with RawServer(answering()) as server, pytest.raises(TransportTimeout):
        make().send(Request(server.url, BODY, timeout=0))
    assert server.requests == []


def test_time_holds_at_interpreter_exit() -> None:
    """In an `atexit` function, where no thread can be started, a silent server is still left in time."""
    script = """
import atexit, sys
from antinode._delivery.messages import Request, TransportTimeout
from antinode._delivery.http.transport import HttpTransport

def last_words():
    transport = HttpTransport(proxy=False)
    try:
        transport.send(Request(sys.argv[1], b"{}", timeout=0.3))
    except TransportTimeout:
        sys.stdout.write("out of time")

atexit.register(last_words)
"""
    with RawServer(drip_body) as server:
        assert run_python(script, server.url) == "out of time"


def run_python(script: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


# Connections


def test_connections_are_kept(make: Make) -> None:
    """Requests one after the other use one connection, whatever the path."""
    with RawServer(answering()) as server:
        client = make()
        for path in ["/2/httpapi", "/batch", "/2/httpapi"]:
            client.send(Request(f"http://{server.address}{path}", BODY))
    assert (len(server.requests), server.connections) == (3, 1)


def test_connections_beyond_the_pool_are_let_go(make: Make) -> None:
    """As many connections as there are requests at once, and no more kept than `connections`."""
    barrier = threading.Barrier(3)

    def handle(peer: Peer) -> None:
        while peer.read_request() is not None:
            barrier.wait()
            peer.send(OK)

    with RawServer(handle) as server, ThreadPoolExecutor(3) as threads:
        client = make(connections=2)
        for _ in range(2):
            sends = [threads.submit(client.send, Request(server.url, BODY)) for _ in range(3)]
            assert [send.result().status for send in sends] == [200] * 3
    assert server.connections == 4


def test_many_threads_share_a_transport(make: Make) -> None:
    """Each thread gets the answer to its own request."""

    def handle(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            peer.send(answer(request.body))

    with RawServer(handle) as server, ThreadPoolExecutor(8) as threads:
        client = make(connections=2)
        bodies = [str(number).encode() for number in range(200)]
        answers = threads.map(lambda body: client.send(Request(server.url, body)).body, bodies)
        assert list(answers) == bodies


def test_connection_closed_while_idle_is_replaced(make: Make) -> None:
    """A connection that the server closed between two requests is not a failure."""
    closed = threading.Event()

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK)
        peer.close()
        closed.set()

    with RawServer(handle) as server:
        client = make()
        client.send(Request(server.url, BODY))
        assert closed.wait(10)
        client.send(Request(server.url, BODY))
    assert (len(server.requests), server.connections) == (2, 2)


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_connection_that_dies_with_the_next_request_is_replaced(
    make: Make, authority: trustme.CA, bundle: Path, end: Callable[[Peer], None], is_tls: bool
) -> None:
    """A kept connection that ends without a byte of answer is tried once more on a new one."""

    def handle(peer: Peer) -> None:
        is_first = server.connections == 1
        peer.read_request()
        peer.send(OK)
        peer.read_request()
        if is_first:
            end(peer)
        else:
            peer.send(OK)

    with RawServer(handle, server_tls(authority) if is_tls else None) as server:
        client = make(ca_bundle=bundle)
        url = server.tls_url if is_tls else server.url
        assert [client.send(Request(url, BODY)).status for _ in range(3)] == [200] * 3
    assert (len(server.requests), server.connections) == (4, 2)


def test_the_second_connection_is_the_last(make: Make) -> None:
    """A request is tried on a kept connection and then on one new one, not on more."""

    def handle(peer: Peer) -> None:
        peer.read_request()
        if server.connections == 1:
            peer.send(OK)
            peer.read_request()

    with RawServer(handle) as server:
        client = make()
        client.send(Request(server.url, BODY))
        with pytest.raises(TransportError, match="without an answer"):
            client.send(Request(server.url, BODY))
    assert (len(server.requests), server.connections) == (3, 2)


def test_half_an_answer_is_not_tried_again(make: Make) -> None:
    """Once a byte of the answer has come on a kept connection, its end is a failure."""

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK)
        peer.read_request()
        peer.send(b"HTTP/1.1 200")

    with RawServer(handle) as server:
        client = make()
        client.send(Request(server.url, BODY))
        with pytest.raises(TransportError):
            client.send(Request(server.url, BODY))
    assert server.connections == 1


def test_timeout_on_a_kept_connection_is_not_tried_again(make: Make) -> None:
    """Time that ran out is not a stale connection."""

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK)
        silent(peer)

    with RawServer(handle) as server:
        client = make()
        client.send(Request(server.url, BODY))
        with pytest.raises(TransportTimeout):
            client.send(Request(server.url, BODY, timeout=SHORT))
    assert server.connections == 1


def test_connection_idle_for_long_is_not_trusted(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection idle beyond the limit is replaced without being tried."""
    with RawServer(answering()) as server:
        client = make()
        client.send(Request(server.url, BODY))
        monkeypatch.setattr(transport_module, "_IDLE_LIMIT", 0.0)
        client.send(Request(server.url, BODY))
    assert server.connections == 2


def test_close_lets_connections_go(make: Make) -> None:
    """`close` may come more than once and ends idle connections; the next request opens a new one."""
    ended = threading.Semaphore(0)

    def handle(peer: Peer) -> None:
        answering()(peer)
        ended.release()

    with RawServer(handle) as server:
        client = make()
        client.close()
        for _ in range(2):
            client.send(Request(server.url, BODY))
            client.close()
            client.close()
            assert ended.acquire(timeout=10)
    assert server.connections == 2


def test_close_during_a_request_does_not_harm_it(make: Make) -> None:
    """A request under way gets its answer, and its connection is then let go."""
    ended, go_on = threading.Event(), threading.Event()

    def handle(peer: Peer) -> None:
        peer.read_request()
        go_on.wait(10)
        peer.send(OK)
        assert peer.read_request() is None
        ended.set()

    with RawServer(handle) as server, ThreadPoolExecutor(1) as threads:
        client = make()
        sending = threads.submit(client.send, Request(server.url, BODY))
        assert server.received.wait(10)
        client.close()
        go_on.set()
        assert sending.result().status == 200
        assert ended.wait(10)


# Ending requests from outside


def read_hello(peer: Peer) -> None:
    """Read the beginning of a TLS handshake and leave it at that."""
    peer.sock.recv(1)
    peer.server.received.set()
    peer.server.ended.wait()


def read_little(peer: Peer) -> None:
    """Read the beginning of a body and leave it at that."""
    peer.read_head()
    peer.server.received.set()
    peer.server.ended.wait()


@pytest.mark.parametrize(
    ("handler", "body", "is_tls"),
    [
        (silent, BODY, False),
        (silent, BODY, True),
        (read_little, LARGE, False),
        (read_little, LARGE, True),
        (read_hello, BODY, None),
    ],
    ids=["answer", "tls-answer", "body", "tls-body", "handshake"],
)
def test_cancel_all_ends_requests_under_way(
    make: Make,
    authority: trustme.CA,
    bundle: Path,
    handler: Callable[[Peer], None],
    body: bytes,
    is_tls: bool | None,
) -> None:
    """`cancel_all` makes a waiting request fail, whatever it waits for; it is not tried again."""
    with (
        RawServer(handler, server_tls(authority) if is_tls else None) as server,
        ThreadPoolExecutor(1) as threads,
    ):
        client = make(ca_bundle=bundle)
        url = server.url if is_tls is False else server.tls_url
        sending = threads.submit(client.send, Request(url, body, timeout=60))
        assert server.received.wait(10)
        client.cancel_all()
        with pytest.raises(TransportError, match="cancelled") as caught:
            sending.result(timeout=10)
    assert not isinstance(caught.value, TransportTimeout)
    assert server.connections == 1


@linux_only
def test_cancel_all_ends_connecting(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cancel_all` ends a request that is still connecting."""
    resolved = threading.Event()
    resolve = socket.getaddrinfo

    def tell(*arguments: Any) -> Any:
        addresses = resolve(*arguments)
        resolved.set()
        return addresses

    monkeypatch.setattr(socket, "getaddrinfo", tell)
    with contextlib.ExitStack() as stack:
        port = full_listener(stack)
        threads = stack.enter_context(ThreadPoolExecutor(1))
        client = make(connect_timeout=60)
        sending = threads.submit(client.send, Request(f"http://127.0.0.1:{port}/", BODY, timeout=60))
        assert resolved.wait(10)
        client.cancel_all()
        with pytest.raises(TransportError, match="cancelled"):
            sending.result(timeout=10)


def test_cancel_all_on_a_kept_connection_is_final(make: Make) -> None:
    """A cancelled request on a kept connection is not taken for a stale one and sent again."""

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK)
        peer.server.received.clear()
        silent(peer)

    with RawServer(handle) as server, ThreadPoolExecutor(1) as threads:
        client = make()
        client.send(Request(server.url, BODY))
        sending = threads.submit(client.send, Request(server.url, BODY, timeout=60))
        while len(server.requests) < 2:
            server.received.wait(0.01)
        client.cancel_all()
        with pytest.raises(TransportError, match="cancelled"):
            sending.result(timeout=10)
    assert server.connections == 1


def test_requests_after_cancel_all_are_not_affected(make: Make) -> None:
    """`cancel_all` is for what is under way at that moment only."""
    with RawServer(answering()) as server:
        client = make()
        client.send(Request(server.url, BODY))
        client.cancel_all()
        assert client.send(Request(server.url, BODY)).status == 200
    assert server.connections == 1


# Fork

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def in_forked_child(action: Callable[[], object]) -> int:
    """The exit status of a child that only ran `action`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads and fork together are the subject
        child = os.fork()
    if child == 0:
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@needs_fork
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_abandon_leaves_idle_connections_to_the_parent(
    make: Make, authority: trustme.CA, bundle: Path, is_tls: bool
) -> None:
    """A child that abandons opens its own connections, and the parent's go on unharmed."""
    with RawServer(answering(), server_tls(authority) if is_tls else None) as server:
        client = make(ca_bundle=bundle)
        request = Request(server.tls_url if is_tls else server.url, BODY)
        client.send(request)

        def child() -> None:
            client.abandon()
            assert client.send(request).status == 200
            client.close()

        assert in_forked_child(child) == 0
        assert server.connections == 2
        assert client.send(request).status == 200
    assert server.connections == 2


@needs_fork
def test_abandon_leaves_requests_under_way_to_the_parent(make: Make) -> None:
    """A request that the parent has under way gets its answer, even if the parent held the lock."""
    go_on = threading.Event()

    def handle(peer: Peer) -> None:
        peer.read_request()
        go_on.wait(10)
        peer.send(OK)

    with RawServer(handle) as server, ThreadPoolExecutor(1) as threads:
        client = make()
        sending = threads.submit(client.send, Request(server.url, BODY))
        assert server.received.wait(10)

        with client._lock:
            assert in_forked_child(lambda: (client.abandon(), client.cancel_all(), client.close())) == 0
        go_on.set()
        assert sending.result().status == 200


# TLS


def test_own_authority_is_accepted_from_a_bundle(make: Make, authority: trustme.CA, bundle: Path) -> None:
    """A certificate of the authority in `ca_bundle` is trusted, and the connection is kept."""
    with RawServer(answering(), server_tls(authority)) as server:
        client = make(ca_bundle=bundle)
        assert [client.send(Request(server.tls_url, BODY)).status for _ in range(3)] == [200] * 3
    assert server.connections == 1


def test_bundle_may_be_a_directory(make: Make, authority: trustme.CA, bundle: Path, tmp_path: Path) -> None:
    """A directory of certificates, named by their hashes as OpenSSL wants them, is a bundle too."""
    command = [needs.program("openssl"), "x509", "-hash", "-noout", "-in", str(bundle)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / f"{name}.0").write_bytes(bundle.read_bytes())
    with RawServer(answering(), server_tls(authority)) as server:
        assert make(ca_bundle=tmp_path).send(Request(server.tls_url, BODY)).status == 200


def test_a_dot_at_the_end_of_a_name_is_none_of_the_certificate(
    make: Make, authority: trustme.CA, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is complete has one, and certificates do not."""
    find = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest: find(host.rstrip("."), *rest))
    with RawServer(answering(), server_tls(authority)) as server:
        url = server.tls_url.replace("localhost", "localhost.")
        assert make(ca_bundle=bundle).send(Request(url, BODY)).status == 200


def test_unknown_authority_is_refused(make: Make, authority: trustme.CA) -> None:
    """A certificate that the system's store does not vouch for ends the request before anything is sent."""
    with (
        RawServer(answering(), server_tls(authority)) as server,
        pytest.raises(TransportError, match=r"certificate of localhost:.* not accepted") as caught,
    ):
        make().send(Request(server.tls_url, BODY))
    assert any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(caught.value))
    assert server.requests == []


def test_other_host_name_is_refused(make: Make, authority: trustme.CA, bundle: Path) -> None:
    """A trusted certificate for another name ends the request before anything is sent."""
    with (
        RawServer(answering(), server_tls(authority, "other.example")) as server,
        pytest.raises(TransportError, match=r"not accepted: .*localhost"),
    ):
        make(ca_bundle=bundle).send(Request(server.tls_url, BODY))
    assert server.requests == []


def test_plain_server_behind_https_is_refused(make: Make, bundle: Path) -> None:
    """A server that does not speak TLS is named as such."""
    with RawServer(handler_that_sends(OK)) as server:

        def handle(peer: Peer) -> None:
            peer.send(OK)

        server.handler = handle
        with pytest.raises(TransportError, match=r"TLS with localhost:.* failed"):
            make(ca_bundle=bundle).send(Request(server.tls_url, BODY))


def test_bundle_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A bundle that is missing, or holds no certificate, is refused where it is named."""
    with pytest.raises(ValueError, match="cannot be read"):
        HttpTransport(ca_bundle=tmp_path / "missing.pem")
    (tmp_path / "empty.pem").touch()
    with pytest.raises(ValueError, match="holds no certificate"):
        HttpTransport(ca_bundle=tmp_path / "empty.pem")


def test_bundle_with_damaged_certificates_raises(make: Make, tmp_path: Path) -> None:
    """A bundle in which no certificate can be decoded raises at the first request."""
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(TransportError, match="no certificates could be read from ca_bundle"):
        make(ca_bundle=tmp_path / "bad.pem").send(Request("https://localhost:1/", BODY))


# Proxies


def test_plain_requests_are_forwarded(make: Make) -> None:
    """An HTTP proxy gets the whole URL, and its credentials in a header of each request."""
    with RawServer(answering()) as proxy:
        client = make(proxy=f"http://us%65r:p%40ss@{proxy.address}")
        for _ in range(2):
            assert client.send(Request("http://api.example/2/httpapi?a=1", BODY)).status == 200
    for request in proxy.requests:
        assert request.target == "http://api.example:80/2/httpapi?a=1"
        assert request.headers["host"] == "api.example:80"
        assert request.headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
    assert proxy.connections == 1


@pytest.mark.parametrize("is_tls_proxy", [False, True], ids=["http", "https"])
def test_tls_goes_through_a_tunnel(
    make: Make, authority: trustme.CA, bundle: Path, is_tls_proxy: bool
) -> None:
    """TLS is end to end through CONNECT; the proxy's credentials go to the proxy only."""
    with (
        RawServer(answering(), server_tls(authority)) as server,
        RawServer(tunnel, server_tls(authority) if is_tls_proxy else None) as proxy,
    ):
        scheme = "https" if is_tls_proxy else "http"
        client = make(proxy=f"{scheme}://user:p%40ss@localhost:{proxy.port}", ca_bundle=bundle)
        assert [client.send(Request(server.tls_url, BODY)).status for _ in range(2)] == [200] * 2
    (opened,) = proxy.requests
    assert (opened.method, opened.target) == ("CONNECT", f"localhost:{server.port}")
    assert opened.headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
    assert all("proxy-authorization" not in request.headers for request in server.requests)
    assert (len(server.requests), server.connections) == (2, 1)


def test_certificates_are_verified_behind_a_proxy(make: Make, authority: trustme.CA, bundle: Path) -> None:
    """A proxy does not weaken TLS: the server's name must be right."""
    with (
        RawServer(answering(), server_tls(authority, "other.example")) as server,
        RawServer(tunnel) as proxy,
        pytest.raises(TransportError, match=r"certificate of localhost:.* not accepted"),
    ):
        make(proxy=f"http://{proxy.address}", ca_bundle=bundle).send(Request(server.tls_url, BODY))
    assert server.requests == []


def test_refusing_proxy_is_named(make: Make) -> None:
    """A proxy that opens no tunnel is named with its reason, without its password."""
    with RawServer(
        lambda peer: (peer.read_head(), peer.send(b"HTTP/1.1 407 Auth Required\r\n\r\n"))
    ) as proxy:
        client = make(proxy=f"http://user:secret@{proxy.address}")
        with pytest.raises(TransportError, match=rf"proxy http://{proxy.address}: .*407") as caught:
            client.send(Request("https://localhost:1/", BODY))
    assert not any("secret" in str(cause) for cause in causes(caught.value))


@pytest.mark.parametrize("url", ["http://api.example/", "https://api.example/"])
def test_unreachable_proxy_is_named(make: Make, url: str) -> None:
    """A proxy that is not there is not mistaken for the server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransportError, match=f"refused by proxy http://127.0.0.1:{port}"):
        make(proxy=f"127.0.0.1:{port}").send(Request(url, BODY))


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_environment_names_the_proxy(make: Make, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Without `proxy`, the usual environment variables are followed."""
    with RawServer(answering()) as proxy:
        monkeypatch.setenv(variable, f"http://{proxy.address}")
        assert make().send(Request("http://api.example/", BODY)).status == 200
    assert len(proxy.requests) == 1


def test_environment_names_the_proxy_for_https(
    make: Make, monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, bundle: Path
) -> None:
    """HTTPS_PROXY is for https URLs only."""
    with RawServer(answering(), server_tls(authority)) as server, RawServer(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        client = make(ca_bundle=bundle)
        client.send(Request(server.tls_url, BODY))
        with RawServer(answering()) as plain:
            client.send(Request(plain.url, BODY))
    assert (len(proxy.requests), len(server.requests), len(plain.requests)) == (1, 1, 1)


@pytest.mark.parametrize("exception", ["127.0.0.1", "*", "example.com,127.0.0.1", "127.0.0.1:{port}"])
def test_no_proxy_excepts_hosts(make: Make, monkeypatch: pytest.MonkeyPatch, exception: str) -> None:
    """A host that NO_PROXY names, with or without its port, is reached straight."""
    with RawServer(answering()) as server, RawServer(answering()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        monkeypatch.setenv("NO_PROXY", exception.format(port=server.port))
        make().send(Request(server.url, BODY))
    assert (len(server.requests), proxy.connections) == (1, 0)


@pytest.mark.parametrize("none", ["", False])
def test_no_proxy_by_choice(make: Make, monkeypatch: pytest.MonkeyPatch, none: Any) -> None:
    """An empty `proxy`, or `False`, leaves the environment out of it."""
    with RawServer(answering()) as server, RawServer(answering()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        make(proxy=none).send(Request(server.url, BODY))
    assert (len(server.requests), proxy.connections) == (1, 0)


def test_unusable_proxy_in_the_environment_raises(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment that cannot be used is a failure of the request, not a way around it."""
    monkeypatch.setenv("HTTP_PROXY", "gopher://user:secret@127.0.0.1:70")
    with (
        RawServer(answering()) as server,
        pytest.raises(TransportError, match="proxy URL cannot be used") as caught,
    ):
        make().send(Request(server.url, BODY))
    assert "secret" not in str(caught.value)
    assert server.connections == 0


@pytest.mark.parametrize(
    "text", ["gopher://h:1", "http://", "http://h:port", "http://[::1", "http://h:70000"]
)
def test_unusable_proxies_are_refused(text: str) -> None:
    """A `proxy` that cannot be understood is refused where it is written."""
    with pytest.raises(ValueError, match="write http://host:port"):
        HttpTransport(proxy=text)


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_socks_proxies_carry_requests(make: Make, authority: trustme.CA, bundle: Path, is_tls: bool) -> None:
    """With PySocks, a SOCKS proxy carries plain and TLS connections; `socks5h` lets it resolve the name."""
    pytest.importorskip("socks")
    with (
        RawServer(answering(), server_tls(authority) if is_tls else None) as server,
        RawServer(socks5) as proxy,
    ):
        client = make(proxy=f"socks5h://{proxy.address}", ca_bundle=bundle)
        url = f"{'https' if is_tls else 'http'}://localhost:{server.port}/"
        assert [client.send(Request(url, BODY)).status for _ in range(2)] == [200] * 2
    assert [request.target for request in proxy.requests] == [f"localhost:{server.port}"]
    assert (len(server.requests), server.connections) == (2, 1)


def test_dead_socks_proxy_is_named(make: Make) -> None:
    """A SOCKS proxy that is not there is not mistaken for the server."""
    pytest.importorskip("socks")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(TransportError, match=rf"proxy socks5://{address}"):
        make(proxy=f"socks5://{address}").send(Request("http://127.0.0.1:1/", BODY))


def test_silent_socks_proxy_is_left_in_time(make: Make) -> None:
    """A SOCKS proxy that never answers cannot hold a request beyond its time."""
    pytest.importorskip("socks")
    with RawServer(deaf) as proxy, pytest.raises(TransportTimeout):
        make(proxy=f"socks5://{proxy.address}").send(Request("http://127.0.0.1:1/", BODY, timeout=SHORT))


def test_socks_without_pysocks_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy without PySocks is refused with what to install."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "socks", raising=False)
    with pytest.raises(ImportError, match=r"antinode\[socks\]"):
        HttpTransport(proxy="socks5://127.0.0.1:1080")


@given(
    user=st.text(min_size=1, max_size=20),
    password=st.text(max_size=20),
    port=st.integers(1, 65535),
    scheme=st.sampled_from(["http", "https"]),
)
def test_credentials_of_a_proxy_are_unquoted_and_hidden(
    user: str, password: str, port: int, scheme: str
) -> None:
    """Any user and password can be written in a proxy URL, and neither shows in its text."""
    from urllib.parse import quote

    proxy = parse_proxy(f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@proxy.example:{port}")
    assert (proxy.user, proxy.password, proxy.port) == (user, password, port)
    assert str(proxy) == f"{scheme}://proxy.example:{port}"
    assert repr(proxy) == f"Proxy(scheme={scheme!r}, host='proxy.example', port={port})"


# The process around it


def test_works_when_patched_by_gevent() -> None:
    """In a process patched by gevent after the import, other greenlets run while a request waits."""
    pytest.importorskip("gevent")
    script = """
import sys
import antinode
from gevent import monkey
monkey.patch_all()
import gevent
from gevent.server import StreamServer
from antinode._delivery.messages import Request, TransportError, TransportTimeout
from antinode._delivery.http.transport import HttpTransport

def handle(sock, _address):
    data = sock.recv(65536)
    while data:
        if b"silence" not in data:
            sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
        data = sock.recv(65536)

server = StreamServer(("127.0.0.1", 0), handle)
server.start()
url = f"http://127.0.0.1:{server.server_port}/"
transport = HttpTransport(proxy=False)
assert [transport.send(Request(url, b"{}")).status for _ in range(2)] == [200, 200]
try:
    transport.send(Request(url, b"silence", timeout=0.3))
except TransportTimeout:
    sys.stdout.write("timeout ")
waiting = gevent.spawn(transport.send, Request(url, b"silence", timeout=60))
gevent.sleep(0.1)
transport.cancel_all()
waiting.join(10)
sys.stdout.write(str(waiting.exception))
transport.close()
server.stop()
"""
    assert run_python(script) == "timeout cancelled"
