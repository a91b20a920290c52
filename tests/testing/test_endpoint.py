"""The endpoint keeps an exact ledger, and has the accidents it is told to have."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._protocol.validation import problems
from antinode.testing import Answer, Arrival, Endpoint, EndpointProcess
from antinode.testing._rules import _is_ordinary
from antinode.testing.faults import (
    FAULTS,
    after,
    cut_short,
    delay,
    down,
    drip,
    drop_after,
    drop_before,
    during,
    every,
    first_of,
    from_spec,
    garbage,
    hang,
    invalid,
    invalid_api_key,
    max_body,
    poison,
    project_limit,
    random_mix,
    silence,
    throttle,
    times,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "0123456789abcdef0123456789abcdef"
V2, BATCH = "/2/httpapi", "/batch"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running


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
    return closing(http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=20))


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


# What a well server does.


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


# The ledger.


def test_duplicates_are_accepted_and_counted_once(endpoint: Endpoint) -> None:
    """The key is device_id, or else user_id, with insert_id; the first arrival is the one that counts."""
    post(endpoint, event(1), event(2))
    assert post(endpoint, event(2), event(3))[1]["events_ingested"] == 2
    post(endpoint, event(1, "user-2"), event(1, device_id="device-1"))

    assert [(e["user_id"], e["insert_id"]) for e in endpoint.events] == [
        ("user-1", "insert-1"),
        ("user-1", "insert-2"),
        ("user-1", "insert-3"),
        ("user-2", "insert-1"),
        ("user-1", "insert-1"),
    ]
    assert len(endpoint.received) == 6
    assert endpoint.duplicates() == [("user-1", "insert-2")]


def test_order_is_kept_by_stream(endpoint: Endpoint) -> None:
    """`seq` must ascend within a user and device; a duplicate that comes late is no disorder."""
    post(endpoint, event(1), event(3), event(2, "user-2"), event(2, device_id="device-1"))
    post(endpoint, event(1), event(2), event(4), event(1, "user-2"))

    assert [tuple(found) for found in endpoint.out_of_order()] == [
        ("user-1", None, 2, 3),
        ("user-2", None, 1, 2),
    ]


@given(st.lists(st.tuples(st.sampled_from(["user-1", "user-2"]), st.integers(0, 9)), max_size=30))
def test_the_ledger_is_exact(sent: list[tuple[str, int]]) -> None:
    """First arrivals are events, others duplicates; disorder is what comes after a later one."""
    with Endpoint() as endpoint:
        with connect(endpoint) as connection:
            for user, number in sent:
                connection.request("POST", V2, body(event(number, user)))
                connection.getresponse().read()
        first = list(dict.fromkeys(sent))

        assert [(e["user_id"], e["event_properties"]["seq"]) for e in endpoint.events] == first
        assert len(endpoint.received) == len(sent)
        assert len(endpoint.duplicates()) == len(sent) - len(first)
        late = [
            (user, number)
            for position, (user, number) in enumerate(first)
            if any(u == user and n > number for u, n in first[:position])
        ]
        assert [(found.user_id, found.seq) for found in endpoint.out_of_order()] == late


def test_ids_alone_are_enough_for_the_books() -> None:
    """With keep="ids" the counts and the findings are the same, and events cannot be looked at."""
    with Endpoint(keep="ids") as endpoint:
        post(endpoint, event(2), event(1))
        post(endpoint, event(1))

        assert endpoint.duplicates() == [("user-1", "insert-1")]
        assert [found.seq for found in endpoint.out_of_order()] == [1]
        summary = endpoint.summary()
        assert (summary["events"], summary["received"]) == (2, 3)
        assert [(request.event_count, request.events) for request in endpoint.requests] == [(2, []), (1, [])]
        with pytest.raises(RuntimeError, match="keep='all'"):
            _ = endpoint.events


def test_the_summary_counts(endpoint: Endpoint) -> None:
    """One look gives the whole account; status 0 stands for a request without an answer."""
    endpoint.script([None, Answer(500), drop_after()])
    post(endpoint, event(1), event(2, insert_id=None))
    post(endpoint, event(3))
    with pytest.raises(http.client.RemoteDisconnected):
        post(endpoint, event(1))

    summary = endpoint.summary()
    assert summary.pop("wire_bytes") == summary.pop("inflated_bytes") > 0
    assert summary == {
        "events": 2,
        "received": 3,
        "duplicates": 1,
        "out_of_order": 0,
        "without_insert_id": 1,
        "requests": 3,
        "by_status": {"0": 1, "200": 1, "500": 1},
        "connections": 3,
        "failures": [],
    }
    endpoint.clear()
    assert endpoint.requests == []
    assert endpoint.events == []


def test_waiting_ends_when_the_events_are_there(endpoint: Endpoint) -> None:
    """`wait_for` returns once so many events were accepted, or tells how many were."""
    sender = threading.Thread(target=post, args=(endpoint, event(1), event(2)))
    sender.start()
    endpoint.wait_for(events=2)
    endpoint.wait_for_requests(1)
    sender.join()

    with pytest.raises(TimeoutError, match="2 of 3 events"):
        endpoint.wait_for(events=3, timeout=0)


def test_a_failing_fault_is_raised_where_it_was_caused() -> None:
    """An exception in a script cuts the connection, ends the waits, and leaves the with block."""
    # http.client's RemoteDisconnected is one too: which it is depends on how much had been read by then.

    def broken(_: Arrival) -> Answer:
        raise LookupError("a mistake in the test")

    with Endpoint() as endpoint:
        endpoint.answer = broken
        with pytest.raises(ConnectionResetError):
            post(endpoint, event(1))
        with pytest.raises(LookupError):
            endpoint.wait_for(events=1)
        endpoint.check()
    with pytest.raises(LookupError), Endpoint() as endpoint:  # noqa: PT012 - it is the with block that raises
        endpoint.answer = broken
        with pytest.raises(ConnectionResetError):
            post(endpoint, event(1))


def test_what_is_not_http_is_a_failure() -> None:
    """A client that does not speak HTTP is told about by `check`."""
    with Endpoint() as endpoint:
        with socket.create_connection(("127.0.0.1", endpoint.port)) as client:
            client.sendall(b"\x16\x03\x01\r\n\r\n")
            assert client.recv(1) == b""
        with pytest.raises(Exception, match="not HTTP"):
            endpoint.check()


# Accidents.


def test_the_script_goes_first_and_is_used_up(endpoint: Endpoint) -> None:
    """Queued faults meet the next requests one by one, then the standing fault is asked."""
    endpoint.answer = Answer(503)
    endpoint.script([Answer(500), None, lambda arrival: Answer(200 + len(arrival.events))])
    statuses = [post(endpoint, event(number), event(-number))[0] for number in range(1, 6)]

    assert statuses == [500, 200, 202, 503, 503]
    assert len(endpoint.received) == 4


def test_an_answer_can_be_anything(endpoint: Endpoint) -> None:
    """Status, headers and a body that is not JSON are sent as they are; a 2xx keeps the events."""
    endpoint.script([Answer(429, body="<html>", headers={"Retry-After": "7"}), Answer(202, body=b"fine")])
    with connect(endpoint) as connection:
        connection.request("POST", V2, body(event(1)))
        response = connection.getresponse()
        assert (response.status, response.headers["Retry-After"], response.read()) == (429, "7", b"<html>")
        assert response.headers["Content-Type"].startswith("text/html")
        assert endpoint.events == []
        connection.request("POST", V2, body(event(1)))
        assert connection.getresponse().read() == b"fine"
    assert len(endpoint.events) == 1


def test_a_lost_answer_may_have_stored_the_events(endpoint: Endpoint) -> None:
    """500 with store=True, and a 200 with store=False, do what a real server cannot be asked to do."""
    endpoint.script([Answer(500, store=True), Answer(200, store=False)])
    assert post(endpoint, event(1))[0] == 500
    assert post(endpoint, event(2))[0] == 200
    assert endpoint.events == [event(1)]


@pytest.mark.parametrize("status", [302, 400, 413, 429, 503])
def test_a_refused_request_cannot_be_stored(status: int) -> None:
    """Statuses that mean refusal never go with store=True."""
    with pytest.raises(ValueError, match="never ingested"):
        Answer(status, store=True)


def test_a_bad_request_is_never_stored(endpoint: Endpoint) -> None:
    """What the endpoint's own rules refuse is not kept, whatever is answered."""
    endpoint.script([Answer(200), drop_after()])
    assert post(endpoint, event(1, time="noon"))[0] == 200
    with pytest.raises(http.client.RemoteDisconnected):
        post(endpoint, event(1, time="noon"))
    assert endpoint.received == []


