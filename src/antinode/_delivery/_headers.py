"""Which headers an application may add to requests: the one check of `init` and of the transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

OURS: Final = frozenset(
    {
        "Content-Type",
        "Content-Encoding",
        "Content-Length",
        "Transfer-Encoding",
        "Host",
        "Accept-Encoding",
        # About one connection, which the transport opens, keeps and closes.
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Te",
        "Trailer",
        "Upgrade",
        "Expect",
    }
)
"""Names that belong to the transport, as `str.title` writes them."""

# Fewer than HTTP allows: common servers and proxies silently drop a header with any other character.
_NAME: Final = frozenset("-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def checked_headers(headers: Mapping[Any, Any]) -> dict[str, str]:
    """The headers by their names in title case.

    Raises `ValueError` about the first that cannot be sent, with its name, and without its value.
    """
    checked: dict[str, str] = {}
    for given, value in headers.items():
        # Values stay out of all messages: they may be credentials.
        if not isinstance(given, str) or not isinstance(value, str):
            raise ValueError(f"names and values must be strings ({given!r:.60} is not, or its value)")
        name = given.title()
        if name in OURS:
            raise ValueError(f"{given!r} belongs to the transport; leave it out")
        if not given or not _NAME.issuperset(given):
            raise ValueError(f"{given!r:.60} is not a name to use; write letters, digits, '-' and '_'")
        if name in checked:
            raise ValueError(f"{given!r:.60} is given twice, since case does not count in names")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"the value of {given!r:.60} must be printable ASCII on one line")
        checked[name] = value
    return checked
