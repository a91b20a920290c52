"""Requests that are ended from outside, and connections that a fork leaves to the parent."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from antinode._delivery.messages import Request, TransportError, TransportTimeout
from tests.delivery.http.exchanges import BODY, LARGE, Make, full_listener, linux_only, server_tls
from tests.delivery.rawserver import OK, Peer, RawServer, answering, silent


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
        assert server.received.wait(120)
        client.cancel_all()
        with pytest.raises(TransportError, match="cancelled") as caught:
            sending.result(timeout=120)
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
        assert resolved.wait(120)
        client.cancel_all()
        with pytest.raises(TransportError, match="cancelled"):
            sending.result(timeout=120)


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
            sending.result(timeout=120)
    assert server.connections == 1


def test_requests_after_cancel_all_are_not_affected(make: Make) -> None:
    """`cancel_all` is for what is under way at that moment only."""
    with RawServer(answering()) as server:
        client = make()
        client.send(Request(server.url, BODY))
        client.cancel_all()
        assert client.send(Request(server.url, BODY)).status == 200
    assert server.connections == 1


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
        go_on.wait(120)
        peer.send(OK)

    with RawServer(handle) as server, ThreadPoolExecutor(1) as threads:
        client = make()
        sending = threads.submit(client.send, Request(server.url, BODY))
        assert server.received.wait(120)

        with client._lock:
            assert in_forked_child(lambda: (client.abandon(), client.cancel_all(), client.close())) == 0
        go_on.set()
        assert sending.result().status == 200
