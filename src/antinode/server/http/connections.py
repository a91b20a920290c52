"""Connections: uvicorn's HTTP, with bounds on what a client may take its time for, and with an abrupt end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from typing import Final

import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from antinode.server.http.handshakes import Handshakes

HEADERS_WITHIN_S: Final = 30.0
"""From a request's first byte, or a connection's beginning, until the headers are there."""

MAX_HEADERS: Final = 65_536
"""Bytes of a request line and its headers."""

# Longer than client libraries keep an idle connection, so that none is closed under them.
_KEEP_ALIVE_SECONDS: Final = 75

_CUT: Final = "antinode.cut"

# What uvicorn logs about single connections, such as a request that is not HTTP, helps nobody here.
_SILENT = logging.getLogger("antinode.server.http.connections")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


def cut(scope: Scope) -> None:
    """Close the connection of this request at once, with a reset instead of an orderly end."""
    scope[_CUT]()


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    def __init__(self, config: uvicorn.Config, state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(config, state, {}, loop)
        self.logger = _SILENT
        self.access_log = False
        self._headers_due: asyncio.TimerHandle | None = None
        self._headers_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_headers()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._headers_due is not None:
            data = _without_upgrade(data)
        super().data_received(data)
        if self._headers_due is not None:
            self._headers_size += len(data)
            if self._headers_size > MAX_HEADERS and not self.transport.is_closing():
                self._have_headers()
                self.transport.write(_HEADERS_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()
        self.scope[_CUT] = self.cut  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        self._have_headers()
        super().on_headers_complete()
        if self.parser.should_upgrade():
            # The parser is of no use after a request that asks for another protocol.
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        super().shutdown()
        if not self.transport.is_closing() and self.cycle.more_body:
            self.cut()

    def cut(self) -> None:
        """Close the connection at once, with a reset."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None and not self.transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
        self.transport.abort()

    def _expect_headers(self) -> None:
        self._have_headers()
        self._headers_size = 0
        self._headers_due = self.loop.call_later(HEADERS_WITHIN_S, self.timeout_keep_alive_handler)

    def _have_headers(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None


_UPGRADE: Final = re.compile(rb"(?<=\r\n)upgrade:", re.IGNORECASE)


def _without_upgrade(data: bytes) -> bytes:
    """`data` with no offer of another protocol in its headers.

    None is ever taken, but the parser would take the body for that protocol's; Java's client offers HTTP/2.
    """
    headers, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"x-offered:", headers) + end + rest


_LINGER: Final[str] = {"win32": "hh"}.get(sys.platform, "ii")

_HEADERS_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\naccess-control-allow-origin: *\r\nconnection: close\r\n\r\n"
)


class Listener:
    """A listening socket with its connections, on the event loop that runs."""

    def __init__(self, app: ASGIApp) -> None:
        self._config = uvicorn.Config(
            app,
            interface="asgi3",
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,  # an application beside may use uvicorn's loggers as well
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        self._config.load()
        self._state = ServerState()

    async def open(self, listening: socket.socket, tls: Callable[[], ssl.SSLContext] | None = None) -> None:
        """Take connections from `listening`, which is bound; from then on it is closed with this.

        `tls` gives the context for each new connection; without it they are plain.
        """
        loop = asyncio.get_running_loop()
        self._listening = listening
        self._server: asyncio.Server | None = None
        self._handshakes: Handshakes | None = None

        def connection() -> Connection:
            return Connection(self._config, self._state, loop)

        if tls is not None:
            self._handshakes = Handshakes(listening, tls, connection, HEADERS_WITHIN_S)
        else:
            self._server = await loop.create_server(connection, sock=listening, backlog=2048)

    async def close(self, within_s: float) -> None:
        """Take no more requests, let those that are here end for so long, and cut the rest."""
        if self._handshakes is not None:
            await self._handshakes.close()
        if self._server is not None:
            await self._accept_no_more(self._server)
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=within_s)
        while connections := list(self._state.connections):
            for connection in connections:
                if isinstance(connection, Connection):
                    connection.cut()
            await asyncio.sleep(0)
        for task in list(self._state.tasks):
            task.cancel()
        await asyncio.gather(*self._state.tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _accept_no_more(self, server: asyncio.Server) -> None:
        # asyncio fails for a connection that is accepted but not set up yet when its server is closed. So
        # accept no more at first; what was accepted becomes a connection within three rounds of the loop.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().remove_reader(self._listening)
        for _ in range(3):
            await asyncio.sleep(0)
        server.close()


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to this address. Raises OSError that says what to do."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # A name that has both means IPv4 to most clients: 127.0.0.1 is what they are told.
        family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        bound = socket.socket(family, kind, protocol)
        try:
            if sys.platform != "win32":
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except BaseException:
            bound.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OSError(
            getattr(error, "errno", None),
            f"cannot listen on {host} port {port}: {reason}; give another host or port (0: any free one)",
        ) from error
    return bound


def url_of(listening: socket.socket, scheme: str) -> str:
    """The base URL under which this machine reaches a listening socket."""
    host, port = listening.getsockname()[:2]
    if listening.family == socket.AF_INET6:
        return f"{scheme}://[{'::1' if host == '::' else host}]:{port}"
    return f"{scheme}://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - compared, not bound
