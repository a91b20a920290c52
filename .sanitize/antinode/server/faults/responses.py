"""What a client is answered when a fault strikes, and what becomes of its events."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from antinode.server.faults.faults import Strike
from antinode.server.ingest import responses
from antinode.server.ingest.apis import IngestApi
from antinode.server.ingest.parsing import RequestReading
from antinode.server.ingest.requests import IngestResponse
from antinode.server.ingest.responses import Refusal
from antinode.server.models import Problem
from antinode.server.storage.apply import as_text

_BY_PATH = {api.value: api for api in IngestApi}


def refusal(strike: Strike, path: str, reading: RequestReading | None) -> Refusal:
    """The answer that the strike makes; its reasons name the events of a throttled user or device."""
    api = _BY_PATH.get(path, IngestApi.HTTP_V2)
    status = strike.status or 0
    if status == 429 and reading is not None and (strike.user_id is not None or strike.device_id is not None):
        return _throttled(strike, api, reading)
    if status == 429:
        return responses.project_throttled(api)
    if status == 413:
        return responses.too_large(api)
    phrase = HTTPStatus(status).phrase if status else ""
    return Refusal(status, {"code": status, "error": phrase} if api.speaks_json else phrase)


def _throttled(strike: Strike, api: IngestApi, reading: RequestReading) -> Refusal:
    told: dict[str, Any] = {}
    reasons: dict[int, list[Problem]] = {}
    named = (
        ("user_id", strike.user_id, "throttled_users"),
        ("device_id", strike.device_id, "throttled_devices"),
    )
    for field, throttled, key in named:
        if throttled is None:
            continue
        found = [at for at, event in enumerate(reading.events) if as_text(event.get(field)) == throttled]
        told[key] = {throttled: api.documented_eps + 1}
        message = f"{throttled[:60]!r} is throttled by the fault {strike.spelling}: send it again later"
        for position in found:
            reasons.setdefault(position, []).append(Problem("throttled", "error", field, message))
    told["throttled_events"] = sorted(reasons)
    return responses.throttled(api, told, reasons)


def struck(answer: IngestResponse, strike: Strike) -> IngestResponse:
    """`answer` as it leaves the server: late, or not at all."""
    return msgspec.structs.replace(answer, delay_s=strike.delay_s, is_cut=strike.is_cut)
