"""The proxy that this process's environment names."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Literal

import msgspec

from antinode._delivery.http.proxies import Proxy, parse_proxy


def proxy_from_environment(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names, unless NO_PROXY excepts the host."""
    if not _may_name_one():
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - loads http.client and ssl

    proxies = getproxies()
    kind = scheme if proxies.get(scheme) else "all"
    text = proxies.get(kind)
    if not text or proxy_bypass(f"{host}:{port}"):
        return None
    return msgspec.structs.replace(parse_proxy(text), source=_variable(kind))


def _may_name_one() -> bool:
    """False where it is known that nothing does: most processes have no proxy, and then load nothing."""
    return sys.platform in {"darwin", "win32"} or any(
        value and name.lower().endswith("_proxy") for name, value in os.environ.items()
    )


def _variable(kind: str) -> str:
    """The name of the variable as it is written; "the system's settings" where no variable holds it."""
    names = (f"{kind}_proxy", f"{kind.upper()}_PROXY")
    return next((name for name in names if os.environ.get(name)), "the system's settings")


def import_for_proxies(proxy: str | Literal[False] | None) -> None:
    """Import now what `proxy`, or those of the environment, need, so that no thread has to when it sends."""
    if proxy is not None:
        named = [proxy or ""]
    elif _may_name_one():
        from urllib.request import getproxies  # noqa: PLC0415 - loads http.client and ssl

        named = [text for kind, text in getproxies().items() if kind != "no"]
    else:
        named = []
    for text in named:
        if text:
            with suppress(ImportError, ValueError):
                parse_proxy(text)
                import antinode._delivery.http.proxied  # noqa: F401, PLC0415 - loads urllib3
