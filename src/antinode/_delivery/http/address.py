"""Where a URL leads."""

from __future__ import annotations

from string import ascii_letters, digits

import msgspec

from antinode._protocol.urls import split_url

_PORTS = {"http": 80, "https": 443}
# What a path and a query may hold, and what is escaped already.
_AS_IT_IS = "!$%&'()*+,/:;=?@[]~"
_PLAIN = frozenset(ascii_letters + digits + "-._~/")


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
    parts = split_url(url)
    if parts.scheme not in _PORTS or not parts.host:
        raise ValueError("the URL must begin with http:// or https:// and name a host")
    path = _escaped(parts.path or "/")
    if parts.query:
        path += "?" + _escaped(parts.query)
    host = parts.host.replace("%25", "%", 1)  # an IPv6 address's zone, as RFC 6874 writes it
    return Address(parts.scheme, host, parts.port or _PORTS[parts.scheme]), path


def _escaped(text: str) -> str:
    if _PLAIN.issuperset(text):
        return text
    from urllib.parse import quote  # noqa: PLC0415 - loaded by then: such a URL was not split without it

    return quote(text, safe=_AS_IT_IS)
