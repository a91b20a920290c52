"""The endpoint answers as Amplitude does where it has no accident to have."""

from __future__ import annotations

import gzip
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._protocol.objections import problems
from antinode.testing import Endpoint
from antinode.testing._rules import _is_ordinary

if TYPE_CHECKING:
    pass

from tests.testing.requests import BATCH, KEY, V2, body, connect, event, post, post_raw


def test_a_good_request_is_accepted(endpoint: Endpoint) -> None:
    """The answer tells events and bytes as Amplitude does, and the ledger has the events."""
    raw = body(event(1), event(2))
    with connect(endpoint) as connection:
        connection.request("POST", V2, raw, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())

    assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
    assert answer.keys() == {"code", "events_ingested", "payload_size_bytes", "server_upload_time"}
    assert (answer["code"], answer["events_ingested"], answer["payload_size_bytes"]) == (200, 2, len(raw))
    assert endpoint.events == [event(1), event(2)]
    [request] = endpoint.requests
    assert (request.number, request.connection, request.path, request.status) == (1, 1, V2, 200)
    assert (request.wire_size, request.inflated_size) == (len(raw), len(raw))
    assert request.events == endpoint.events
    assert request.headers["content-type"] == "application/json"


def test_one_connection_carries_many_requests(endpoint: Endpoint) -> None:
    """Connections are kept alive, and each request tells which one it came on."""
    with connect(endpoint) as connection:
        for number in range(3):
            connection.request("POST", V2, body(event(number)))
            assert connection.getresponse().read()
    post(endpoint, event(3))

    assert [request.connection for request in endpoint.requests] == [1, 1, 1, 2]
    assert [request.number for request in endpoint.requests] == [1, 2, 3, 4]
    assert endpoint.connections == 2


def test_bodies_may_be_chunked(endpoint: Endpoint) -> None:
    """A body without Content-Length is read chunk by chunk."""
    raw = body(event(1), event(2))
    assert post_raw(endpoint, iter([raw[:10], raw[10:]]), encode_chunked=True)[0] == 200
    assert len(endpoint.events) == 2
    assert endpoint.requests[0].wire_size == len(raw)


def test_bodies_may_be_compressed(endpoint: Endpoint) -> None:
    """A gzip body is inflated; the record has both sizes, and the answer the size received."""
    raw = body(*(event(number) for number in range(50)))
    small = gzip.compress(raw)
    status, answer = post_raw(endpoint, small, headers={"Content-Encoding": "gzip"})

    assert (status, answer["payload_size_bytes"]) == (200, len(small))
    assert (endpoint.requests[0].wire_size, endpoint.requests[0].inflated_size) == (len(small), len(raw))
    assert post_raw(endpoint, b"not gzip", headers={"Content-Encoding": "gzip"})[0] == 400


def test_a_client_may_ask_before_it_sends_the_body(endpoint: Endpoint) -> None:
    """Expect: 100-continue is answered before the body is read."""
    raw = body(event(1))
    head = f"POST {V2} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(raw)}\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", endpoint.port)) as client, client.makefile("rb") as stream:
        client.sendall(head.encode())
        assert stream.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert stream.readline() == b"\r\n"
        client.sendall(raw)
        assert stream.readline() == b"HTTP/1.1 200 OK\r\n"


BAD: list[tuple[str, bytes, dict[str, Any]]] = [
    ("/elsewhere", body(event(1)), {"error": "Invalid request path"}),
    (V2, b"", {"error": "Missing request body"}),
    (V2, b"{", {"error": "Invalid JSON request body"}),
    (V2, b"[]", {"error": "Invalid JSON request body"}),
    (V2, b'{"events": []}', {"error": "Request missing required field", "missing_field": "api_key"}),
    (V2, b'{"api_key": "k"}', {"error": "Request missing required field", "missing_field": "events"}),
    (V2, b'{"api_key": "k", "events": [1]}', {"error": "Invalid event JSON"}),
    (
        V2,
        body(event(0), event(1, event_type=""), event(2, event_type=None)),
        {"error": "Request missing required field", "events_with_missing_fields": {"event_type": [2]}},
    ),
    (
        BATCH,
        body(event(0), event(1, user_id=None), event(2, user_id="")),
        {"error": "Request missing required field", "events_with_missing_fields": {"device_id": [1, 2]}},
    ),
    (
        V2,
        body(event(0), event(1, time="noon"), event(2, time=1.5)),
        {"error": "Invalid field values on some events", "events_with_invalid_fields": {"time": [1]}},
    ),
    (
        BATCH,
        body(event(0, time="noon"), event(1), event(2, time=True)),
        {"error": "Invalid field values on some events", "events_with_invalid_fields": {"time": [0, 2]}},
    ),
    (
        BATCH,
        body(event(0), event(1, "u"), event(2, device_id="d")),
        {
            "error": "Invalid id length for user_id or device_id",
            "events_with_invalid_id_lengths": {"user_id": [1], "device_id": [2]},
        },
    ),
]


@pytest.mark.parametrize(("path", "raw", "expected"), BAD)
def test_a_bad_request_is_refused_whole(
    endpoint: Endpoint, path: str, raw: bytes, expected: dict[str, Any]
) -> None:
    """Refusals have the API's words; V2 names the first offender of a field, Batch all; nothing is kept."""
    assert post_raw(endpoint, raw, path=path) == (400, {"code": 400, **expected})
    assert endpoint.received == []
    assert endpoint.requests[0].status == 400


def test_limits_of_a_request_are_kept(endpoint: Endpoint) -> None:
    """More than 2000 events, or more bytes than the API takes, are answered 413."""
    filler = {"filler": "x" * 2_000_000}
    assert post(endpoint, *(event(number) for number in range(2001)))[0] == 413
    assert post(endpoint, event(1, user_properties=filler)) == (
        413,
        {"code": 413, "error": "Payload too large"},
    )
    assert post(endpoint, event(1, user_properties=filler), path=BATCH)[0] == 200


def test_short_ids_are_allowed_by_the_request(endpoint: Endpoint) -> None:
    """`options.min_id_length` replaces the usual five characters."""
    raw = {"api_key": KEY, "events": [event(1, "u")], "options": {"min_id_length": 1}}
    assert post_raw(endpoint, json.dumps(raw))[0] == 200


def test_only_the_key_given_is_known() -> None:
    """With an API key of its own, the endpoint refuses every other one in the API's words."""
    with Endpoint(api_key="another") as endpoint:
        assert post(endpoint, event(1)) == (400, {"code": 400, "error": f"Invalid API key: {KEY}"})


values = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats()),
    st.sampled_from(["", " ", "user-1", "u", "None", "$identify"]),
)
keys = st.sampled_from(["event_type", "user_id", "device_id", "time", "insert_id", "library", "price"])
nested = st.one_of(values, st.lists(values), st.dictionaries(st.text(), values))


@given(st.dictionaries(keys, values), st.dictionaries(st.text(max_size=3), nested), st.integers(0, 6))
def test_what_looks_ordinary_has_no_problems(
    event: dict[str, Any], properties: dict[str, Any], shortest: int
) -> None:
    """The quick look at an event lets nothing pass that the checks of the protocol would name."""
    event["event_properties"] = properties
    assert not (_is_ordinary(event, shortest) and problems(event, shortest))
