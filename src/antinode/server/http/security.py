"""Who may ask what: guards against other web pages in the same browser, and headers for our own."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers

from antinode.server.quoting import quoted

PAGE_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""For the page and the API: nothing from elsewhere, nothing inline, in no frame."""

_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::[0-9]{1,5})?\Z")

# Suffixes that public DNS never resolves, so that no stranger's page can have such a name.
_PRIVATE_SUFFIXES: Final = (".localhost", ".local", ".internal", ".test", ".home.arpa")


class Gate:
    """Says who may ask the API of a server that listens on `host`, and goes by the names in `allowed` too.

    A web page elsewhere can have its own name point at this machine and then read as if it were ours (DNS
    rebinding); so the name in `Host` has to be one that cannot be a stranger's.
    """

    def __init__(self, host: str, allowed: Collection[str] = ()) -> None:
        self._names = {_name(each) for each in (host, *allowed)}
        self._is_open = not is_loopback(host)

    def wrong_host(self, headers: Headers, also: Collection[str] = ()) -> str | None:
        """Why a request with this `Host` is refused; None if it is not. Names in `also` are allowed, too."""
        given = headers.get("host", "")
        match = _HOST.match(given)
        if match is not None and ((name := _name(match["name"])) in also or self._is_ours(name)):
            return None
        return (
            f"this server does not answer its API as {quoted(given)}; ask for 127.0.0.1, localhost, or the "
            "address that it was started with, or start it with --allow-host and this name"
        )

    def wrong_origin(self, headers: Headers) -> str | None:
        """Why a request from this `Origin` may not change anything; None if it may."""
        origin = headers.get("origin")
        if origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower() != "":
            return None
        return (
            f"a web page from {quoted(origin)} may not change anything here; only this server's own page may"
        )

    def _is_ours(self, name: str) -> bool:
        if name in self._names or is_loopback(name):
            return True
        if not self._is_open or not name:
            return False
        return "." not in name or name.endswith(_PRIVATE_SUFFIXES) or _address(name) is not None


def _name(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    name = _name(host)
    address = _address(name)
    return address.is_loopback if address is not None else name == "localhost" or name.endswith(".localhost")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
