"""A server that requests go to: the way to it, and the connections kept open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from urllib3.connection import ProxyConfig
from urllib3.util import Url, parse_url

from antinode._delivery.http.connection import BoundedHTTPConnection, BoundedHTTPSConnection, BoundedIO

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from antinode._delivery.http.proxies import Proxy

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """Scheme, host and port: what connections are shared by."""

    scheme: str
    host: str
    port: int


def parse_target(url: str) -> tuple[Address, str]:
    """Where a URL leads, and the path and query to name there.

    Raises `ValueError` when it is not an absolute http or https URL.
    """
    parts = parse_url(url)
    if parts.scheme not in _PORTS or not parts.host:
        raise ValueError("the URL must begin with http:// or https:// and name a host")
    host = parts.host.strip("[]")
    return Address(parts.scheme, host, parts.port or _PORTS[parts.scheme]), parts.request_uri


@dataclass
class Origin:
    """One address and how to open connections to it. `idle` is guarded by the transport's lock."""

    address: Address
    proxy: Proxy | None
    tls_context: Callable[[], ssl.SSLContext]
    idle: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.address.host}:{self.address.port}"

    @property
    def is_forwarded(self) -> bool:
        """A proxy is handed the request itself, instead of opening a tunnel for it."""
        return self.proxy is not None and not self.proxy.is_socks and self.address.scheme == "http"

    def request_target(self, path: str) -> str:
        """What the request line names: a forwarding proxy needs the whole URL."""
        if not self.is_forwarded:
            return path
        return Url("http", host=self.address.host, port=self.address.port).url + path

    def request_headers(self) -> Mapping[str, str]:
        return self.proxy.headers if self.proxy is not None and self.is_forwarded else {}

    def peer(self, connection: Any) -> str:
        """Who is spoken to on `connection` as it is now: the proxy, until it has let us through."""
        if self.proxy is None:
            return self.name
        is_through = connection is not None and (connection.is_open or connection.has_connected_to_proxy)
        return self.name if is_through and not self.is_forwarded else f"proxy {self.proxy}"

    def new_connection(self) -> Any:
        """A connection not opened yet. It is never used again once it was closed."""
        address, proxy = self.address, self.proxy
        if proxy is None:
            if address.scheme == "http":
                return BoundedHTTPConnection(address.host, address.port)
            return BoundedHTTPSConnection(address.host, address.port, ssl_context=self.tls_context())
        if proxy.is_socks:
            return self._socks_connection(proxy)
        options: dict[str, Any] = {"proxy": Url(proxy.scheme, host=proxy.host, port=proxy.port)}
        if address.scheme == "http" and proxy.scheme == "http":
            return BoundedHTTPConnection(proxy.host, proxy.port, **options)
        context = self.tls_context()
        options["ssl_context"] = context
        if proxy.scheme == "https":
            options["proxy_config"] = ProxyConfig(
                ssl_context=context,
                use_forwarding_for_https=False,
                assert_hostname=None,
                assert_fingerprint=None,
            )
        connection = BoundedHTTPSConnection(proxy.host, proxy.port, **options)
        if address.scheme == "https":
            connection.set_tunnel(address.host, address.port, proxy.headers, scheme=proxy.scheme)
        return connection

    def _socks_connection(self, proxy: Proxy) -> Any:
        import socks  # type: ignore[import-untyped] # noqa: PLC0415 - an extra
        from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection  # noqa: PLC0415 - needs it

        class PlainOverSocks(BoundedIO, SOCKSConnection):  # type: ignore[misc] # narrower signatures
            pass

        class TLSOverSocks(BoundedIO, SOCKSHTTPSConnection):  # type: ignore[misc] # narrower signatures
            pass

        way: Any = {
            "socks_version": socks.SOCKS4 if proxy.scheme.startswith("socks4") else socks.SOCKS5,
            "proxy_host": proxy.host,
            "proxy_port": proxy.port,
            "username": proxy.user,
            "password": proxy.password,
            "rdns": proxy.scheme in ("socks4a", "socks5h"),  # as curl: these let the proxy resolve names
        }
        if self.address.scheme == "http":
            return PlainOverSocks(way, self.address.host, self.address.port)
        return TLSOverSocks(way, self.address.host, self.address.port, ssl_context=self.tls_context())
