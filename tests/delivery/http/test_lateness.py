"""Who keeps a request waiting: the server and the way there, or this process, busy with other things."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from antinode._delivery.http import connection
from antinode._delivery.http.connection import Exchange, PlainConnection
from antinode._delivery.http.descriptors import is_nearby, seconds_since_received
from antinode._delivery.http.transport import HttpTransport
from antinode._delivery.messages import Request, TimedResponse
from tests.delivery.http.exchanges import BODY, Make, full_listener, linux_only, server_tls
from tests.delivery.rawserver import OK, Peer, RawServer, answering


class Clock:
    """Stands in for the connection's own, and goes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def late(self, function: Callable[..., Any], seconds: float) -> Callable[..., Any]:
        """The same function, which takes so long."""

        def lasting(*args: Any) -> Any:
            try:
                return function(*args)
            finally:
                self.now += seconds

        return lasting


def took(client: HttpTransport, url: str) -> float:
    response = client.send(Request(url, BODY, timeout=60))
    assert isinstance(response, TimedResponse)
    return response.took


def until(holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold."""
    end = time.monotonic() + 60
    while not holds() and time.monotonic() < end:
        threading.Event().wait(0.001)
    return holds()


def test_connecting_is_no_part_of_what_an_answer_took(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, handshakes and certificates tell nothing of how soon the server answers."""
    clock = Clock()
    monkeypatch.setattr(connection, "monotonic", clock)
    monkeypatch.setattr(PlainConnection, "connect", clock.late(PlainConnection.connect, 5.0))
    monkeypatch.setattr(connection, "read_answer", clock.late(connection.read_answer, 0.005))
    with RawServer(answering()) as server:
        assert took(make(), server.url) == pytest.approx(0.005)


def test_an_answer_takes_as_long_as_the_system_says(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it lay there for until this process read it is left out; an account that cannot be is none."""
    clock = Clock()
    monkeypatch.setattr(connection, "monotonic", clock)
    monkeypatch.setattr(connection, "read_answer", clock.late(connection.read_answer, 5.0))
    with RawServer(answering()) as server:
        client = make()
        for lay_there, expected in ((4.5, 0.5), (0.0, 5.0), (9.0, 0.0)):
            monkeypatch.setattr(connection, "seconds_since_received", lambda _, lay=lay_there: lay)
            assert took(client, server.url) == expected


@linux_only
def test_the_system_says_when_bytes_came_last() -> None:
    """It counts from then on, and from zero again with the next."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
        with client, server:
            server.sendall(b"answer")
            assert client.recv(9) == b"answer"
            assert until(lambda: seconds_since_received(client) > 0.2)

            def has_come_just_now() -> bool:
                server.sendall(b"another")
                assert client.recv(9) == b"another"
                return seconds_since_received(client) < 0.2

            # A busy machine may keep this process from running for as long.
            assert until(has_come_just_now)


def test_of_what_is_no_connection_nothing_is_known() -> None:
    """Then an answer took what it seemed to, and nobody is nearby."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert (seconds_since_received(sock), is_nearby(sock)) == (0.0, False)


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_a_request_waits_for_its_server_until_the_answer_lies_there(
    make: Make, monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, bundle: Path, is_tls: bool
) -> None:
    """From then on it waits for this process, until it has been dealt with."""
    go, may_read, is_read, may_end = (threading.Event() for _ in range(4))
    read_answer = connection.read_answer

    def read_late(receive: Callable[[int], bytes]) -> Any:
        assert may_read.wait(60)
        answer = read_answer(receive)
        is_read.set()
        assert may_end.wait(60)
        return answer

    monkeypatch.setattr(connection, "read_answer", read_late)

    def handle(peer: Peer) -> None:
        peer.read_request()
        assert go.wait(60)
        peer.send(OK)
        peer.read_request()

    with RawServer(handle, server_tls(authority) if is_tls else None) as server:
        client = make(ca_bundle=bundle)
        url = server.tls_url if is_tls else server.url
        sending = threading.Thread(target=client.send, args=(Request(url, BODY, timeout=60),))
        sending.start()
        try:
            assert server.received.wait(60)
            # With TLS 1.3 tickets have come, which nobody has read yet.
            assert is_tls or not client.is_late(1)
            go.set()
            assert until(lambda: client.is_late(1))
            may_read.set()
            assert is_read.wait(60)
            assert client.is_late(1)
        finally:
            for event in (go, may_read, may_end):
                event.set()
            sending.join()
        assert client.is_late(1)
        assert not client.is_late(0)


def test_a_request_that_has_not_begun_waits_for_this_process(make: Make) -> None:
    """Its thread has not come to it, or has not been told whom to ask."""
    client = make()
    client._under_way.add(Exchange(60, 60))
    assert client.is_late(1)


@linux_only
def test_connecting_waits_for_this_process_where_the_server_is_near() -> None:
    """Where it is connected already, that is; the time for there and back is the system's."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        exchange = Exchange(60, 60)
        exchange.attach(stack.enter_context(socket.create_connection(listener.getsockname())))
        assert exchange.is_late
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(("127.0.0.1", full_listener(stack)))
        exchange.attach(waiting)
        assert not exchange.is_late
