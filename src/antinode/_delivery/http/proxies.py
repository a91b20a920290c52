"""Which proxy a request goes through, and how a proxy is written."""

from __future__ import annotations

import base64

import msgspec

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


class Proxy(msgspec.Struct, frozen=True):
    """An HTTP or SOCKS proxy. Its user name and password never appear in its text."""

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = None
    source: str = ""
    """The environment variable that named it, if one did."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"<Proxy {self}>"

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks")

    @property
    def headers(self) -> dict[str, str]:
        """What the proxy itself wants to be told with a request or a CONNECT."""
        if self.user is None:
            return {}
        credentials = base64.b64encode(f"{self.user}:{self.password or ''}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {credentials}"}


def parse_proxy(text: str) -> Proxy:
    """`scheme://user:password@host:port`; the scheme may be left out and is then http.

    Raises `ValueError` when it cannot be understood and `ImportError` for SOCKS without PySocks.
    """
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - only where a proxy is named

    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    # The text itself stays out of the message: it may hold a password.
    if not host or parts.scheme not in _DEFAULT_PORTS:
        raise ValueError(
            "this proxy URL cannot be used; write http://host:port, http://user:password@host:port "
            "or the same with https, socks5, socks5h or socks4"
        )
    if parts.scheme.startswith("socks"):
        _require_pysocks()
    return Proxy(
        parts.scheme,
        host,
        port or _DEFAULT_PORTS[parts.scheme],
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )


def _require_pysocks() -> None:
    """Import what carries connections through SOCKS, long before one is opened."""
    try:
        import socks  # type: ignore[import-untyped] # noqa: F401, PLC0415 - an extra
        import urllib3.contrib.socks  # noqa: F401, PLC0415 - warns without it
    except ImportError:
        raise ImportError('a SOCKS proxy needs PySocks: pip install "antinode[socks]"') from None
