"""Asking the APIs with which Amplitude lets a project be read and changed, by its key and secret key."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import urllib3

from antinode._delivery.http.environment import proxy_from_environment
from antinode._delivery.http.proxies import Proxy, parse_proxy
from antinode._errors import ConfigurationError
from antinode._factory import is_in_the_clear
from antinode._protocol.endpoints import is_amplitude_host

if TYPE_CHECKING:
    from antinode._options import Options

HOSTS: Final = {"US": "https://amplitude.com", "EU": "https://analytics.eu.amplitude.com"}
_TIMEOUT_SECONDS: Final = 30.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
"""However long an answer asks to wait."""


class ProjectUnreachable(Exception):
    """There was no answer. The message says where, and of what kind the trouble was."""


class ProjectAnswer(NamedTuple):
    """What the API answered in the end."""

    status: int
    data: bytes
    tries: int
    """How often it was asked."""


class ProjectApi:
    """Asks the API of the project of these options. Raises `ConfigurationError`."""

    def __init__(
        self,
        options: Options,
        api_key: str,
        secret_key: str,
        *,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        given: object = secret_key
        if not isinstance(given, str) or not given or not (given.isascii() and given.isprintable()):
            raise ConfigurationError("secret_key must be the project's secret key, as Amplitude shows it")
        if not api_key:
            raise ConfigurationError("the project's API key is not known: call init(API_KEY) first")
        if is_in_the_clear(options):
            raise ConfigurationError(
                "server_url is plain http: the secret key is sent encrypted or not at all"
            )
        self.origin = origin_of(options)
        self._headers = urllib3.make_headers(basic_auth=f"{api_key}:{secret_key}")
        self._pool = _pool(options, self.origin)
        self._pause = pause
        self._is_first = True

    def __repr__(self) -> str:
        return f"<ProjectApi {self.origin}>"

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = "application/json",
        seconds_between: float = 0.0,
        backoff: float = 1.0,
        tries: int = 3,
    ) -> ProjectAnswer:
        """Ask, again after a 429, a 5xx or no answer; the last answer, whatever it is.

        Waits `seconds_between` two requests, and before a repetition `backoff` times its number, or what the
        answer asks for, up to a minute. Raises `ProjectUnreachable`.
        """
        told, asked_for = "", 0.0
        answer: ProjectAnswer | None = None
        for number in range(1, tries + 1):
            wait = seconds_between if number == 1 else max(backoff * number, asked_for)
            if wait and not self._is_first:
                self._pause(wait)
            self._is_first = False
            try:
                response = self._pool.request(
                    method,
                    f"{self.origin}{path}",
                    body=body,
                    headers={**self._headers, "content-type": content_type, "accept": "application/json"},
                    timeout=_TIMEOUT_SECONDS,
                    redirect=False,
                    decode_content=False,
                )
            except urllib3.exceptions.HTTPError as error:
                told, answer = f"{self.origin} could not be asked: {type(error).__name__}", None
                continue
            answer = ProjectAnswer(response.status, response.data, number)
            if response.status != 429 and response.status < 500:
                break
            asked_for = min(_seconds(response.headers.get("retry-after")), _LONGEST_PAUSE_SECONDS)
        if answer is None:
            raise ProjectUnreachable(told)
        return answer

    def close(self) -> None:
        """Let its connections go."""
        self._pool.clear()


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 9 else 0.0


def origin_of(options: Options) -> str:
    """Where the API is: Amplitude's, or, for a server of one's own, that server."""
    url = options.server_url
    if url is None:
        return HOSTS[options.server_zone]
    parts = urlsplit(url)
    if is_amplitude_host(url):
        return HOSTS["EU" if ".eu." in (parts.hostname or "") else "US"]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _pool(options: Options, origin: str) -> urllib3.PoolManager:
    given: dict[str, Any] = {"retries": False, "maxsize": 1}
    if options.ca_bundle is not None:
        from os import fspath  # noqa: PLC0415 - only with certificates of one's own
        from os.path import isdir  # noqa: PLC0415 - the same

        given["ca_cert_dir" if isdir(options.ca_bundle) else "ca_certs"] = fspath(options.ca_bundle)
    proxy = _proxy(options, origin)
    if proxy is None:
        return urllib3.PoolManager(**given)
    if proxy.is_socks:
        from urllib3.contrib.socks import SOCKSProxyManager  # noqa: PLC0415 - an extra

        return SOCKSProxyManager(str(proxy), username=proxy.user, password=proxy.password, **given)
    return urllib3.ProxyManager(str(proxy), proxy_headers=proxy.headers, **given)


def _proxy(options: Options, origin: str) -> Proxy | None:
    if options.proxy is False:
        return None
    if options.proxy is not None:
        return parse_proxy(options.proxy)
    parts = urlsplit(origin)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return proxy_from_environment(parts.scheme, parts.hostname or "", port)
