"""Where a URL leads."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import msgspec

_PORTS = {"http": 80, "https": 443}
# What a path and a query may hold, and what is escaped already.
_AS_IT_IS = "!$%&'()*+,/:;=?@[]~"


class Address(msgspec.Struct, frozen=True):
    """Scheme, host and port: what connections are shared by."""

    scheme: str
    host: str
    port: int

    @property
    def has_usual_port(self) -> bool:
        return self.port == _PORTS[self.scheme]

    @property
    def name(self) -> str:
        """The host as a request names it: an IPv6 address in brackets, without its zone."""
        if ":" in self.host:
            return f"[{self.host.partition('%')[0]}]"
        return self.host if self.host.isascii() else self.host.encode("idna").decode()

    @property
    def authority(self) -> str:
        """Name and port."""
        return f"{self.name}:{self.port}"


def parse_target(url: str) -> tuple[Address, str]:
    """Where a URL leads, and the path and query to name there.

    Raises `ValueError` when it is not an absolute http or https URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("the URL must begin with http:// or https:// and name a host")
    path = quote(parts.path or "/", safe=_AS_IT_IS)
    if parts.query:
        path += "?" + quote(parts.query, safe=_AS_IT_IS)
    host = parts.hostname.replace("%25", "%", 1)  # an IPv6 address's zone, as RFC 6874 writes it
    return Address(parts.scheme, host, parts.port or _PORTS[parts.scheme]), path
