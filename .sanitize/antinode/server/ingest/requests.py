"""What passes between the web application and the engine: one request that came in, and what to answer."""

from __future__ import annotations

import msgspec


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """One request of an ingestion API, whole."""

    method: str
    path: str
    """Without the query, as sent."""
    query: str = ""
    body: bytes = b""
    """As it came over the wire, before any decompression."""
    content_type: str = ""
    content_encoding: str = ""
    user_agent: str = ""
    address: str = ""
    """The IP address that it came from; empty if there is none."""
    is_too_large: bool = False
    """The body is larger than anything the path takes; only its beginning was kept."""
    wire_size: int = 0
    """Bytes of the body as sent, also those that were not kept."""
    started: float = 0.0
    """`time.perf_counter()` when the request's headers had arrived."""


class IngestResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What to answer, and how."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = {}
    delay_s: float = 0.0
    """A fault: how long to wait before answering, after everything was stored."""
    is_cut: bool = False
    """A fault: close the connection instead of answering."""
