"""The time that a request may take bounds each part of it, whatever the other side does."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from antinode._delivery.messages import Request, TransportError, TransportTimeout
from tests.delivery.http.exchanges import (
    BODY,
    LARGE,
    SHORT,
    Make,
    full_listener,
    linux_only,
    run_python,
    server_tls,
)
from tests.delivery.rawserver import Peer, RawServer, answering, deaf, silent


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
