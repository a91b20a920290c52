"""Where events are sent: the two endpoints, their hosts, and custom server URLs (reference, section 1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Literal, TypeAlias

import msgspec

from antinode._protocol.limits import (
    BATCH_BODY_LIMIT_BYTES,
    BATCH_EVENTS_PER_SECOND,
    HTTP_V2_BODY_LIMIT_BYTES,
    HTTP_V2_EVENTS_PER_SECOND,
    MAX_EVENTS_PER_REQUEST,
)
from antinode._protocol.responses import Verdict, judge
from antinode._protocol.urls import Url, split_url

Zone = Literal["US", "EU"]
"""Where a project's data lives. An EU project works only with EU hosts and an EU key."""

HOSTS: Final[dict[Zone, str]] = {"US": "api2.amplitude.com", "EU": "api.eu.amplitude.com"}
"""The ingestion host of each zone."""

AMPLITUDE_HOSTS: Final = frozenset({*HOSTS.values(), "api.amplitude.com"})
"""Amplitude's ingestion hosts, with the one of older examples. All of them take gzip (section 12)."""


Judge: TypeAlias = (
    "Callable[[int, Mapping[str, str], bytes, int, Callable[[int], tuple[str | None, str | None]]], Verdict]"
)


def events_frame(api_key: str, min_id_length: int | None) -> tuple[bytes, bytes]:
    """What stands before and behind the events of a body, which are joined by commas (section 2.2)."""
    options = "" if min_id_length is None else f',"options":{{"min_id_length":{min_id_length}}}'
    return f'{{"api_key":{json.dumps(api_key)},"events":['.encode(), f"]{options}}}".encode()


class Endpoint(msgspec.Struct, frozen=True):
    """An upload API: all that differs from one to another. A further one is one more value."""

    HTTP_V2: ClassVar[Endpoint]
    BATCH: ClassVar[Endpoint]

    path: str
    body_limit: int
    """Bytes that an uncompressed body must stay under."""
    events_per_second: float
    """Of one user or device, above which they are throttled."""
    project_events_per_second: float
    """The same of a whole project."""
    events_per_request: int = MAX_EVENTS_PER_REQUEST
    frame: Callable[[str, int | None], tuple[bytes, bytes]] = events_frame
    """Of the API key and `min_id_length`: what a body has before and behind its events."""
    judge: Judge = judge
    """What an answer means."""


Endpoint.HTTP_V2 = Endpoint("/2/httpapi", HTTP_V2_BODY_LIMIT_BYTES, HTTP_V2_EVENTS_PER_SECOND, 50_000.0)
Endpoint.BATCH = Endpoint("/batch", BATCH_BODY_LIMIT_BYTES, BATCH_EVENTS_PER_SECOND, 100_000.0)

ENDPOINTS: Final = (Endpoint.HTTP_V2, Endpoint.BATCH)
"""Those that a server URL may end in the path of."""


def url(endpoint: Endpoint, zone: Zone = "US") -> str:
    """The URL of `endpoint` at Amplitude. Raises ValueError for a zone that does not exist."""
    try:
        host = HOSTS[zone]
    except (KeyError, TypeError):
        raise ValueError(f'there is no server zone {zone!r:.60}: write "US" or "EU"') from None
    return f"https://{host}{endpoint.path}"


def is_amplitude_host(server_url: str) -> bool:
    """Whether `server_url` names one of Amplitude's own ingestion hosts, on any port."""
    parts = _split(server_url)
    return parts is not None and (parts.host or "").rstrip(".") in AMPLITUDE_HOSTS


def endpoint_of(server_url: str) -> Endpoint | None:
    """The endpoint whose path ends `server_url`, or None if it ends in neither."""
    parts = _split(server_url)
    if parts is None:
        return None
    path = parts.path.rstrip("/")
    return next((endpoint for endpoint in ENDPOINTS if path.endswith(endpoint.path)), None)


def sibling(server_url: str, endpoint: Endpoint) -> str | None:
    """The URL of `endpoint` on the server of `server_url`, which must itself end in an endpoint's path.

    Host, port, any path before the endpoint's, and the query stay. None if `server_url` ends in neither path.
    """
    present = endpoint_of(server_url)
    parts = _split(server_url)
    if present is None or parts is None:
        return None
    before = parts.path.rstrip("/")[: -len(present.path)]
    return parts.with_path(before + endpoint.path)


def _split(server_url: str) -> Url | None:
    try:
        return split_url(server_url)
    except ValueError:
        return None
