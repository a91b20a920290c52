"""What becomes of a request's events: bytes as sent, with what they lacked, and the same by either way."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode.relay.front.reading import Reader, TakenEvents
from antinode.relay.projects import Projects
from antinode.relay.streams import stream_of
from antinode.server.ingest.requests import IngestResponse, Received
from tests.examples import examples
from tests.relay.kept import APP, WEB

NOW_MS = 1_793_817_970_000
READER = Reader(Projects([WEB, APP]))


def request(body: bytes, path: str = "/2/httpapi", **more: Any) -> Received:
    return Received(**{"method": "POST", "path": path, "body": body, "wire_size": len(body), **more})


def upload(*events: Any, api_key: str = WEB.api_key, **more: Any) -> bytes:
    return json.dumps({"api_key": api_key, "events": events, **more}).encode()


def read(received: Received, now_ms: int = NOW_MS) -> TakenEvents:
    taken = READER.read(received, now_ms)
    assert isinstance(taken, TakenEvents), taken
    return taken


def refused(received: Received) -> IngestResponse:
    answer = READER.read(received, NOW_MS)
    assert isinstance(answer, IngestResponse), answer
    return answer


def complete(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "event_type": "Played",
        "user_id": "user-1",
        "time": NOW_MS - 5,
        "insert_id": f"i-{number}",
        **more,
    }


def test_a_complete_event_is_kept_byte_for_byte() -> None:
    """White space, order and spelling of what was sent are those of what is kept."""
    text = (
        '{ "insert_id":"i-1",  "time" : 1793817970000, "user_id":"h\\u00e9llo", "event_type":"Played",'
        ' "event_properties":{"price": 1.50, "n": 1e2}}'
    )
    body = f'{{"events": [ {text} ], "api_key": "{WEB.api_key}"}}'.encode()
    for encoded in (request(body), request(gzip.compress(body), content_encoding="gzip")):
        taken = read(encoded)
        assert taken.project is WEB
        (kept,) = taken.events
        assert kept.body == text.encode()
        assert (kept.user_id, kept.device_id) == ("héllo", None)
        assert kept.stream == stream_of("héllo", None)


def test_what_is_missing_is_stamped() -> None:
    """An insert_id and the time of receipt stand before the event's own bytes."""
    (kept,) = read(request(upload({"event_type": "Played", "user_id": "user-1"}))).events
    event = json.loads(kept.body)
    assert event.pop("time") == NOW_MS
    assert len(event.pop("insert_id")) == 36
    assert event == {"event_type": "Played", "user_id": "user-1"}
    assert kept.body.endswith(b'"event_type": "Played", "user_id": "user-1"}')


def test_null_is_missing() -> None:
    """What is null or empty is no value: it is left out, and stamped in its place."""
    event = {"event_type": "Played", "user_id": "user-1", "device_id": "", "time": None, "insert_id": None}
    (kept,) = read(request(upload(event))).events
    assert kept.body.count(b'"time"') == kept.body.count(b'"insert_id"') == 1
    assert (kept.user_id, kept.device_id) == ("user-1", None)
    assert json.loads(kept.body)["time"] == NOW_MS


def insert_ids(received: Received, now_ms: int = NOW_MS) -> list[str]:
    return [json.loads(event.body)["insert_id"] for event in read(received, now_ms).events]


def test_a_repeated_request_has_the_same_insert_ids() -> None:
    """Sent again, compressed or not, at whatever time, an event has the insert_id that it had; the events of
    one request, and of another one, have their own."""
    bare = {"event_type": "Played", "user_id": "user-1"}
    body = upload(bare, bare)
    first = insert_ids(request(body))
    assert len(set(first)) == 2
    assert insert_ids(request(body), NOW_MS + 60_000) == first
    assert insert_ids(request(gzip.compress(body), content_encoding="gzip")) == first
    assert not set(insert_ids(request(body, path="/batch"))) & set(first)
    assert not set(insert_ids(request(upload(bare, bare, bare)))) & set(first)
    assert not set(insert_ids(request(upload(bare, bare, api_key=APP.api_key)))) & set(first)


def test_insert_ids_never_change() -> None:
    """A request may be repeated to another version, which must make the same of it."""
    body = b'{"api_key":"%b","events":[{"event_type":"Played","user_id":"user-1"}]}' % WEB.api_key.encode()
    assert insert_ids(request(body)) == ["c7b45db5-4303-8729-a53a-8585b2898dd6"]


