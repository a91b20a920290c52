"""The proxy that this process's environment names. Loads `http.client` and `ssl`."""

from __future__ import annotations

from contextlib import suppress
from urllib.request import getproxies, proxy_bypass

from antinode._delivery.http.proxies import Proxy, parse_proxy


def proxy_from_environment(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names, unless NO_PROXY excepts the host."""
    proxies = getproxies()
    text = proxies.get(scheme) or proxies.get("all")
    if not text or proxy_bypass(f"{host}:{port}"):
        return None
    return parse_proxy(text)


def import_for_proxies() -> None:
    """Import now what the proxies of the environment need, so that no thread has to when it sends."""
    for text in getproxies().values():
        if text.startswith("socks"):
            with suppress(ImportError, ValueError):
                parse_proxy(text)
