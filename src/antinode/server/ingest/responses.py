"""What the ingestion APIs answer: the bodies of successes and refusals (reference, sections 13, 16, 17)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from antinode._protocol.limits import ID_HOLD_SECONDS, PROJECT_WAIT_SECONDS
from antinode._protocol.texts import one_line
from antinode.server.ingest.apis import IngestApi
from antinode.server.ingest.requests import IngestResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from antinode.server.ingest.parsing import RequestReading
    from antinode.server.ingest.requests import Received
    from antinode.server.models import Problem

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"

SUCCESS: Final = "success"
"""The answer of the APIs that answer in text."""

Stage = Literal["missing", "invalid", "id_length"]
"""The checks of single events, by the map in which an answer names the events that fail them."""

_STAGES: Final[Mapping[Stage, tuple[str, str]]] = {
    "missing": ("Request missing required field", "events_with_missing_fields"),
    "invalid": ("Invalid field values on some events", "events_with_invalid_fields"),
    "id_length": ("Invalid id length for user_id or device_id", "events_with_invalid_id_lengths"),
}

_LONGEST_KEY: Final = 256
"""Characters of a wrong key that are repeated; real ones have 32."""

_IDENTIFY_WAIT_SECONDS: Final = 15
"""Seconds for which the Identify API asks throttled devices to pause (section 16)."""


@dataclass(frozen=True)
class Refusal:
    """A request that is refused as a whole: what to answer, and which of its events are the reason."""

    status: int
    body: Mapping[str, Any] | str
    """A JSON object, or the plain text of the APIs that answer in text."""
    reasons: Mapping[int, list[Problem]] = field(default_factory=dict)
    """Position -> why, for every event at fault, also for those that the answer does not name. Nothing is
    wrong with the others: they are returned."""
    retry_after: int | None = None
    """Seconds, for the `Retry-After` header of a 429."""
    reading: RequestReading | None = None
    """The events that could be read all the same, when it is `read` that refuses."""
    body_size: int | None = None
    """Bytes of the request's body after decompression, when there is no reading and they are known."""
    body_start: str | None = None
    """The first 4,096 characters of a body that could not be read as events, without API keys."""
    api_key: str | None = None
    """The wrong key, if the body repeats it."""

    def answer(self) -> IngestResponse:
        """The answer that is sent."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if isinstance(self.body, str):
            return IngestResponse(
                status=self.status, body=self.body.encode(), content_type=TEXT, headers=headers
            )
        return IngestResponse(status=self.status, body=_json(self.body), content_type=JSON, headers=headers)

    @property
    def error(self) -> str:
        """The error in one line, without the API key: fit to be kept."""
        if self.api_key is not None:
            return "Invalid API key"
        return one_line(self.body if isinstance(self.body, str) else str(self.body.get("error", "")))

    @property
    def shown(self) -> str:
        """The body as text, without the API key: fit to be kept."""
        if isinstance(self.body, str):
            return self.body
        if self.api_key is not None:
            return _json({**self.body, "error": "Invalid API key: …"}).decode()
        return _json(self.body).decode()

    @property
    def outcome(self) -> Literal["rejected", "returned"]:
        """What becomes of the events in `reasons`: only a 400 is final, others are sent again."""
        return "rejected" if self.status == 400 else "returned"


def accepted(api: IngestApi, events: int, received: Received, now_ms: int) -> IngestResponse:
    """The answer to a request whose events, so many, were stored, or were there already. `now_ms` is the
    server's."""
    if not api.speaks_json:
        return IngestResponse(status=200, body=SUCCESS.encode(), content_type=TEXT)
    told = {
        "code": 200,
        "events_ingested": events,
        "payload_size_bytes": received.wire_size or len(received.body),
        "server_upload_time": now_ms,
    }
    return IngestResponse(status=200, body=_json(told), content_type=JSON)


def unavailable(path: str, error: str, retry_after: float) -> IngestResponse:
    """The answer to a request that cannot be kept at present: the client is to send it again later."""
    speaks_json = path not in _IN_TEXT
    return IngestResponse(
        status=503,
        body=_json(_body(503, error)) if speaks_json else error.encode(),
        content_type=JSON if speaks_json else TEXT,
        headers={"Retry-After": str(max(1, math.ceil(retry_after)))},
    )


_IN_TEXT: Final = frozenset(api.value for api in IngestApi if not api.speaks_json)


