"""HTTP requests over kept-alive, verified, proxied connections, each within its total time.

Nothing here imports while it sends, where `init` has loaded what its options need: a destructor may log when
the interpreter is past importing.
"""

from __future__ import annotations

import os
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from antinode._delivery._headers import checked_headers
from antinode._delivery.http.address import parse_target
from antinode._delivery.http.compression import Compressor
from antinode._delivery.http.connection import Exchange, converse
from antinode._delivery.http.descriptors import close_descriptor
from antinode._delivery.http.environment import proxy_from_environment
from antinode._delivery.http.failures import FAILURES, died_while_idle, to_transport_error
from antinode._delivery.http.origin import Origin
from antinode._delivery.http.proxies import Proxy, parse_proxy
from antinode._delivery.http.requests import request_front
from antinode._delivery.messages import HttpResponse, Request, TransportError
from antinode._protocol.secrets import without_secrets

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from os import PathLike

    from antinode._delivery.http.address import Address

_CONNECT_SECONDS = 5.0  # a SYN that is lost twice still gets through
# Load balancers and NAT drop an idle connection after one to six minutes, some without a word, and a request
# on it would then wait for its whole time.
_IDLE_SECONDS = 50.0
_GZIP = b"Content-Encoding: gzip\r\n"


class _Front(msgspec.Struct, frozen=True):
    """The head of a request, but for what depends on its body."""

    own: tuple[tuple[str, str], ...]
    """The request's own headers."""
    text: bytes
    is_encoded: bool
    """Whether the headers say that the body is encoded already."""

    def __repr__(self) -> str:
        return "_Front()"  # headers may hold secrets


class _Way(msgspec.Struct):
    """The server that a URL leads to, what request line and Host header name there, and the last front."""

    origin: Origin
    target: str
    host: str
    front: _Front | None = None


