"""URLs taken apart: the usual ones without `urllib.parse`, which loads as much as a twentieth of `init`."""

from __future__ import annotations

from string import ascii_lowercase, digits
from typing import Final

import msgspec

_SCHEMES: Final = frozenset({"http", "https"})
_HOST: Final = frozenset(ascii_lowercase + digits + ".-")
_PATH: Final = _HOST | frozenset(ascii_lowercase.upper() + "_~/")
_PORTS: Final = range(65536)


class Url(msgspec.Struct, frozen=True):
    """The parts of a URL, as `urllib.parse.urlsplit` has them."""

    scheme: str
    netloc: str
    host: str | None
    """In lower case, without brackets; None where there is none."""
    port: int | None
    path: str
    query: str = ""
    fragment: str = ""

    def with_path(self, path: str) -> str:
        """The URL, which has a host, with this path instead of its own."""
        query = f"?{self.query}" if self.query else ""
        fragment = f"#{self.fragment}" if self.fragment else ""
        return f"{self.scheme}://{self.netloc}{path}{query}{fragment}"


def split_url(url: str) -> Url:
    """The parts of a URL. Raises `ValueError` for brackets that do not close, or a port that is none."""
    plain = _split_plain(url)
    if plain is not None:
        return plain
    from urllib.parse import urlsplit  # noqa: PLC0415 - for the unusual ones

    parts = urlsplit(url)
    return Url(
        parts.scheme, parts.netloc, parts.hostname, parts.port, parts.path, parts.query, parts.fragment
    )


def _split_plain(url: str) -> Url | None:
    """A URL of a host in lower case, perhaps a port, and a path without escapes; None for others."""
    scheme, _, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    host, colon, port = netloc.partition(":")
    if scheme not in _SCHEMES or not host or not _HOST.issuperset(host) or not _PATH.issuperset(path):
        return None
    if not colon:
        return Url(scheme, netloc, host, None, slash + path)
    if not (port.isascii() and port.isdigit() and len(port) <= len("65535") and int(port) in _PORTS):
        return None
    return Url(scheme, netloc, host, int(port), slash + path)
