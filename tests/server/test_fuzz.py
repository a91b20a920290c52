"""Whatever is sent to the ingestion endpoints, the server answers, and never with an error of its own."""

from __future__ import annotations

import gzip
import http.client
import json
import operator
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antinode._protocol.fields import FIELDS, OPERATIONS
from antinode.server import Running, running
from tests.examples import examples

PATHS = ["/2/httpapi", "/batch", "/identify", "/groupidentify", "/", "/v1/capture", "/nowhere"]
CONTENT_TYPES = [
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=edge",
    "multipart/form-data",
    "",
]

# Half of a surrogate pair is valid in a JSON escape and in nothing else.
TEXT = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(
    ["user-20391", "device-7"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(2**70), 2**70) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
PROPERTIES = st.dictionaries(
    st.sampled_from([*OPERATIONS, "$new"]) | TEXT, st.dictionaries(TEXT, VALUES, max_size=2) | VALUES
)
KNOWN = st.fixed_dictionaries(
    {"event_type": st.sampled_from(["Song Played", "$identify", "$groupidentify"]), "user_id": TEXT},
    optional={
        "user_properties": PROPERTIES,
        "group_properties": PROPERTIES,
        "groups": st.dictionaries(TEXT, TEXT | st.lists(TEXT, max_size=3), max_size=3),
    },
)
OTHER = st.dictionaries(st.sampled_from(sorted(FIELDS)) | TEXT, VALUES, max_size=3)
EVENTS = st.builds(operator.or_, KNOWN, OTHER)
DOCUMENTS = VALUES | st.fixed_dictionaries(
    {"api_key": TEXT | VALUES, "events": st.lists(EVENTS | VALUES, max_size=3) | VALUES},
    optional={"options": st.fixed_dictionaries({}, optional={"min_id_length": VALUES}) | VALUES},
)
FORM_FIELDS = st.sampled_from(["api_key", "e", "event", "identification", "client", "v"])
FORMS = st.dictionaries(FORM_FIELDS, EVENTS | st.lists(EVENTS, max_size=2), max_size=2).map(
    lambda form: "&".join(f"{name}={quote(json.dumps(value))}" for name, value in form.items())
)
BODIES = st.one_of(
    st.binary(max_size=200),
    DOCUMENTS.map(lambda document: json.dumps(document).encode()),
    FORMS.map(str.encode),
)

fuzzed = settings(
    max_examples=examples(100), derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def connection(server: Running) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=120)
    yield connection
    connection.close()


def ask(
    connection: http.client.HTTPConnection, method: str, target: str, body: bytes = b"", **headers: str
) -> tuple[int, str, bytes]:
    """The answer's status, content type and body."""
    connection.request(
        method, target, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )
    response = connection.getresponse()
    return response.status, response.headers.get("content-type", ""), response.read()


@fuzzed
@given(
    path=st.sampled_from(PATHS),
    body=BODIES,
    content_type=st.sampled_from(CONTENT_TYPES),
    encoding=st.sampled_from(["", "gzip", "br"]),
    is_compressed=st.booleans(),
)
def test_any_body_is_answered(
    connection: http.client.HTTPConnection,
    path: str,
    body: bytes,
    content_type: str,
    encoding: str,
    is_compressed: bool,
) -> None:
    """Bytes, JSON of any shape, forms, compressed or not: accepted or refused, and JSON where it says so."""
    named = {"content_encoding": encoding} if encoding else {}
    if is_compressed:
        body = gzip.compress(body, mtime=0)

    status, kind, answer = ask(connection, "POST", path, body, content_type=content_type, **named)

    assert 200 <= status < 500, answer
    if kind.startswith("application/json"):
        json.loads(answer)


@settings(fuzzed, max_examples=examples(40))
@given(path=st.sampled_from(["/identify", "/groupidentify", "/config", "/2/httpapi"]), form=FORMS)
def test_any_query_is_answered(connection: http.client.HTTPConnection, path: str, form: str) -> None:
    """The APIs that take their parameters in the query do so without an accident."""
    status, _, answer = ask(connection, "GET", f"{path}?{form}")

    assert 200 <= status < 500, answer


@settings(fuzzed, max_examples=examples(40))
@given(head=st.binary(min_size=1, max_size=100), is_begun=st.booleans())
def test_any_bytes_on_a_connection_leave_the_server_well(
    server: Running, head: bytes, is_begun: bool
) -> None:
    """What is not HTTP, or breaks off, ends its own connection and nothing else."""
    begun = b"POST /2/httpapi HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n" if is_begun else b""
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=30) as wire:
        wire.sendall(begun + head)
        wire.shutdown(socket.SHUT_WR)
        answer = received(wire)

    assert not answer.startswith(b"HTTP/1.1 5"), answer


def received(wire: socket.socket) -> bytes:
    """What the other side sends until it closes, however it does."""
    answer = b""
    try:
        while chunk := wire.recv(65536):
            answer += chunk
    except ConnectionResetError:
        pass
    return answer


@settings(fuzzed, max_examples=examples(25))
@given(events=st.lists(EVENTS, min_size=1, max_size=3))
def test_whatever_was_taken_can_be_read(server: Running, events: list[dict[str, Any]]) -> None:
    """Everything that came can be listed, searched and exported again, however strange its values."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=120)
    body = json.dumps({"api_key": "any", "events": events, "options": {"min_id_length": 1}}).encode()
    ask(connection, "POST", "/batch", body)

    for target in ("/api/events?limit=5", "/api/uploads?limit=5", "/api/users", "/api/groups", "/api/stats"):
        status, _, answer = ask(connection, "GET", target)
        assert status == 200, answer
        json.loads(answer)
    for view in server.api.events(limit=5, outcome="accepted"):
        if view.insert_id:
            server.api.event(view.insert_id)
        if named := view.user_id or view.device_id:
            server.api.user(named)
    connection.close()