class HttpTransport:
    """Carries requests; TLS is always verified. Thread-safe; `send` works again after `close`.

    `connections`: how many are kept open per server; more at the same time are opened and let go.
    `connect_timeout`: seconds for connecting alone, within the request's own time; 5 by default.
    `compress`: gzip bodies of more than `compress_above` bytes, at `compress_level` (see `Compressor`).
    `proxy`: its URL; `None` follows HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY as they are when a
    server is first used; `""` or `False` uses none.
    `ca_bundle`: a PEM file or a directory of them to trust instead of the system's certificates.
    `headers`: sent with each request, before the request's own.

    Raises `ValueError` for a proxy, bundle or header that cannot be used, and `ImportError` for a SOCKS
    proxy without PySocks. A redirect is not followed and no answer is retried: both come back as they are.
    Resolving a host name is the one wait that a request's time does not bound.
    """

    # Guarded by _lock: these three and each origin's list of idle connections.
    _under_way: set[Exchange]
    _origins: dict[Address, Origin]
    _ways: dict[str, _Way]  # by URL, so that each is parsed once

    def __init__(
        self,
        *,
        connections: int = 4,
        connect_timeout: float | None = None,
        compress: bool = False,
        compress_above: int = 2048,
        compress_level: int | None = None,
        proxy: str | Literal[False] | None = None,
        ca_bundle: str | PathLike[str] | None = None,
        headers: Mapping[str, str] | None = None,
        user_agent: str = "antinode",
    ) -> None:
        self._connections = connections
        self._connect_timeout = _CONNECT_SECONDS if connect_timeout is None else connect_timeout
        self._compress = Compressor(compress_level) if compress else None
        self._compress_above = compress_above
        self._proxy: Proxy | None = parse_proxy(proxy) if proxy else None
        self._follows_environment = proxy is None
        self._ca_bundle = None if ca_bundle is None else _checked_bundle(ca_bundle)
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
            **_headers(headers or {}),
        }
        self._tls: ssl.SSLContext | None = None
        self._forget()

    def send(self, request: Request) -> HttpResponse:
        """POST the body and return the answer, whatever its status. A body over 1 MiB is cut there.

        Blocks for up to `request.timeout` seconds, then raises `TransportTimeout`. Raises `TransportError`
        when there is no complete answer for another reason.
        """
        exchange = Exchange(request.timeout, self._connect_timeout)
        with self._lock:
            self._under_way.add(exchange)
        try:
            way = self._way(request.url)
            front = self._front(request, way)
            body, encoding = request.body, b""
            if self._compress is not None and len(body) > self._compress_above and not front.is_encoded:
                body, encoding = self._compress(body), _GZIP
            head = b"%b%bContent-Length: %d\r\n\r\n" % (front.text, encoding, len(body))
            return self._carry(exchange, way.origin, head, body)
        finally:
            with self._lock:
                self._under_way.discard(exchange)

    def close(self) -> None:
        """Close idle connections now, and those in use when their answer has come."""
        with self._lock:
            origins = list(self._origins.values())
            self._origins = {}
            self._ways = {}
            idle = [connection for origin in origins for connection in origin.idle]
        for connection in idle:
            connection.close()

    def cancel_all(self) -> None:
        """Make the sends under way fail soon with `TransportError`. Later ones are not affected."""
        with self._lock:
            under_way = list(self._under_way)
        for exchange in under_way:
            exchange.cancel()

    def is_late(self, sends: int) -> bool:
        """Whether one of so many sends waits for this process at the moment, and not for its server."""
        # Without the lock, under which certificates are loaded: to copy a set is one step of the interpreter.
        under_way = list(self._under_way)
        return len(under_way) < sends or any(exchange.is_late for exchange in under_way)

    def abandon(self) -> None:
        """For a forked child, before anything else: let go of the parent's connections, unharmed.

        Closes this process's descriptors without a word to the server. Takes no lock, since a thread that
        the child does not have may hold it; the parent's other threads must not be running, as after a fork.
        """
        origins, under_way = list(self._origins.values()), list(self._under_way)
        self._forget()
        if not (origins or under_way):
            return
        for exchange in under_way:
            exchange.forget()
        for origin in origins:
            for connection in origin.idle:
                close_descriptor(connection.sock, connection.identity)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._under_way = set()
        self._origins = {}
        self._ways = {}

    def _way(self, url: str) -> _Way:
        """The server that `url` leads to, and what a request line and a Host header there name."""
        way = self._ways.get(url)
        if way is not None:
            return way
        try:
            address, path = parse_target(url)
            proxy = self._proxy
            if self._follows_environment:
                proxy = proxy_from_environment(address.scheme, address.host, address.port)
            origin = Origin(address, proxy, self._tls_context)
            target, host = origin.request_target(path), origin.host_header
        except (ValueError, ImportError) as error:
            # Without its context, and masked: a message may quote the URL.
            raise TransportError(f"no way to the server: {without_secrets(str(error))}") from None
        with self._lock:
            way = self._ways[url] = _Way(self._origins.setdefault(address, origin), target, host)
        return way

    def _front(self, request: Request, way: _Way) -> _Front:
        """What of the head is the same in each request with the same headers; that of the last is kept."""
        own = tuple(request.headers.items())
        front = way.front
        if front is None or front.own != own:
            headers = {**self._headers, **way.origin.request_headers()}
            for name, value in own:
                headers[name.title()] = value
            text = _front_text(way.target, way.host, headers)
            front = way.front = _Front(own, text, "Content-Encoding" in headers)
        return front

    def _carry(self, exchange: Exchange, origin: Origin, head: bytes, body: bytes) -> HttpResponse:
        connection = self._take_idle(origin)
        is_reused = connection is not None
        while True:
            is_reusable = False
            try:
                if connection is None:
                    connection = origin.new_connection()
                response, is_reusable = converse(connection, exchange, head, body)
                return response
            except FAILURES as error:
                # The server closed the connection between two requests. It may have read this one all the
                # same, which does no harm: events carry an insert_id, and repeats of it are left out.
                if is_reused and not (exchange.answered or exchange.cancelled) and died_while_idle(error):
                    is_reused = False
                    continue
                if exchange.cancelled:
                    raise TransportError("cancelled") from error
                raise to_transport_error(error, origin.peer(connection)) from error
            finally:
                if connection is not None:
                    if not (is_reusable and self._keep(origin, connection)):
                        connection.close()
                    connection = None

    def _take_idle(self, origin: Origin) -> Any:
        """The connection used last that is still open at the other end, or `None`."""
        while True:
            with self._lock:
                if not origin.idle:
                    return None
                connection = origin.idle.pop()
            is_fresh = monotonic() - connection.last_used < _IDLE_SECONDS
            if is_fresh and connection.is_connected:
                return connection
            connection.close()

    def _keep(self, origin: Origin, connection: Any) -> bool:
        connection.last_used = monotonic()
        with self._lock:
            # Not the same origin any more: `close` came while the request was under way.
            if self._origins.get(origin.address) is not origin or len(origin.idle) >= self._connections:
                return False
            origin.idle.append(connection)
            return True

    def _tls_context(self) -> ssl.SSLContext:
        """One for all connections: loading the certificates takes tens of milliseconds."""
        from antinode._delivery.http import tls  # noqa: PLC0415 - loads ssl; long loaded where `init` was told

        with self._lock:
            context = self._tls
            if context is None or not tls.is_usable(context):
                try:
                    context = self._tls = tls.make_context(self._ca_bundle)
                except OSError as error:
                    raise TransportError(
                        f"no certificates could be read from ca_bundle {self._ca_bundle!r}"
                    ) from error
            return context


def _checked_bundle(bundle: str | PathLike[str]) -> str:
    path = os.fspath(bundle)
    try:
        if os.path.isdir(path):
            os.listdir(path)
        else:
            with open(path, "rb") as file:
                if b"-----BEGIN " not in file.read():
                    raise ValueError(f"ca_bundle {path!r} holds no certificate; name a file in PEM format")
    except OSError as error:
        raise ValueError(
            f"ca_bundle {path!r} cannot be read ({error.strerror}); name a PEM file or a directory of them"
        ) from error
    return path


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    try:
        return checked_headers(headers)
    except ValueError as error:
        raise ValueError(f"headers: {error}") from None


def _front_text(target: str, host: str, headers: Mapping[str, str]) -> bytes:
    try:
        return request_front(target, host, headers)
    except ValueError as error:
        # Without its context, which quotes what it could not encode.
        raise TransportError(f"the request cannot be made: {error}") from None