def invalid_path() -> Refusal:
    return Refusal(400, _body(400, "Invalid request path"))


def missing_body() -> Refusal:
    return Refusal(400, _body(400, "Missing request body"))


def invalid_json(body_size: int | None, body_start: str | None) -> Refusal:
    return Refusal(400, _body(400, "Invalid JSON request body"), body_size=body_size, body_start=body_start)


def too_large(api: IngestApi, body_size: int | None = None) -> Refusal:
    """The refusal of a request with too many bytes or too many events."""
    error = "Payload too large"
    return Refusal(413, _body(413, error) if api.speaks_json else error, body_size=body_size)


def uri_too_long() -> Refusal:
    """The refusal of a query that is too long; only the Identify APIs read their input from the query."""
    return Refusal(414, "URI too long")


def missing_field(
    name: str, reading: RequestReading | None, body_size: int, body_start: str | None
) -> Refusal:
    """The refusal of a request without `api_key` or `events`."""
    body = _body(400, "Request missing required field", missing_field=name)
    return Refusal(400, body, reading=reading, body_size=body_size, body_start=body_start)


def missing_event(
    *,
    reading: RequestReading | None = None,
    reasons: Mapping[int, list[Problem]] | None = None,
    body_size: int | None = None,
    body_start: str | None = None,
) -> Refusal:
    """The refusal of a request without readable events, by the APIs that answer in text."""
    return Refusal(
        400, "missing_event", reasons or {}, reading=reading, body_size=body_size, body_start=body_start
    )


def invalid_api_key(api: IngestApi, key: str, reading: RequestReading | None, body_size: int) -> Refusal:
    """The refusal of a key that the rules do not know; APIs that answer in text say the same of no key."""
    if not api.speaks_json:
        return Refusal(400, "invalid_api_key", reading=reading, body_size=body_size)
    key = key[:_LONGEST_KEY]
    body = _body(400, f"Invalid API key: {key}")
    return Refusal(400, body, reading=reading, body_size=body_size, api_key=key)


def invalid_event(reading: RequestReading, reasons: Mapping[int, list[Problem]]) -> Refusal:
    """The refusal of a request with an entry of `events` that is not an object."""
    return Refusal(400, _body(400, "Invalid event JSON"), reasons, reading=reading)


def bad_events(
    api: IngestApi,
    stage: Stage,
    named: Mapping[str, Sequence[int]],
    reasons: Mapping[int, list[Problem]],
) -> Refusal:
    """The refusal of events that fail a stage of the checks. `named` is in the answer: field -> positions."""
    if not api.speaks_json:
        return Refusal(400, f"invalid_event_field. Invalid fields [{', '.join(named)}]", reasons)
    error, key = _STAGES[stage]
    return Refusal(
        400, _body(400, error, **{key: {name: list(found) for name, found in named.items()}}), reasons
    )


def silenced(
    api: IngestApi,
    more: Mapping[str, Any],
    reasons: Mapping[int, list[Problem]],
) -> Refusal:
    """The refusal of silenced devices' events. `more`: keys of the JSON body beside `code` and `error`."""
    error = "Events silenced for device_id"
    return Refusal(400, _body(400, error, **more) if api.speaks_json else error, reasons)


def throttled(
    api: IngestApi,
    more: Mapping[str, Any],
    reasons: Mapping[int, list[Problem]],
) -> Refusal:
    """The refusal of users or devices that send too much. `more` as in `silenced`.

    Each 429 in JSON names a threshold, whatever its cause: Amplitude's Java SDK fails without.
    """
    error = "Too many requests for some devices and users"
    if api in (IngestApi.IDENTIFY, IngestApi.GROUP_IDENTIFY):
        return Refusal(429, error, reasons, retry_after=_IDENTIFY_WAIT_SECONDS)
    told = {"eps_threshold": api.documented_eps, **more}
    body = _body(429, error, **told) if api.speaks_json else error
    return Refusal(429, body, reasons, retry_after=int(ID_HOLD_SECONDS))


def project_throttled(api: IngestApi) -> Refusal:
    """The refusal of a project that sends too much as a whole: no user or device is named."""
    error = "Too many requests"
    body = _body(429, error, eps_threshold=api.documented_eps) if api.speaks_json else error
    return Refusal(429, body, retry_after=int(PROJECT_WAIT_SECONDS))


def _body(code: int, error: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "error": error, **more}


def _json(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(body)
