"""A server that requests go to: the way to it, and the connections kept open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from antinode._delivery.http.connection import PlainConnection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from antinode._delivery.http.address import Address
    from antinode._delivery.http.proxies import Proxy


class Origin(msgspec.Struct):
    """One address and how to open connections to it. `idle` is guarded by the transport's lock."""

    address: Address
    proxy: Proxy | None
    tls_context: Callable[[], ssl.SSLContext]
    idle: list[Any] = msgspec.field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.address.host}:{self.address.port}"

    @property
    def is_forwarded(self) -> bool:
        """A proxy is handed the request itself, instead of opening a tunnel for it."""
        return self.proxy is not None and not self.proxy.is_socks and self.address.scheme == "http"

    def request_target(self, path: str) -> str:
        """What the request line names: a forwarding proxy needs the whole URL."""
        return f"http://{self.address.authority}{path}" if self.is_forwarded else path

    @property
    def host_header(self) -> str:
        """What the Host header says: with the port where it is not the usual one, or a proxy forwards."""
        address = self.address
        return address.name if address.has_usual_port and not self.is_forwarded else address.authority

    def request_headers(self) -> Mapping[str, str]:
        return self.proxy.headers if self.proxy is not None and self.is_forwarded else {}

    def peer(self, connection: Any) -> str:
        """Who is spoken to on `connection` as it is now: the proxy, until it has let us through."""
        if self.proxy is None:
            return self.name
        is_through = connection is not None and (connection.is_open or connection.has_connected_to_proxy)
        return self.name if is_through and not self.is_forwarded else f"proxy {self.proxy}{self._whence}"

    @property
    def _whence(self) -> str:
        """Where the proxy is configured, in words."""
        source = "" if self.proxy is None else self.proxy.source
        return f" (from {source})" if source else ""

    def new_connection(self) -> Any:
        """A connection not opened yet. It is never used again once it was closed."""
        address, proxy = self.address, self.proxy
        if proxy is None:
            if address.scheme == "http":
                return PlainConnection(address.host, address.port)
            from antinode._delivery.http.tls import TLSConnection  # noqa: PLC0415 - loads ssl

            return TLSConnection(address.host, address.port, self.tls_context())
        from antinode._delivery.http import proxied  # noqa: PLC0415 - urllib3's, loaded where a proxy was named

        return proxied.connection(address, proxy, self.tls_context)
