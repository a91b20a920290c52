"""The compiled part of a connection: it sends and receives as sockets do, and knows descriptors as Python."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import antinode._delivery.http.descriptors  # noqa: F401 - whose functions have the twins
from tests.native.comparing import PYTHON

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no descriptors of sockets on Windows")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as near,
    ):
        far, _ = server.accept()
        with far:
            yield near, far


@pytest.fixture
def ticking() -> Iterator[list[int]]:
    """A signal every few milliseconds, and those that have been handled."""
    handled: list[int] = []
    former = signal.signal(signal.SIGALRM, lambda number, _: handled.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    try:
        yield handled
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def test_descriptors_are_told_apart_as_by_python(native: Any, tmp_path: Path) -> None:
    """Sockets, files, and what is open no more."""
    with socket.socket() as one, socket.socket() as other, (tmp_path / "file").open("w") as file:
        open_ones = [one.fileno(), other.fileno(), file.fileno()]
        found = [native.identity_at(each) for each in open_ones]
        assert found == [PYTHON["identity_at"](each) for each in open_ones]
        assert len(set(found)) == 3
    closed = [*open_ones, -1, 1 << 40]
    assert [native.identity_at(each) for each in closed] == [None] * 5
    with pytest.raises(TypeError):
        native.identity_at("1")


def test_what_has_come_is_seen_as_by_python(native: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    """Nothing, then a byte, then the end of the connection."""
    near, far = pair
    for expected, act in ((False, lambda: None), (True, lambda: far.send(b"x")), (True, far.close)):
        act()
        if expected:
            near.recv(1, socket.MSG_PEEK)
        assert native.has_come(near.fileno()) is PYTHON["has_come"](near.fileno()) is expected


def test_a_socket_takes_what_fits_and_says_how_much(
    native: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Head and body arrive as one, as far as the system takes them; nothing more is taken of a full one."""
    near, far = pair
    sent, body = b"", os.urandom(1 << 20)
    while count := native.send_now(near.fileno(), b"head", body):
        sent += (b"head" + body)[:count]
    near.shutdown(socket.SHUT_WR)
    assert b"".join(iter(lambda: far.recv(1 << 20), b"")) == sent
    with pytest.raises(BrokenPipeError):
        native.send_now(near.fileno(), b"head", b"")


def test_what_comes_is_received_and_the_end_is_nothing(
    native: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    """At most as much as is asked for."""
    near, far = pair
    far.send(b"answer")
    assert [native.receive_within(near.fileno(), size, 5.0) for size in (4, 4)] == [b"answ", b"er"]
    far.close()
    assert native.receive_within(near.fileno(), 4, 5.0) == b""


def test_a_wait_ends_with_what_comes_and_takes_nothing(
    native: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    """It stays for whoever receives, in TLS for example; without it the time is what ends the wait."""
    near, far = pair
    with pytest.raises(TimeoutError, match="timed out"):
        native.wait_within(near.fileno(), 0.01)
    far.send(b"answer")
    native.wait_within(near.fileno(), 5.0)
    assert near.recv(10) == b"answer"
    far.close()
    native.wait_within(near.fileno(), 5.0)


def test_a_reset_and_a_descriptor_that_is_none_raise_what_sockets_raise(
    native: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    """The server's reset is a ConnectionResetError, a closed descriptor an OSError."""
    near, far = pair
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    with pytest.raises(ConnectionResetError):
        native.receive_within(near.fileno(), 4, 5.0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        native.receive_within(-1, 4, 5.0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        native.send_now(-1, b"", b"")


def test_a_wait_has_its_time_whatever_signals_come(
    native: Any, pair: tuple[socket.socket, socket.socket], ticking: list[int]
) -> None:
    """Handlers run meanwhile, and do not make it longer."""
    with pytest.raises(TimeoutError, match="timed out"):
        native.receive_within(pair[0].fileno(), 4, 0.05)
    assert ticking


def test_a_handler_that_raises_ends_the_wait(native: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    """As Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        with pytest.raises(KeyboardInterrupt):
            native.receive_within(pair[0].fileno(), 4, 30.0)
    finally:
        signal.signal(signal.SIGALRM, former)
