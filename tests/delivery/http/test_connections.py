"""Connections that are kept, replaced and let go, by many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from antinode._delivery.http import transport as transport_module
from antinode._delivery.messages import Request, TransportError, TransportTimeout
from tests.delivery.http.exchanges import BODY, SHORT, Make, answer, run_python, server_tls
from tests.delivery.rawserver import OK, Peer, RawServer, answering, silent


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
        assert closed.wait(120)
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
        monkeypatch.setattr(transport_module, "_IDLE_SECONDS", 0.0)
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
            assert ended.acquire(timeout=120)
    assert server.connections == 2


def test_close_during_a_request_does_not_harm_it(make: Make) -> None:
    """A request under way gets its answer, and its connection is then let go."""
    ended, go_on = threading.Event(), threading.Event()

    def handle(peer: Peer) -> None:
        peer.read_request()
        go_on.wait(120)
        peer.send(OK)
        assert peer.read_request() is None
        ended.set()

    with RawServer(handle) as server, ThreadPoolExecutor(1) as threads:
        client = make()
        sending = threads.submit(client.send, Request(server.url, BODY))
        assert server.received.wait(120)
        client.close()
        go_on.set()
        assert sending.result().status == 200
        assert ended.wait(120)


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
waiting.join(120)
sys.stdout.write(str(waiting.exception))
transport.close()
server.stop()
"""
    assert run_python(script) == "timeout cancelled"
