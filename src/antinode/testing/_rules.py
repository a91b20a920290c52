"""What the endpoint answers of itself: the HTTP V2 and Batch APIs' checks of a request and of its events.

It remembers nothing between requests, and so knows no rates, quotas and profiles: those a test scripts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from antinode._protocol.endpoints import ENDPOINTS, Endpoint
from antinode._protocol.fields import ID_FIELDS, RESERVED_EVENT_TYPES
from antinode._protocol.ids import is_good_id
from antinode._protocol.limits import DEFAULT_MIN_ID_LENGTH, MAX_EVENTS_PER_REQUEST
from antinode._protocol.objections import ProblemKind, problems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from antinode.testing._arrival import Arrival

_ENDPOINTS = {endpoint.path: endpoint for endpoint in ENDPOINTS}

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


def invalid_key(document: object) -> Ruling:
    """The refusal of an unknown key, which it repeats as the API does."""
    key = document.get("api_key") if isinstance(document, dict) else None
    return refusal(400, f"Invalid API key: {key}" if isinstance(key, str) else "Invalid API key")


def rule(arrival: Arrival, api_key: str | None = None) -> Ruling:
    """What a well server answers. Duplicates count as ingested: they are found downstream."""
    endpoint = _ENDPOINTS.get(arrival.path)
    if endpoint is None or arrival.method != "POST":
        return refusal(400, "Invalid request path")
    if not arrival.wire_size:
        return refusal(400, "Missing request body")
    if arrival.inflated_size >= endpoint.body_limit:
        return refusal(413)
    document = arrival.document
    if not isinstance(document, dict):
        return refusal(400, "Invalid JSON request body")
    for key, kind in (("api_key", str), ("events", list)):
        if not isinstance(document.get(key), kind) or document[key] == "":
            return refusal(400, "Request missing required field", missing_field=key)
    if api_key is not None and document["api_key"] != api_key:
        return invalid_key(document)
    if len(document["events"]) > MAX_EVENTS_PER_REQUEST:
        return refusal(413)
    if len(arrival.events) < len(document["events"]):
        return refusal(400, "Invalid event JSON")
    options = document.get("options")
    shortest = options.get("min_id_length") if isinstance(options, dict) else None
    refused = _check(arrival.events, shortest if isinstance(shortest, int) else DEFAULT_MIN_ID_LENGTH)
    if refused is None:
        return acceptance(len(arrival.events), arrival.wire_size)
    error, key, positions = refused
    return refusal(400, error, **{key: name_positions(arrival.path, positions)})


def name_positions(path: str, positions: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """The offending positions as the API reports them: V2 only the first of each field, Batch all."""
    is_v2 = path == Endpoint.HTTP_V2.path
    return {field: list(found[:1] if is_v2 else found) for field, found in positions.items()}


_STAGES: dict[ProblemKind, tuple[str, str]] = {
    "missing": ("Request missing required field", "events_with_missing_fields"),
    "invalid": ("Invalid field values on some events", "events_with_invalid_fields"),
    "id_length": ("Invalid id length for user_id or device_id", "events_with_invalid_id_lengths"),
}
"""The checks in their order, with what the API answers: the first that an event fails decides."""


def _check(events: list[dict[str, Any]], shortest: int) -> tuple[str, str, dict[str, list[int]]] | None:
    found: dict[ProblemKind, dict[str, list[int]]] = {stage: {} for stage in _STAGES}
    for position, event in enumerate(events):
        if _is_ordinary(event, shortest):
            continue
        for problem in problems(event, shortest):
            found[problem.kind].setdefault(problem.field, []).append(position)
    return next((_STAGES[stage] + (named,) for stage, named in found.items() if named), None)


_SCALARS = frozenset({str, int, float, bool, type(None)})


def _is_ordinary(event: dict[str, Any], shortest: int) -> bool:
    """Whether `problems` finds none, at a fraction of its cost: tests send such events by the thousand."""
    event_type = event.get("event_type")
    if event_type.__class__ is not str or not event_type.strip() or event_type in RESERVED_EVENT_TYPES:
        return False
    ids = [value for field in ID_FIELDS if (value := event.get(field)) is not None]
    if not ids or not all(value.__class__ is str and is_good_id(value, shortest) for value in ids):
        return False
    properties = event.get("event_properties", {})
    return (
        event.keys() <= _ORDINARY
        and event.get("time", 0).__class__ is int
        and abs(event.get("time", 0)) < _LARGEST
        and event.get("insert_id", "").__class__ is str
        and event.get("library", "").__class__ is str
        and properties.__class__ is dict
        and all(value.__class__ in _SCALARS for value in properties.values())
    )


_ORDINARY = frozenset({"event_type", "time", "insert_id", "library", "event_properties", *ID_FIELDS})
_LARGEST = 2**63
