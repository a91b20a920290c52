"""Servers on real sockets that answer, or misbehave, byte by byte."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(frozen=True)
class RawRequest:
    """One request as it arrived; header names are lower-case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Peer:
    """The server's end of one connection."""

    sock: Any
    server: RawServer
    buffered: bytes = b""

    def read_head(self) -> tuple[str, str, dict[str, str]] | None:
        """The request line and headers, or `None` at the end of the connection."""
        while b"\r\n\r\n" not in self.buffered:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.buffered += data
        head, _, self.buffered = self.buffered.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.split(":", 1) for line in lines)
        return method, target, {name.lower(): value.strip() for name, value in pairs}

    def read_request(self) -> RawRequest | None:
        head = self.read_head()
        if head is None:
            return None
        method, target, headers = head
        length = int(headers["content-length"])
        pieces, missing = [self.buffered], length - len(self.buffered)
        while missing > 0:
            data = self.sock.recv(65536)
            if not data:
                return None
            pieces.append(data)
            missing -= len(data)
        whole = b"".join(pieces)
        body, self.buffered = whole[:length], whole[length:]
        request = RawRequest(method, target, headers, body)
        self.server.requests.append(request)
        self.server.received.set()
        return request

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes) -> None:
        """`data` one byte at a time, each well within any timeout."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            if self.server.ended.wait(0.03):
                return

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """End the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@dataclass
class RawServer:
    """Gives each connection to `handler`, in a thread of its own, until the `with` block ends.

    What a handler raises is raised again at the end of the block, unless the client only went away.
    """

    handler: Callable[[Peer], None]
    tls: ssl.SSLContext | None = None
    connections: int = 0
    requests: list[RawRequest] = field(default_factory=list)
    accepted: threading.Event = field(default_factory=threading.Event)
    received: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> RawServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._errors: list[BaseException] = []
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._wake.close()
        self._threads[0].join()
        for sock in self._open:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        self._listener.close()
        self._woken.close()
        if self._errors and error is None:
            raise self._errors[0]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}/2/httpapi"

    @property
    def tls_url(self) -> str:
        return f"https://localhost:{self.port}/2/httpapi"

    def _accept(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._woken], [], [])
            if self._woken in ready:
                return
            sock, _ = self._listener.accept()
            self.connections += 1
            self.accepted.set()
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            self._open.append(sock)
            thread.start()

    def _serve(self, sock: Any) -> None:
        try:
            if self.tls is not None:
                plain, sock = sock, self.tls.wrap_socket(sock, server_side=True)
                self._open[self._open.index(plain)] = sock
            self.handler(Peer(sock, self))
        except OSError:
            pass  # the client went away, as many tests want it to
        except BaseException as error:
            self._errors.append(error)
        finally:
            sock.close()


def answering(answer: bytes = OK) -> Callable[[Peer], None]:
    """A handler that gives the same answer to each request of a connection."""

    def handle(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.send(answer)

    return handle


def silent(peer: Peer) -> None:
    """A handler that reads one request and never answers."""
    peer.read_request()
    peer.server.ended.wait()


def deaf(peer: Peer) -> None:
    """A handler that reads nothing at all."""
    peer.server.ended.wait()


def tunnel(peer: Peer) -> None:
    """An HTTP proxy that opens a tunnel to 127.0.0.1 at the port which CONNECT names."""
    head = peer.read_head()
    assert head is not None
    method, target, headers = head
    assert method == "CONNECT"
    peer.server.requests.append(RawRequest(method, target, headers, b""))
    peer.server.received.set()
    with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2]))) as onward:
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for source, data in _pump(peer.sock, onward):
            (onward if source is peer.sock else peer.sock).sendall(data)


def socks5(peer: Peer) -> None:
    """A SOCKS proxy without passwords that connects to 127.0.0.1 at the port asked for."""
    exact = peer.sock.makefile("rb")
    _, methods = exact.read(2)
    exact.read(methods)
    peer.send(b"\x05\x00")
    kind = exact.read(4)[3]
    host = exact.read(4 if kind == 1 else exact.read(1)[0])
    port = int.from_bytes(exact.read(2), "big")
    peer.server.requests.append(RawRequest("SOCKS", f"{host.decode('latin-1')}:{port}", {}, b""))
    with socket.create_connection(("127.0.0.1", port)) as onward:
        peer.send(b"\x05\x00\x00\x01" + bytes(6))
        for source, data in _pump(peer.sock, onward):
            (onward if source is peer.sock else peer.sock).sendall(data)


def _pump(*sockets: Any) -> Iterator[tuple[Any, bytes]]:
    while True:
        for source in sockets:  # TLS may hold data that select does not see
            while getattr(source, "pending", int)() > 0:
                yield source, source.recv(65536)
        for source in select.select(sockets, [], [])[0]:
            data = source.recv(65536)
            if not data:
                return
            yield source, data
