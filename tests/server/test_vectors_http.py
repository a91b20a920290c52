"""Every server vector of the reference, over HTTP, against one server that is reset in between."""

import gzip
import io
import json
import math
import zipfile
from datetime import datetime, timezone
from urllib.parse import urlencode

import pytest
import urllib3

from antinode.server import ApiKey, Rules, running
from tests import vectors

API_KEY = "0123456789abcdef0123456789abcdef"
SECRET = "fedcba9876543210fedcba9876543210"
KEYS = (
    ApiKey(key=API_KEY, secret=SECRET, project_id=300001),
    ApiKey(key="11111111111111111111111111111111"),
)
NOW_MS = 1793817970000

VECTORS = vectors.load("server")


@pytest.fixture(scope="module")
def server():
    """One server for all of them."""
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def http():
    with urllib3.PoolManager(retries=False, timeout=120) as pool:
        yield pool


@pytest.mark.parametrize("vector", [pytest.param(each, id=each["name"]) for each in VECTORS])
def test_vector(server, http, vector):
    """The answer and what is stored afterwards are what the reference says."""
    server.api.reset()
    server.api.set_rules(Rules(api_keys=KEYS), **vector.get("config", {}))
    for step in vector.get("setup", []):
        answer = send(server, http, step)
        assert answer.status == step.get("expected_status", 200), (step, answer.data[:500])
    answer = send(server, http, vector)
    assert answer.status == vector["expected_status"], answer.data[:500]
    if "expected_response" in vector:
        assert contains(answer.json(), vector["expected_response"]), answer.data[:500]
    if "expected_text" in vector:
        assert answer.data.decode() == vector["expected_text"]
    for name, value in vector.get("expected_headers", {}).items():
        assert contains(answer.headers.get(name), value), name
    check_state(server, vector.get("expected_state", {}), vector.get("at_ms", NOW_MS))


def send(server, http, request):
    """Sends what a vector, or one step of its setup, says, at its time."""
    server.api.set_clock(request.get("at_ms", NOW_MS))
    method, _, path = request["endpoint"].partition(" ")
    headers = {"Content-Type": "application/json"} | request.get("headers", {})
    body = None
    if "request_body" in request:
        body = json.dumps(request["request_body"]).encode()
    elif "request_text" in request:
        body = request["request_text"].encode()
    elif "request_form" in request:
        form = request["request_form"]
        body = urlencode(
            {key: value if isinstance(value, str) else json.dumps(value) for key, value in form.items()}
        ).encode()
    if request.get("request_encoding") == "gzip":
        body = gzip.compress(body)
        headers["Content-Encoding"] = "gzip"
    return http.request(method, server.url + path, body=body, headers=headers)


def contains(actual, expected):
    """Whether `actual` is `expected`: objects by subset, arrays exactly, `@…` by kind."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            key in actual and contains(actual[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list) and len(actual) == len(expected) and all(map(contains, actual, expected))
        )
    if expected == "@any":
        return actual is not None
    if expected == "@int":
        return isinstance(actual, int) and not isinstance(actual, bool)
    if expected == "@nonempty":
        return bool(actual)
    if isinstance(expected, str) and expected.startswith("@prefix:"):
        return isinstance(actual, str) and actual.startswith(expected.removeprefix("@prefix:"))
    return actual == expected and isinstance(actual, bool) == isinstance(expected, bool)


def check_state(server, state, at_ms):
    """What the API and the Export API say of what is stored."""
    if "events_stored" in state:
        accepted = server.api.events(outcome="accepted", project_id=300001, limit=10_000)
        ordinary = [each for each in accepted if each.event_type not in ("$identify", "$groupidentify")]
        assert len(ordinary) == state["events_stored"]
    if "user" in state:
        user = server.api.user(state["user"], project_id=300001)
        assert (user.user_properties if user else {}) == state["user_properties"]
    if "group" in state:
        group = server.api.group(*state["group"], project_id=300001)
        assert (group.group_properties if group else {}) == state["group_properties"]
    if "last_event" in state or "revenue" in state:
        row = last_row(server, at_ms)
        for key, value in state.get("last_event", {}).items():
            assert contains(row[key], value), key
        if "revenue" in state:
            revenue = row["event_properties"].get("$revenue")
            if state["revenue"] is None:
                assert revenue is None
            else:
                assert math.isclose(revenue, state["revenue"], abs_tol=1e-9)


def last_row(server, at_ms):
    """The newest event of the export of this hour."""
    hour = datetime.fromtimestamp(at_ms / 1000, timezone.utc).strftime("%Y%m%dT%H")
    archive = server.api.export(hour, hour, api_key=API_KEY, secret_key=SECRET)
    rows = []
    with zipfile.ZipFile(io.BytesIO(archive)) as entries:
        for name in entries.namelist():
            rows += map(json.loads, gzip.decompress(entries.read(name)).splitlines())
    return rows[-1]
