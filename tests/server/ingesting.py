"""Requests for an engine without HTTP, as the tests of what it keeps make them."""

from __future__ import annotations

import json
from typing import Any

from antinode.server.clock import Clock
from antinode.server.engine import Amplitude
from antinode.server.ingest.requests import IngestResponse, Received
from antinode.server.models import EventQuery, EventView
from antinode.server.rules import KNOWN_API_KEY

AT_MS = 1_793_817_970_000
"""2026-11-04 18:46:10 UTC."""


def fixed(at_ms: int = AT_MS) -> Clock:
    """A clock that stands still."""
    clock = Clock()
    clock.fix(at_ms)
    return clock


def post(
    amplitude: Amplitude, body: bytes, *, path: str = "/2/httpapi", content_type: str = "application/json"
) -> IngestResponse:
    """One request."""
    return amplitude.receive(
        Received(method="POST", path=path, body=body, content_type=content_type, wire_size=len(body))
    )


def send(
    amplitude: Amplitude, *events: Any, path: str = "/2/httpapi", api_key: str = KNOWN_API_KEY, **more: Any
) -> IngestResponse:
    """One request with these events."""
    return post(amplitude, json.dumps({"api_key": api_key, "events": events, **more}).encode(), path=path)


def event(number: int, **more: Any) -> dict[str, Any]:
    """An ordinary event that nothing is wrong with."""
    return {
        "event_type": "Song Played",
        "user_id": "user-20391",
        "time": AT_MS,
        "insert_id": f"insert-{number}",
        **more,
    }


def identify(number: int, user_properties: Any, **more: Any) -> dict[str, Any]:
    """An identify that nothing is wrong with."""
    return event(number, event_type="$identify", user_properties=user_properties, **more)


def views(amplitude: Amplitude, limit: int = 10_000, **query: Any) -> list[EventView]:
    """The events that a query finds, however often a busy machine has the search stop before its end."""
    held: list[EventView] = []
    before: int | None = query.pop("before", None)
    while len(held) < limit:
        page = amplitude.events(EventQuery(limit=limit - len(held), before=before, **query))
        held += page.events
        if (before := page.next_before) is None:
            break
    return held