def test_a_connection_cut_before_stores_nothing(endpoint: Endpoint) -> None:
    """`drop_before` resets the connection without reading the body."""
    endpoint.script([drop_before()])
    with socket.create_connection(("127.0.0.1", endpoint.port)) as client:
        client.sendall(f"POST {V2} HTTP/1.1\r\nContent-Length: 100\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert (endpoint.requests[0].status, endpoint.requests[0].wire_size) == (0, 0)
    assert endpoint.received == []


def test_a_connection_cut_after_has_stored_everything(endpoint: Endpoint) -> None:
    """`drop_after` accepts the events and loses the answer; `cut_short` loses half of it."""
    endpoint.script([drop_after(), cut_short()])
    with pytest.raises(http.client.RemoteDisconnected):
        post(endpoint, event(1))
    with pytest.raises(http.client.IncompleteRead):
        post(endpoint, event(2))
    assert [e["insert_id"] for e in endpoint.events] == ["insert-1", "insert-2"]


def test_a_client_that_leaves_is_no_failure(endpoint: Endpoint) -> None:
    """A body cut short by the client is entered as a request without an answer or events."""
    with socket.create_connection(("127.0.0.1", endpoint.port)) as client:
        client.sendall(f"POST {V2} HTTP/1.1\r\nContent-Length: 100\r\n\r\n{{".encode())
    endpoint.wait_for_requests(1)
    assert endpoint.requests[0].status == 0


@pytest.mark.parametrize("store", [False, True])
def test_a_hanging_request_ends_with_the_endpoint(store: bool) -> None:
    """`hang` never answers; the connection ends when the endpoint closes."""
    with Endpoint() as endpoint:
        endpoint.answer = hang(store=store)
        with connect(endpoint) as connection:
            connection.request("POST", V2, body(event(1)))
            endpoint.wait_for_requests(1)
            endpoint.close()
            with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
                connection.getresponse()
        assert len(endpoint.events) == store


def test_a_slow_answer_follows_the_entry(endpoint: Endpoint) -> None:
    """`delay` stores at once and answers later; `drip` answers whole in the end."""
    endpoint.script([delay(0.01), drip(0.01)])
    assert post(endpoint, event(1))[0] == 200
    assert post(endpoint, event(2))[0] == 200


def test_garbage_is_not_http(endpoint: Endpoint) -> None:
    """`garbage` answers with bytes that no HTTP client can read."""
    endpoint.script([garbage()])
    with pytest.raises(http.client.BadStatusLine):
        post(endpoint, event(1))
    assert endpoint.events == []


def test_down_refuses_and_up_listens_on_the_same_port(endpoint: Endpoint) -> None:
    """While down, open connections are cut and new ones refused; afterwards the URL is as before."""
    url = endpoint.url
    with connect(endpoint) as connection:
        connection.request("POST", V2, body(event(1)))
        connection.getresponse().read()
        endpoint.down()
        assert connection.sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        post(endpoint, event(2))
    endpoint.down()
    endpoint.up()
    endpoint.up()

    assert endpoint.url == url
    assert post(endpoint, event(2))[0] == 200


def test_a_request_can_bring_it_down_for_a_while(endpoint: Endpoint) -> None:
    """`down` as a fault cuts the request, stores nothing, and ends by itself."""
    endpoint.script([down(0.05)])
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        post(endpoint, event(1))
    endpoint.wait_until_up()

    assert post(endpoint, event(2))[0] == 200
    assert endpoint.events == [event(2)]


def test_throttling_names_users_devices_and_positions(endpoint: Endpoint) -> None:
    """A request with a hot id is refused whole, with the rates of the ids in it and their positions."""
    endpoint.answer = throttle(users={"user-1": 44, "user-9": 50}, devices=["device-1"])
    answer = post(endpoint, event(0, "user-2"), event(1), event(2, "user-3", device_id="device-1"), event(3))
    assert answer == (
        429,
        {
            "code": 429,
            "error": "Too many requests for some devices and users",
            "eps_threshold": 30,
            "throttled_users": {"user-1": 44},
            "throttled_devices": {"device-1": 31},
            "throttled_events": [1, 2, 3],
        },
    )
    assert endpoint.received == []
    assert post(endpoint, event(0, "user-2"))[0] == 200


def test_quotas_and_silenced_devices(endpoint: Endpoint) -> None:
    """Ids over their quota appear in maps of their own; silenced devices are a 400."""
    endpoint.script([throttle(quota_users={"user-1": 500_200}), silence(["device-1"]), project_limit(60)])
    status, answer = post(endpoint, event(1), path=BATCH)
    assert (status, answer["exceeded_daily_quota_users"]) == (429, {"user-1": 500_200})
    status, answer = post(endpoint, event(1), event(2, device_id="device-1"))
    assert (status, answer["silenced_devices"], answer["silenced_events"]) == (400, ["device-1"], [1])
    assert post(endpoint, event(1)) == (429, {"code": 429, "error": "Too many requests"})


@pytest.mark.parametrize(
    ("path", "first_only", "named"),
    [(V2, None, [1]), (BATCH, None, [1, 2]), (V2, False, [1, 2]), (BATCH, True, [1])],
)
def test_invalid_events_are_named_as_the_api_does(
    endpoint: Endpoint, path: str, first_only: bool | None, named: list[int]
) -> None:
    """HTTP V2 names the first bad event, Batch all of them, unless the script says otherwise."""
    endpoint.answer = invalid({"event_properties.seq": 7}, field="price", first_only=first_only)
    answer = post(endpoint, event(1), event(7), event(7), path=path)
    assert answer == (
        400,
        {
            "code": 400,
            "error": "Invalid field values on some events",
            "events_with_invalid_fields": {"price": named},
        },
    )
    assert post(endpoint, event(1), path=path)[0] == 200


def test_refusals_that_name_nobody(endpoint: Endpoint) -> None:
    """A firewall's page, a body too large and an unknown key refuse the request and nothing of it is kept."""
    endpoint.script([poison(lambda e: e["insert_id"] == "insert-1"), max_body(10), invalid_api_key()])
    with connect(endpoint) as connection:
        connection.request("POST", V2, body(event(1)))
        response = connection.getresponse()
        assert (response.status, response.read()[:6]) == (403, b"<html>")
    assert post(endpoint, event(1)) == (413, {"code": 413, "error": "Payload too large"})
    assert post(endpoint, event(1)) == (
        400,
        {"code": 400, "error": f"Invalid API key: {KEY}"},
    )
    assert endpoint.received == []


def test_max_body_is_measured_after_decompression(endpoint: Endpoint) -> None:
    """A small compressed body that inflates over the limit is too large."""
    raw = body(*(event(number) for number in range(100)))
    small = gzip.compress(raw)
    endpoint.answer = max_body(len(small))
    assert post_raw(endpoint, small, headers={"Content-Encoding": "gzip"})[0] == 413


def statuses(endpoint: Endpoint, count: int) -> list[int]:
    with connect(endpoint) as connection:
        found = []
        for number in range(count):
            connection.request("POST", V2, body(event(number)))
            response = connection.getresponse()
            response.read()
            found.append(response.status)
        return found


def test_faults_combine(endpoint: Endpoint) -> None:
    """`every`, `after`, `times` and `first_of` decide which requests a fault strikes."""
    endpoint.answer = first_of(every(3, Answer(500)), times(1, after(3, Answer(503))))
    assert statuses(endpoint, 7) == [200, 200, 500, 200, 503, 500, 200]


def test_a_fault_may_last_for_a_while(endpoint: Endpoint) -> None:
    """`during` counts its seconds from the first request that it strikes."""
    endpoint.answer = during(0, Answer(500))
    assert statuses(endpoint, 1) == [200]
    endpoint.answer = during(3600, Answer(500))
    assert statuses(endpoint, 2) == [500, 500]


def test_the_same_seed_gives_the_same_accidents(endpoint: Endpoint) -> None:
    """`random_mix` draws once per request; the seed decides the sequence."""
    runs = []
    for _ in range(2):
        endpoint.answer = random_mix(7, {Answer(500): 0.3, Answer(503): 0.3})
        runs.append(statuses(endpoint, 30))
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500, 503}
    with pytest.raises(ValueError, match="add up to 1"):
        random_mix(7, {Answer(500): 0.7, Answer(503): 0.7})


