"""Connections through proxies: urllib3's, bounded as the others are.

Apart from those, since most processes have no proxy and urllib3 takes a third of what `init` loads.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import urllib3.exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.util import Url

from antinode._delivery.http.connection import BoundedConnect, BoundedIO

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

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


class _Plain(BoundedConnect, HTTPConnection):  # type: ignore[misc] # narrower signatures
    pass


class _TLS(BoundedConnect, HTTPSConnection):  # type: ignore[misc] # narrower signatures
    pass


def _over_socks(address: Address, proxy: Proxy, tls_context: Callable[[], ssl.SSLContext]) -> Any:
    import socks  # type: ignore[import-untyped] # noqa: PLC0415 - an extra
    from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection  # noqa: PLC0415 - needs it

    class PlainOverSocks(_Plainly, SOCKSConnection):  # type: ignore[misc] # narrower signatures
        pass

    class TLSOverSocks(_Plainly, SOCKSHTTPSConnection):  # type: ignore[misc] # narrower signatures
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


class _Plainly(BoundedIO):
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
