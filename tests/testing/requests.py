"""Requests to an endpoint, as the tests make them."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from antinode.testing import Endpoint, EndpointProcess

if TYPE_CHECKING:
    pass


KEY = "0123456789abcdef0123456789abcdef"
V2, BATCH = "/2/httpapi", "/batch"


def event(number: int, user: str = "user-1", **more: Any) -> dict[str, Any]:
    return {
        "user_id": user,
        "event_type": "Song Played",
        "insert_id": f"insert-{number}",
        "event_properties": {"seq": number},
        **more,
    }


def body(*events: dict[str, Any]) -> bytes:
    return json.dumps({"api_key": KEY, "events": events}).encode()


def connect(endpoint: Endpoint | EndpointProcess) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=120))


def post(endpoint: Endpoint | EndpointProcess, *events: dict[str, Any], path: str = V2) -> tuple[int, Any]:
    """Send the events on a connection of their own; status and JSON of the answer."""
    return post_raw(endpoint, body(*events), path=path)


def post_raw(
    endpoint: Endpoint | EndpointProcess, raw: Any, *, path: str = V2, **options: Any
) -> tuple[int, Any]:
    with connect(endpoint) as connection:
        connection.request("POST", path, raw, **options)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