def test_faults_can_be_written_as_json(endpoint: Endpoint) -> None:
    """A name or an object with arguments makes a fault, also a combined one."""
    endpoint.answer = from_spec(
        {
            "fault": "first_of",
            "of": [
                {"fault": "every", "n": 2, "of": {"fault": "answer", "status": 500}},
                {"fault": "random_mix", "seed": 1, "of": [["invalid_api_key", 1]]},
            ],
        }
    )
    assert statuses(endpoint, 2) == [400, 500]
    assert from_spec(None) is None


@pytest.mark.parametrize(
    "spec",
    [
        "explode",
        {},
        7,
        {"fault": "every"},
        {"fault": "every", "n": 2, "of": None},
        {"fault": "delay", "x": 1},
    ],
)
def test_nonsense_is_no_fault(spec: object) -> None:
    """An unknown name or arguments that do not fit raise ValueError."""
    with pytest.raises(ValueError, match="fault"):
        from_spec(spec)


# In a process of its own.


def test_the_process_is_steered_from_outside() -> None:
    """The script can be changed, and the ledger and the events be read, through the same port."""
    with EndpointProcess("--script", "drop_after") as endpoint:
        with pytest.raises(http.client.RemoteDisconnected):
            post(endpoint, event(1))
        endpoint.answer({"fault": "answer", "status": 500})
        assert post(endpoint, event(2))[0] == 500
        endpoint.answer(None)
        endpoint.script([{"fault": "answer", "status": 503}])
        assert [post(endpoint, event(number))[0] for number in (1, 3)] == [503, 200]

        ledger = endpoint.ledger(events=2, requests=4)
        assert (ledger["events"], ledger["requests"], ledger["failures"]) == (2, 4, [])
        assert ledger["by_status"] == {"0": 1, "200": 1, "500": 1, "503": 1}
        assert endpoint.events() == [event(1), event(3)]
        assert [request["status"] for request in endpoint.requests()] == [0, 500, 503, 200]
        assert endpoint.ledger(events=99, timeout=0)["events"] == 2
        with pytest.raises(ValueError, match="no fault of this name"):
            endpoint.answer("explode")
        endpoint.clear()
        assert endpoint.events() == []


