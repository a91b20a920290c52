"""Connections, bounded by the time that one request may take.

A socket's timeout bounds each operation, not their sum, so that a server which drips one byte a second would
hold a request for ever. A timer thread cannot help at interpreter exit (no thread starts there from
Python 3.12 on), so the bound sits where bytes pass: before each operation that may wait the socket's timeout
becomes the time left; within one operation CPython keeps it as a total, for plain and TLS sockets and for
the TLS handshake.

Two waits are not bounded: resolving a host name, which the system's resolver limits, and the steps of a
connection through a SOCKS proxy or of TLS within TLS, where each receive has the time left.
"""

from __future__ import annotations

import codecs
import socket
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from antinode._delivery.http import compression
from antinode._delivery.http.answers import MAX_BODY_BYTES, read_answer
from antinode._delivery.http.descriptors import (
    Identity,
    close_descriptor,
    has_come,
    identity_of,
    innermost,
    is_bare,
    is_nearby,
    let_go_of_stranger,
    receive_within,
    seconds_since_received,
    send_now,
)
from antinode._delivery.messages import TimedResponse

if TYPE_CHECKING:
    from collections.abc import Callable

_PROMPT_SECONDS = 0.01  # below that nobody cares how long an answer took


def is_ipv4(host: str) -> bool:
    """Whether it is such an address, which goes as bytes: text takes a codec that is loaded for it."""
    return host.isascii() and host.replace(".", "").isdigit()


def import_for_names() -> None:
    """Import now what looking a name up needs: when the interpreter ends it is too late."""
    codecs.lookup("idna")


class ConnectTimeout(OSError):
    """No connection within the connect timeout, with some of the request's own time left."""


class Exchange:
    """One request under way: its deadline, and the means to end it from another thread."""

    __slots__ = ("_connect_timeout", "_deadline", "answered", "cancelled", "identity", "is_sent", "wire")

    def __init__(self, timeout: float, connect_timeout: float) -> None:
        self._deadline = monotonic() + timeout
        self._connect_timeout = connect_timeout
        self.answered = False  # a byte of the answer has arrived
        self.is_sent = False  # it is being sent: from then on its server is waited for, mostly
        self.cancelled = False
        self.wire: Any = None  # a socket on the connection in use, whatever layers lie above it
        self.identity: Identity | None = None  # the wire's

    def remaining(self) -> float:
        """Seconds left, always positive; asked before each operation. Raises `TimeoutError` for none.

        Raises `ConnectionAbortedError` when the request was cancelled, or the wire is no longer ours.
        """
        if self.cancelled:
            raise ConnectionAbortedError("cancelled")
        if self.wire is not None and let_go_of_stranger(self.wire, self.identity):
            raise ConnectionAbortedError("other code of this process closed the connection")
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("out of time")
        return left

    def connect_deadline(self) -> tuple[float, bool]:
        """Until when to try to connect, and whether that is the end of the request's time as well."""
        left = self.remaining()
        return monotonic() + min(left, self._connect_timeout), left <= self._connect_timeout

    def hold(self, wire: Any, identity: Identity | None) -> None:
        """Make `wire` what `cancel` ends; if that came before, `remaining` says so, asked before each use."""
        self.identity = identity
        self.wire = wire

    def attach(self, wire: Any) -> None:
        """Hold a new `wire`. Raises `ConnectionAbortedError` if it came too late to be cancelled."""
        self.hold(wire, identity_of(wire))
        self.remaining()

    def cancel(self) -> None:
        """Make the thread that waits on this exchange fail soon."""
        self.cancelled = True  # before the shutdown, so that a connection attached just now is not missed
        wire = self.wire
        if wire is not None and identity_of(wire) == self.identity:
            with suppress(OSError):
                # Not the TLS socket's own method, which takes its TLS state from under the other thread.
                socket.socket.shutdown(wire, socket.SHUT_RDWR)

    @property
    def is_late(self) -> bool:
        """Whether it waits for this process at the moment, and not for the server or the way there."""
        wire = self.wire
        if wire is None or self.answered:
            return True
        if not self.is_sent:
            return is_nearby(wire)
        try:
            descriptor = innermost(wire).fileno()
            return descriptor < 0 or has_come(descriptor)
        except (OSError, ValueError):
            return True  # its thread has closed it just now

    def forget(self) -> None:
        """Close this process's descriptor only; another process goes on with the connection."""
        close_descriptor(self.wire, self.identity)


