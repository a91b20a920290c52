"""What the endpoint answers of itself: the response shapes of the HTTP V2 and Batch APIs, and a few checks.

Not a model of Amplitude: no rates, no quotas, no profiles. What a test wants to see refused, it scripts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from antinode.testing._arrival import Arrival

V2_PATH = "/2/httpapi"
BATCH_PATH = "/batch"
MAX_EVENTS = 2000
MAX_BYTES = {V2_PATH: 1024 * 1024, BATCH_PATH: 20 * 1024 * 1024}
"""The documents say 1 MB and 20 MB, not which MB: refused is what is too large in both."""
MIN_ID_LENGTH = 5

_ERRORS = {
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    413: "Payload too large",
    429: "Too many requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(frozen=True)
class Ruling:
    """The status and the JSON body that the rules ask for."""

    status: int
    body: Mapping[str, Any]


def refusal(status: int, error: str | None = None, **more: object) -> Ruling:
    """A refusal with the API's own text for this status, unless another is given."""
    return Ruling(status, {"code": status, "error": error or _ERRORS.get(status, "Error"), **more})


def acceptance(ingested: int, size: int) -> Ruling:
    """The answer to a request that was taken whole."""
    return Ruling(
        200,
        {
            "code": 200,
            "events_ingested": ingested,
            "payload_size_bytes": size,
            "server_upload_time": int(time.time() * 1000),
        },
    )


def rule(arrival: Arrival, api_key: str | None = None) -> Ruling:
    """What a well server answers. Duplicates count as ingested: they are found downstream."""
    limit = MAX_BYTES.get(arrival.path)
    if limit is None or arrival.method != "POST":
        return refusal(400, "Invalid request path")
    if not arrival.wire_size:
        return refusal(400, "Missing request body")
    if arrival.inflated_size > limit:
        return refusal(413)
    document = arrival.document
    if not isinstance(document, dict):
        return refusal(400, "Invalid JSON request body")
    for key, kind in (("api_key", str), ("events", list)):
        if not isinstance(document.get(key), kind):
            return refusal(400, "Request missing required field", missing_field=key)
    if api_key is not None and document["api_key"] != api_key:
        return refusal(400, "Invalid API key")
    if len(document["events"]) > MAX_EVENTS:
        return refusal(413)
    if len(arrival.events) < len(document["events"]):
        return refusal(400, "Invalid event JSON")
    options = document.get("options")
    shortest = options.get("min_id_length") if isinstance(options, dict) else None
    refused = _check(arrival.events, shortest if isinstance(shortest, int) else MIN_ID_LENGTH)
    if refused is None:
        return acceptance(len(arrival.events), arrival.wire_size)
    error, key, positions = refused
    return refusal(400, error, **{key: name_positions(arrival.path, positions)})


def name_positions(path: str, positions: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """The offending positions as the API reports them: V2 only the first of each field, Batch all."""
    return {field: list(found[:1] if path == V2_PATH else found) for field, found in positions.items()}


def _check(events: list[dict[str, Any]], shortest: int) -> tuple[str, str, dict[str, list[int]]] | None:
    missing: dict[str, list[int]] = {}
    invalid: dict[str, list[int]] = {}
    short: dict[str, list[int]] = {}
    for position, event in enumerate(events):
        user_id, device_id = event.get("user_id"), event.get("device_id")
        if not event.get("event_type"):
            missing.setdefault("event_type", []).append(position)
        if not user_id and not device_id and event.get("event_type") != "$groupidentify":
            missing.setdefault("device_id", []).append(position)
        # The class rather than isinstance: a bool is no time, and this line runs for every event.
        if "time" in event and event["time"].__class__ is not int and event["time"] is not None:
            invalid.setdefault("time", []).append(position)
        if user_id and len(str(user_id)) < shortest:
            short.setdefault("user_id", []).append(position)
        if device_id and len(str(device_id)) < shortest:
            short.setdefault("device_id", []).append(position)
    if missing:
        return "Request missing required field", "events_with_missing_fields", missing
    if invalid:
        return "Invalid field values on some events", "events_with_invalid_fields", invalid
    if short:
        return "Invalid id length for user_id or device_id", "events_with_invalid_id_lengths", short
    return None
