"""The server vectors of the API reference against the engine, without HTTP."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from antinode.server.clock import Clock
from antinode.server.engine import Amplitude
from antinode.server.ingest.requests import IngestResponse, Received
from antinode.server.models import EventQuery, EventView
from antinode.server.rules import KNOWN_API_KEY, KNOWN_PROJECT_ID, Rules
from tests import vectors
from tests.vectors import Vector

AT_MS = 1793817970000
OTHER_KEY = "1" * 32
INGESTION = {"/2/httpapi", "/batch", "/identify", "/groupidentify", "/"}


def of_http(vector: Vector) -> bool:
    """Whether a vector is about what surrounds the engine: preflights, remote configuration, health."""
    method, target = vector["endpoint"].split(" ", 1)
    return method == "OPTIONS" or target.startswith("/config") or target.startswith("/v1/")


ALL = vectors.load("server")
MINE = [vector for vector in ALL if not of_http(vector)]


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.fix(AT_MS)
    return clock


def encoded(request: Vector) -> tuple[bytes, str]:
    headers = {name.lower(): value for name, value in request.get("headers", {}).items()}
    content_type = headers.get("content-type", "application/json")
    if "request_form" in request:
        fields = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in request["request_form"].items()
        }
        body = urlencode(fields).encode()
    elif "request_text" in request:
        body = request["request_text"].encode()
    elif "request_body" in request:
        body = json.dumps(request["request_body"]).encode()
    else:
        body = b""
    if request.get("request_encoding") == "gzip":
        body = gzip.compress(body)
    return body, content_type


def ask(amplitude: Amplitude, clock: Clock, request: Vector) -> IngestResponse:
    clock.fix(request.get("at_ms", AT_MS))
    method, target = request["endpoint"].split(" ", 1)
    path, _, query = target.partition("?")
    headers = {name.lower(): value for name, value in request.get("headers", {}).items()}
    if path == "/api/2/export":
        parameters = dict(each.split("=") for each in query.split("&")) if query else {}
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        key, _, secret = (base64.b64decode(credentials) if scheme == "Basic" else b"").decode().partition(":")
        found = amplitude.export(key, secret, parameters.get("start", ""), parameters.get("end", ""))
        if isinstance(found, IngestResponse):
            return found
        body = found.read_bytes()
        found.unlink()
        return IngestResponse(status=200, body=body, content_type="application/zip")
    body, content_type = encoded(request)
    return amplitude.receive(
        Received(
            method=method,
            path=path,
            query=query,
            body=body,
            content_type=content_type,
            content_encoding=headers.get("content-encoding", ""),
            wire_size=len(body),
        )
    )


def agrees(expected: Any, got: Any) -> bool:
    """Whether an answer holds what is expected of it: objects by subset, lists exactly, `@…` by kind."""
    if isinstance(expected, dict):
        return isinstance(got, dict) and all(
            key in got and agrees(value, got[key]) for key, value in expected.items()
        )
    if isinstance(expected, str) and expected.startswith("@"):
        kind, _, rest = expected[1:].partition(":")
        return {
            "any": True,
            "int": isinstance(got, int) and not isinstance(got, bool),
            "nonempty": bool(got),
            "prefix": isinstance(got, str) and got.startswith(rest),
        }[kind]
    return bool(expected == got) and isinstance(expected, bool) == isinstance(got, bool)


def ordinary(amplitude: Amplitude) -> Iterator[EventView]:
    before = None
    while True:
        query = EventQuery(project_id=KNOWN_PROJECT_ID, outcome="accepted", limit=10_000, before=before)
        page = amplitude.events(query)
        yield from (each for each in page.events if each.event_type not in ("$identify", "$groupidentify"))
        before = page.next_before
        if before is None:
            return


def newest_row(amplitude: Amplitude) -> dict[str, Any]:
    newest = next(ordinary(amplitude))
    if newest.insert_id is not None:
        history = amplitude.event(newest.insert_id)
        assert history is not None
        arrivals = [each for each in history.arrivals if each.event.seq == newest.seq]
        assert arrivals[0].row is not None
        return arrivals[0].row
    (row,) = [row for seq, row in rows(amplitude) if seq == newest.seq]
    return row


def rows(amplitude: Amplitude) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of an export, with the `seq` that their event_id was made of."""
    for _, row in amplitude._entries.exported(KNOWN_PROJECT_ID, 0, 2**62):
        yield row["event_id"] - 100_000_000, row


def check_state(amplitude: Amplitude, state: dict[str, Any]) -> None:
    if "events_stored" in state:
        assert state["events_stored"] == len(list(ordinary(amplitude)))
    if "user" in state:
        user = amplitude.user(state["user"], KNOWN_PROJECT_ID)
        assert state["user_properties"] == (user.user_properties if user else {})
    if "group" in state:
        group = amplitude.group(*state["group"], KNOWN_PROJECT_ID)
        assert state["group_properties"] == (group.group_properties if group else {})
    if "last_event" in state:
        row = newest_row(amplitude)
        for name, value in state["last_event"].items():
            assert agrees(value, row[name]), (name, value, row[name])
    if "revenue" in state:
        revenue = newest_row(amplitude)["event_properties"].get("$revenue")
        expected = state["revenue"]
        assert revenue == (None if expected is None else pytest.approx(expected, abs=1e-9))


@pytest.mark.parametrize("vector", MINE, ids=[vector["name"] for vector in MINE])
def test_vector(vector: Vector, clock: Clock) -> None:
    """The engine answers as the vector expects and holds what it expects."""
    rules = Rules(api_keys=(KNOWN_API_KEY, OTHER_KEY), **vector.get("config", {}))
    with Amplitude(rules=rules, clock=clock) as amplitude:
        for request in vector.get("setup", []):
            answer = ask(amplitude, clock, request)
            assert request.get("expected_status", 200) == answer.status, answer.body[:200]
        answer = ask(amplitude, clock, vector)
        assert vector["expected_status"] == answer.status, answer.body[:200]
        if "expected_response" in vector:
            body = json.loads(answer.body)
            assert agrees(vector["expected_response"], body), body
        if "expected_text" in vector:
            assert vector["expected_text"] == answer.body.decode()
        check_state(amplitude, vector.get("expected_state", {}))


def test_only_matters_of_http_are_left_out() -> None:
    """Every vector is run, but for those that never reach the engine."""
    left_out = [vector["endpoint"] for vector in ALL if of_http(vector)]
    assert len(ALL) == 188
    assert all(each.startswith(("OPTIONS ", "GET /config", "POST /v1/")) for each in left_out)
