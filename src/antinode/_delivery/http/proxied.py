"""Connections through proxies: urllib3's, bounded as the others are.

Apart from those, since most processes have no proxy and urllib3 takes a third of what `init` loads.
"""

from __future__ import annotations

import http.client
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import urllib3.exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.util import Url

from antinode._delivery.http.answers import CutShort, MalformedAnswer, NoAnswer
from antinode._delivery.http.connection import BoundedConnect, BoundedIO, Exchange
from antinode._delivery.http.descriptors import let_go_of_stranger
from antinode._delivery.http.tls import OverTLS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from _typeshed import WriteableBuffer

    from antinode._delivery.http.address import Address
    from antinode._delivery.http.proxies import Proxy


def connection(address: Address, proxy: Proxy, tls_context: Callable[[], ssl.SSLContext]) -> Any:
    """A connection to `address` through `proxy`, not opened yet."""
    if proxy.is_socks:
        return _over_socks(address, proxy, tls_context)
    options: dict[str, Any] = {"proxy": Url(proxy.scheme, host=proxy.host, port=proxy.port)}
    if address.scheme == "http" and proxy.scheme == "http":
        return _Plain(proxy.host, proxy.port, **options)
    context = tls_context()
    options["ssl_context"] = context
    if proxy.scheme == "https":
        options["proxy_config"] = ProxyConfig(
            ssl_context=context,
            use_forwarding_for_https=False,
            assert_hostname=None,
            assert_fingerprint=None,
        )
    made = _TLS(proxy.host, proxy.port, **options)
    if address.scheme == "https":
        made.set_tunnel(address.host, address.port, proxy.headers, scheme=proxy.scheme)
    return made


class _BoundedReader(io.RawIOBase):
    """What http.client reads answers from; each read has the time that is left."""

    def __init__(self, sock: Any, exchange: Exchange) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._sock.settimeout(self._exchange.remaining())
        count: int | None = self._raw.readinto(buffer)
        if count:
            self._exchange.answered = True
        # Again, since after a proxy's answer the TLS handshake starts on the socket as it is.
        self._sock.settimeout(self._exchange.remaining())
        return count

    def close(self) -> None:
        let_go_of_stranger(self._sock, self._exchange.identity)
        self._raw.close()
        super().close()


class _BoundedFile(io.BufferedReader):
    """Notices an answer that ends within its headers; http.client would take it for one with fewer."""

    _has_begun = False

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        # An answer that ends before its first line is for http.client to report: nothing was answered.
        if not line.endswith(b"\n") and len(line) != size and (line or self._has_begun):
            raise http.client.IncompleteRead(b"")
        self._has_begun = True
        return line


class _ReadSide:
    """The one method of a socket that `http.client.HTTPResponse` uses."""

    def __init__(self, sock: Any, exchange: Exchange) -> None:
        self._reader = _BoundedReader(sock, exchange)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return _BoundedFile(self._reader)


class _ToProxy(BoundedIO):
    """Has http.client speak with a proxy within the exchange's time, and tells its errors as ours."""

    def begin(self, exchange: Exchange) -> None:
        super().begin(exchange)
        self.timeout: Any = exchange.remaining()

    def connect(self) -> None:
        try:
            super().connect()
        except http.client.RemoteDisconnected as error:
            raise NoAnswer(str(error)) from None  # whose words would be those of any reset
        except http.client.IncompleteRead as error:
            raise CutShort from error
        except http.client.HTTPException as error:
            raise MalformedAnswer(type(error).__name__) from error

    def response_class(self, sock: Any, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        """What reads the answer to CONNECT."""
        reads: Any = _ReadSide(sock, self.exchange)
        return http.client.HTTPResponse(reads, *args, **kwargs)


class _Plain(_ToProxy, BoundedConnect, HTTPConnection):  # type: ignore[misc] # narrower signatures
    pass


class _TLS(_ToProxy, OverTLS, BoundedConnect, HTTPSConnection):  # type: ignore[misc] # narrower signatures
    pass


def _over_socks(address: Address, proxy: Proxy, tls_context: Callable[[], ssl.SSLContext]) -> Any:
    import socks  # type: ignore[import-untyped] # noqa: PLC0415 - an extra
    from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection  # noqa: PLC0415 - needs it

    class PlainOverSocks(_Plainly, SOCKSConnection):  # type: ignore[misc] # narrower signatures
        pass

    class TLSOverSocks(_Plainly, OverTLS, SOCKSHTTPSConnection):  # type: ignore[misc] # narrower signatures
        pass

    way: Any = {
        "socks_version": socks.SOCKS4 if proxy.scheme.startswith("socks4") else socks.SOCKS5,
        "proxy_host": proxy.host,
        "proxy_port": proxy.port,
        "username": proxy.user,
        "password": proxy.password,
        "rdns": proxy.scheme in ("socks4a", "socks5h"),  # as curl: these let the proxy resolve names
    }
    if address.scheme == "http":
        return PlainOverSocks(way, address.host, address.port)
    return TLSOverSocks(way, address.host, address.port, ssl_context=tls_context())


class _Plainly(_ToProxy):
    """Tells what fails in the words of sockets; only SOCKS has urllib3 connect, and so its errors."""

    def connect(self) -> None:
        with _plain_errors():
            super().connect()


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except urllib3.exceptions.HTTPError as error:
        # PySocks keeps the socket's own error in its; urllib3 calls a refused connection a timeout.
        cause = error.__cause__ or error.__context__
        cause = getattr(cause, "socket_err", None) or cause
        if isinstance(cause, OSError):
            raise cause from error
        raise OSError(type(error).__name__) from error
