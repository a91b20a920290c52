"""Amplitude's User Privacy API: asking it to delete users, and what became of that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
import urllib3

from antinode._delivery.http.environment import proxy_from_environment
from antinode._delivery.http.proxies import Proxy, parse_proxy
from antinode._errors import ConfigurationError
from antinode._factory import is_in_the_clear
from antinode._forgetting.results import DeletionError, DeletionJob
from antinode._protocol.endpoints import is_amplitude_host
from antinode._protocol.words import counted

if TYPE_CHECKING:
    from datetime import date

    from antinode._forgetting.people import PeopleToForget
    from antinode._options import Options

HOSTS: Final = {"US": "https://amplitude.com", "EU": "https://analytics.eu.amplitude.com"}
USERS_PER_REQUEST: Final = 100
SECONDS_PER_REQUEST: Final = 1.0
"""The API takes one request a second."""
TRIES: Final = 3

_DELETIONS: Final = "/api/2/deletions/users"
_SEARCH: Final = "/api/2/usersearch"
_TIMEOUT_SECONDS: Final = 30.0


class _Job(msgspec.Struct):
    day: str
    status: str
    amplitude_ids: list[Any] = []
    invalid_ids: list[Any] = []

    def told(self) -> DeletionJob:
        return DeletionJob(
            day=self.day,
            status=self.status,
            users=len(self.amplitude_ids),
            unknown=len(self.invalid_ids or ()),
        )


class _Match(msgspec.Struct):
    amplitude_id: int
    user_id: str | None = None


class _Matches(msgspec.Struct):
    matches: list[_Match] = []


class UserPrivacyApi:
    """Asks the API of the project of these options. Raises `ConfigurationError`, then `DeletionError`."""

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
        self._origin = origin_of(options)
        self._headers = urllib3.make_headers(basic_auth=f"{api_key}:{secret_key}")
        self._pool = _pool(options, self._origin)
        self._pause = pause
        self._is_first = True

    def __repr__(self) -> str:
        return f"<UserPrivacyApi {self._origin}>"

    def delete(self, people: PeopleToForget, requester: str) -> list[DeletionJob]:
        """Ask for the deletion of these people, a hundred at a time; returns the jobs that took them."""
        jobs = []
        found = [number for device in sorted(people.device_ids) for number in self._search(device)]
        for name, ids in (("user_ids", sorted(people.user_ids)), ("amplitude_ids", sorted(set(found)))):
            for batch in _batches(ids):
                body = {name: batch, "ignore_invalid_id": "true", "requester": requester}
                answer = self._ask("POST", _DELETIONS, msgspec.json.encode(body))
                jobs += [job.told() for job in _decoded(answer)]
        return jobs

    def jobs(self, start: date, end: date) -> list[DeletionJob]:
        """The jobs that are scheduled from `start` to `end`, both inclusive, at most six months."""
        days = urlencode({"start_day": start.isoformat(), "end_day": end.isoformat()})
        return [job.told() for job in _decoded(self._ask("GET", f"{_DELETIONS}?{days}"))]

    def _search(self, device_id: str) -> list[int]:
        """The Amplitude IDs of who was seen on a device and has no user_id: the API deletes by no device."""
        answer = self._ask("GET", f"{_SEARCH}?{urlencode({'user': device_id})}")
        try:
            found = msgspec.json.decode(answer, type=_Matches)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise DeletionError("the user search answered what is not in Amplitude's form") from None
        return [match.amplitude_id for match in found.matches if not match.user_id]

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        told = ""
        for number in range(1, TRIES + 1):
            if not self._is_first:
                self._pause(SECONDS_PER_REQUEST * number)
            self._is_first = False
            try:
                response = self._pool.request(
                    method,
                    f"{self._origin}{path}",
                    body=body,
                    headers={
                        **self._headers,
                        "content-type": "application/json",
                        "accept": "application/json",
                    },
                    timeout=_TIMEOUT_SECONDS,
                    redirect=False,
                    decode_content=False,
                )
            except urllib3.exceptions.HTTPError as error:
                told = f"{self._origin} could not be asked: {type(error).__name__}"
                continue
            if response.status == 200:
                return response.data
            told = f"{self._origin} answered {response.status}{_hint(response.status)}"
            if response.status != 429 and response.status < 500:
                break
        raise DeletionError(told)

    def close(self) -> None:
        """Let its connections go."""
        self._pool.clear()


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


def _batches(ids: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(ids), USERS_PER_REQUEST):
        yield list(ids[start : start + USERS_PER_REQUEST])


def _decoded(answer: bytes) -> list[_Job]:
    """The jobs of an answer, which is one or a list of them."""
    try:
        found: list[_Job] | _Job = msgspec.json.decode(answer, type=list[_Job] | _Job)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DeletionError(
            "the answer is not in Amplitude's form, so the request may not have reached it"
        ) from None
    return found if isinstance(found, list) else [found]


def _hint(status: int) -> str:
    if status in (401, 403):
        return ": is it the secret key of this project, and the right zone?"
    return f" {counted(TRIES, 'time')}" if status == 429 or status >= 500 else ""