def test_the_process_goes_down_when_told() -> None:
    """`down` from outside is answered, and then connections are refused."""
    with EndpointProcess() as endpoint:
        endpoint.down(3600)
        with pytest.raises(ConnectionRefusedError):
            post(endpoint, event(1))


def test_the_process_starts_while_another_thread_changes_the_environment() -> None:
    """As pytest itself does before each test: what the child is given is a copy."""
    is_over = threading.Event()

    def change() -> None:
        while not is_over.is_set():
            for number in range(3):
                os.environ[f"ANTINODE_TEST_{number}"] = "x"
            for number in range(3):
                del os.environ[f"ANTINODE_TEST_{number}"]

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(10):
            with EndpointProcess():
                pass
    finally:
        is_over.set()
        changing.join()


def test_the_process_says_one_line_and_stops_when_told() -> None:
    """Standard output is one line of JSON; POST /_/stop ends the process with status 0."""
    command = [sys.executable, "-W", "error", "-m", "antinode.testing.endpoint", "--keep", "ids"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["url"] == f"http://127.0.0.1:{ready['port']}{V2}"
        with closing(http.client.HTTPConnection("127.0.0.1", ready["port"], timeout=20)) as connection:
            connection.request("GET", "/_/events")
            response = connection.getresponse()
            assert (response.status, "keeps only ids" in response.read().decode()) == (400, True)
            connection.request("POST", "/_/stop")
            connection.getresponse().read()
        assert process.communicate(timeout=20) == (b"", b"")
    assert process.returncode == 0


def test_the_process_ends_with_its_parent() -> None:
    """With --follow-stdin the end of standard input ends the process."""
    command = [sys.executable, "-m", "antinode.testing.endpoint", "--follow-stdin"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=20)
    assert done.returncode == 0


def test_the_command_line_refuses_unknown_faults() -> None:
    """A wrong --script is told with the names there are."""
    command = [sys.executable, "-m", "antinode.testing.endpoint", "--script", "explode"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=20)
    assert done.returncode == 2
    assert all(name in done.stderr.decode() for name in ("drop_after", "throttle"))


def test_every_fault_has_a_name_for_json() -> None:
    """The names are those of the functions, and `answer` for a plain answer."""
    assert {
        "answer",
        "drop_after",
        "hang",
        "throttle",
        "invalid",
        "every",
        "random_mix",
        "down",
    } <= FAULTS.keys()


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
