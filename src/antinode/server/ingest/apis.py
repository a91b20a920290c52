"""The ingestion APIs that the local Amplitude speaks, and what they differ in."""

from __future__ import annotations

import enum

from antinode._protocol.endpoints import Endpoint
from antinode._protocol.limits import (
    BATCH_EVENTS_PER_SECOND,
    HTTP_V2_BODY_LIMIT_BYTES,
    HTTP_V2_EVENTS_PER_SECOND,
    MAX_EVENTS_PER_REQUEST,
    MAX_GROUP_IDENTIFICATIONS,
)


class IngestApi(enum.Enum):
    """An ingestion API. The value is its path."""

    HTTP_V2 = Endpoint.HTTP_V2.path
    BATCH = Endpoint.BATCH.path
    IDENTIFY = "/identify"
    GROUP_IDENTIFY = "/groupidentify"
    USER_MAP = "/usermap"
    LEGACY = "/"

    @property
    def speaks_json(self) -> bool:
        """Whether requests and answers are JSON. Those of the others are forms and plain text."""
        return self in (IngestApi.HTTP_V2, IngestApi.BATCH)

    @property
    def body_limit(self) -> int:
        """Bytes that a body may have after decompression."""
        return Endpoint.BATCH.body_limit if self is IngestApi.BATCH else HTTP_V2_BODY_LIMIT_BYTES

    @property
    def count_limit(self) -> int:
        """Events, or identifications, that a request may have."""
        return MAX_GROUP_IDENTIFICATIONS if self is IngestApi.GROUP_IDENTIFY else MAX_EVENTS_PER_REQUEST

    @property
    def documented_eps(self) -> int:
        """Events a second of one user or device above which the API is documented to throttle."""
        return BATCH_EVENTS_PER_SECOND if self is IngestApi.BATCH else HTTP_V2_EVENTS_PER_SECOND

    @property
    def methods(self) -> tuple[str, ...]:
        return ("POST", "GET") if self in (IngestApi.IDENTIFY, IngestApi.GROUP_IDENTIFY) else ("POST",)