class BoundedIO:
    """Mixed into a class that connects: sends and receives within the exchange's time."""

    sock: Any = None
    exchange: Exchange
    is_open = False  # connected, through any proxy and with TLS done; stays so when closed
    last_used = 0.0  # on the monotonic clock
    identity: Identity | None = None  # of the socket, once connected
    is_tls = False
    _is_bare = False
    would_block: tuple[type[OSError], ...] = (BlockingIOError,)
    """What a socket raises that does not wait."""

    def begin(self, exchange: Exchange) -> None:
        """Start work for `exchange`. Nothing is sent yet; an idle connection becomes its wire."""
        self.exchange = exchange
        exchange.is_sent = False
        if self.sock is not None:
            exchange.hold(innermost(self.sock), self.identity)

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.is_open = True
        self.exchange.attach(innermost(self.sock))
        self.identity = self.exchange.identity
        self._is_bare = is_bare(self.sock)

    @property
    def is_connected(self) -> bool:
        """Whether it is open at the other end, too: between two requests nothing comes but its end."""
        descriptor = -1 if self.sock is None else innermost(self.sock).fileno()
        return descriptor >= 0 and not has_come(descriptor)

    def let_go_if_lost(self) -> bool:
        """Forget a socket whose descriptor other code has closed; whether it had."""
        return self.sock is not None and let_go_of_stranger(self.sock, self.identity)

    def close(self) -> None:
        self.let_go_if_lost()
        super().close()  # type: ignore[misc]

    def __del__(self) -> None:
        with suppress(Exception):  # at the end of the interpreter anything may be gone
            self.let_go_if_lost()

    def send(self, data: Any) -> None:
        """Send all of `data`."""
        view = memoryview(data)
        # urllib3's TLS within TLS loses what a socket that does not wait leaves.
        if view and isinstance(self.sock, socket.socket):
            view = view[self._send_at_once(self.sock.send, view) :]
        while view:
            self.sock.settimeout(self.exchange.remaining())
            view = view[self.sock.send(view) :]

    def _send_at_once(self, send: Callable[[Any], int], data: Any) -> int:
        """How much the system takes without waiting. With a timeout Python asks it first whether it takes
        anything: one more system call, and one more wait for the interpreter's lock beside busy threads."""
        self.exchange.remaining()
        self.wait_never()
        try:
            return send(data)
        except self.would_block:
            return 0

    def wait_never(self) -> None:
        """Have the socket not wait; to tell it again would be another system call."""
        if self.sock.gettimeout() != 0:
            self.sock.settimeout(0)

    def post(self, head: bytes, body: bytes) -> None:
        """Send both in one system call: copying a body costs less than another wait for the lock."""
        if self._is_bare:
            self.exchange.remaining()
            sent = send_now(self.sock, head, body)
        elif self.is_tls or not hasattr(self.sock, "sendmsg"):
            self.send(head + body)
            return
        else:
            sent = self._send_at_once(self.sock.sendmsg, (head, body))
        if sent < len(head) + len(body):
            self.send(memoryview(head)[sent:])
            self.send(memoryview(body)[max(0, sent - len(head)) :])

    def receive(self, size: int) -> bytes:
        """At most so many bytes of the answer, at least one but at the end of the connection."""
        left = self.exchange.remaining()
        received = receive_within(self.sock, size, left) if self._is_bare else self._receive(size, left)
        if received:
            self.exchange.answered = True
        return received

    def _receive(self, size: int, seconds: float) -> bytes:
        self.sock.settimeout(seconds)
        received: bytes = self.sock.recv(size)
        return received


class BoundedConnect(BoundedIO):
    """Connects within the connect timeout, whatever the number of addresses the host has."""

    _handle: socket.socket | None = None
    host: str
    port: int

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            self._drop_handle()

    def _drop_handle(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            let_go_of_stranger(handle, self.exchange.identity)
            handle.close()

    def _new_conn(self) -> socket.socket:
        host = self.host.encode() if is_ipv4(self.host) else self.host
        addresses = socket.getaddrinfo(host, self.port, 0, socket.SOCK_STREAM)
        end, is_whole_time = self.exchange.connect_deadline()
        for untried in range(len(addresses), 0, -1):
            family, kind, protocol, _, address = addresses[-untried]
            try:
                # An equal share each, so that one address which answers nothing leaves time for the next.
                return self._connect_to(family, kind, protocol, address, (end - monotonic()) / untried)
            except TimeoutError as error:
                if untried == 1 and error.errno is None and not is_whole_time:
                    raise ConnectTimeout("no connection within the connect timeout") from None
                if untried == 1:
                    raise
            except OSError:
                if untried == 1 or self.exchange.cancelled:
                    raise
        raise OSError("no address")

    def _connect_to(self, family: int, kind: int, protocol: int, address: Any, limit: float) -> socket.socket:
        if limit <= 0:
            raise TimeoutError("out of time")
        sock = socket.socket(family, kind, protocol)
        identity = identity_of(sock)
        try:
            self._drop_handle()
            # The TLS handshake takes `sock` away and hides it until it is done; this second descriptor of
            # the same connection lets `cancel` reach it meanwhile.
            self._handle = sock.dup()
            self.exchange.attach(self._handle)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(limit)
            sock.connect(address)
            sock.settimeout(self.exchange.remaining())
        except BaseException:
            let_go_of_stranger(sock, identity)
            sock.close()
            raise
        return sock


class Direct:
    """Straight to the server."""

    sock: Any = None

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def connect(self) -> None:
        self.sock = self._new_conn()  # type: ignore[attr-defined] # of what is mixed in

    def close(self) -> None:
        sock, self.sock = self.sock, None
        if sock is not None:
            sock.close()


class PlainConnection(BoundedConnect, Direct):
    """A plain connection, straight to the server."""


def converse(connection: Any, exchange: Exchange, head: bytes, body: bytes) -> tuple[TimedResponse, bool]:
    """Send a request on `connection`; the answer, and whether the connection may be used again.

    Raises what a socket and `read_answer` raise, `DamagedGzip` and `TimeoutError`.
    """
    connection.begin(exchange)
    if connection.sock is None:
        connection.connect()
    begun = monotonic()
    exchange.is_sent = was_sent = True
    try:
        connection.post(head, body)
    except TimeoutError:
        raise
    except OSError:
        was_sent = False  # a server may answer before it has read everything, a 413 for one, and close
    answer = read_answer(connection.receive)
    took = monotonic() - begun
    if took > _PROMPT_SECONDS:
        # Beside threads that are busy in Python an answer may have lain there for longer than it took.
        took = max(0.0, took - seconds_since_received(connection.sock))
    content = answer.body
    if answer.headers.get("content-encoding", "").lower() in ("gzip", "x-gzip"):
        content = compression.decompress(content, MAX_BODY_BYTES, was_cut=not answer.is_whole)
    return TimedResponse(answer.status, answer.headers, content, took), was_sent and not answer.is_last
