"""Where events are sent: the two endpoints, their hosts, and custom server URLs (reference, section 1)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, Literal

from antinode._protocol.limits import BATCH_BODY_LIMIT, HTTP_V2_BODY_LIMIT

if TYPE_CHECKING:
    from urllib.parse import SplitResult

Zone = Literal["US", "EU"]
"""Where a project's data lives. An EU project works only with EU hosts and an EU key."""

HOSTS: Final[dict[Zone, str]] = {"US": "api2.amplitude.com", "EU": "api.eu.amplitude.com"}
"""The ingestion host of each zone."""

AMPLITUDE_HOSTS: Final = frozenset({*HOSTS.values(), "api.amplitude.com"})
"""Amplitude's ingestion hosts, with the one of older examples. All of them take gzip (section 12)."""


class Endpoint(enum.Enum):
    """An upload API. Both take the same requests and give the same answers; only the limits differ."""

    HTTP_V2 = "/2/httpapi"
    BATCH = "/batch"

    @property
    def path(self) -> str:
        return self.value

    @property
    def body_limit(self) -> int:
        """Bytes that an uncompressed body must stay under."""
        return BATCH_BODY_LIMIT if self is Endpoint.BATCH else HTTP_V2_BODY_LIMIT


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
    return parts is not None and (parts.hostname or "").rstrip(".") in AMPLITUDE_HOSTS


def endpoint_of(server_url: str) -> Endpoint | None:
    """The endpoint whose path ends `server_url`, or None if it ends in neither."""
    parts = _split(server_url)
    if parts is None:
        return None
    path = parts.path.rstrip("/")
    return next((endpoint for endpoint in Endpoint if path.endswith(endpoint.path)), None)


def sibling(server_url: str, endpoint: Endpoint) -> str | None:
    """The URL of `endpoint` on the server of `server_url`, which must itself end in an endpoint's path.

    Host, port, any path before the endpoint's, and the query stay. None if `server_url` ends in neither path.
    """
    present = endpoint_of(server_url)
    parts = _split(server_url)
    if present is None or parts is None:
        return None
    before = parts.path.rstrip("/")[: -len(present.path)]
    return parts._replace(path=before + endpoint.path).geturl()


def _split(server_url: str) -> SplitResult | None:
    from urllib.parse import urlsplit  # noqa: PLC0415 - only a custom server_url needs it

    try:
        parts = urlsplit(server_url)
        _ = parts.hostname  # an unclosed IPv6 bracket shows up only here or above, by Python version
    except ValueError:
        return None
    return parts