def test_identifications_become_events() -> None:
    """The Identify APIs' forms become the events that HTTP V2 takes, with insert_id and time."""
    fields = {"api_key": WEB.api_key, "identification": json.dumps({"user_id": "user-1", "paying": True})}
    (kept,) = read(
        request(urlencode(fields).encode(), "/identify", content_type="application/x-www-form-urlencoded")
    ).events
    event = json.loads(kept.body)
    assert (event["event_type"], event["user_id"], event["time"]) == ("$identify", "user-1", NOW_MS)
    fields["identification"] = json.dumps(
        [{"group_type": "org", "group_value": "acme", "group_properties": {"plan": "pro"}}]
    )
    (kept,) = read(request(b"", "/groupidentify", method="GET", query=urlencode(fields))).events
    event = json.loads(kept.body)
    assert (event["event_type"], event["groups"]) == ("$groupidentify", {"org": "acme"})
    assert event["group_properties"] == {"plan": "pro"}
    assert kept.stream == stream_of(None, None)


def test_remote_is_the_clients_address() -> None:
    """`"$remote"` is whoever sent to the relay, not the relay that delivers."""
    (kept,) = read(request(upload(complete(ip="$remote")), address="203.0.113.9")).events
    assert json.loads(kept.body)["ip"] == "203.0.113.9"
    (kept,) = read(request(upload(complete(ip="$remote")))).events
    assert "ip" not in json.loads(kept.body)


def test_a_wrong_clock_is_corrected() -> None:
    """Of a client whose clock is an hour ahead, times are moved back by that hour."""
    hour = 3_600_000
    body = upload(complete(time=NOW_MS + hour), client_upload_time="2026-11-04T19:46:10.000Z")
    (kept,) = read(request(body)).events
    assert json.loads(kept.body)["time"] == NOW_MS


def test_ids_that_a_request_allows_are_kept() -> None:
    """The request's own `min_id_length` counts."""
    event = complete(user_id="ab")
    assert refused(request(upload(event))).status == 400
    assert len(read(request(upload(event, options={"min_id_length": 1}))).events) == 1


@pytest.mark.parametrize(
    ("received", "status", "told"),
    [
        (request(upload(complete(), api_key="f" * 32)), 400, "Invalid API key: " + "f" * 32),
        (request(upload({"event_type": "Played"})), 400, "Request missing required field"),
        (request(upload(complete(time="now"))), 400, "Invalid field values on some events"),
        (request(upload(complete(user_id="null"))), 400, "Invalid id length for user_id or device_id"),
        (request(b"{"), 400, "Invalid JSON request body"),
        (request(b""), 400, "Missing request body"),
        (request(upload(*[complete()] * 2001)), 413, "Payload too large"),
        (
            request(
                upload(complete(event_properties={f"k{n}": "x" * 1_000 for n in range(1_000)})), "/batch"
            ),
            413,
            "Payload too large",
        ),
        (request(b"mapping=[]", "/usermap"), 400, "Invalid request path"),
        (request(upload(complete()), "/nowhere"), 400, "Invalid request path"),
    ],
)
def test_what_amplitude_refuses_is_refused(received: Received, status: int, told: str) -> None:
    """By its words; what delivery could not send later is refused at once."""
    answer = refused(received)
    assert answer.status == status
    assert told in answer.body.decode()


ODD = st.sampled_from(
    [
        None,
        "",
        0,
        1,
        1.5,
        -1,
        True,
        2**63,
        2**70,
        1e300,
        "null",
        "user-1",
        "x" * 1025,
        "\ud83d",
        [],
        {},
        "$remote",
    ]
)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {"event_type": st.sampled_from(["Played", "$identify", "revenue_amount"]) | ODD},
        optional={
            "user_id": st.sampled_from(["user-1", "user-2"]) | ODD,
            "device_id": st.just("device-1") | ODD,
            "time": st.just(NOW_MS) | ODD,
            "insert_id": st.just("i-1") | ODD,
            "ip": ODD,
            "price": ODD,
            "groups": st.just({"org": "acme"}) | ODD,
            "event_properties": st.dictionaries(st.text(max_size=3), ODD, max_size=3) | ODD,
            "unknown": ODD,
        },
    ),
    min_size=1,
    max_size=3,
)


@given(EVENTS)
@settings(max_examples=examples(30))
def test_both_ways_lead_to_the_same(events: list[dict[str, Any]]) -> None:
    """What is taken quickly is what a close look would have made of it."""
    received = request(upload(*events), address="203.0.113.9")
    quick = READER.read(received, NOW_MS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reader, "_quickly", lambda *_: None)
        close = READER.read(received, NOW_MS)
    assert quick == close
