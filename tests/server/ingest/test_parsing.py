from __future__ import annotations

import gzip
import json
import zlib
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode.server.ingest.parsing import IngestApi, RequestReading, read
from antinode.server.ingest.requests import Received
from antinode.server.ingest.responses import Refusal
from antinode.server.rules import ApiKey, Rules
from tests.examples import examples

KEY = "0123456789abcdef0123456789abcdef"
EVENT = {"event_type": "Song Played", "user_id": "user-20391"}
FORM = "application/x-www-form-urlencoded"


def post(body: Any, path: str = "/2/httpapi", **more: Any) -> Received:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Received(method="POST", path=path, body=raw, wire_size=len(raw), **more)


def form(path: str, content_type: str = FORM, **fields: Any) -> Received:
    texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in fields.items()}
    return post(urlencode(texts).encode(), path, content_type=content_type)


def taken(received: Received, **rules: Any) -> RequestReading:
    found = read(received, Rules(**rules))
    assert isinstance(found, RequestReading), found
    return found


def refused(received: Received, **rules: Any) -> Refusal:
    found = read(received, Rules(**rules))
    assert isinstance(found, Refusal), found
    return found


def upload(*events: Any, **more: Any) -> dict[str, Any]:
    return {"api_key": KEY, "events": list(events), **more}


def test_events_are_read_as_they_came() -> None:
    """Events, their own JSON, the key and the size of the body come out of a request."""
    body = b'{"api_key": "abc", "events": [ {"n" :1e2 ,"n": 2.0}, {"event_type":"t"}]}'
    reading = taken(post(body))
    assert reading.api is IngestApi.HTTP_V2
    assert reading.api_key == "abc"
    assert reading.events == [{"n": 2.0}, {"event_type": "t"}]
    assert [bytes(text) for text in reading.texts] == [b'{"n" :1e2 ,"n": 2.0}', b'{"event_type":"t"}']
    assert reading.body_size == len(body)
    assert reading.client_upload_time is None
    assert reading.min_id_length == 5


@pytest.mark.parametrize("path", ["/2/httpapii", "/2/httpapi/", "", "/Batch", "/api/events"])
def test_unknown_paths_are_refused(path: str) -> None:
    """A path that is none of the ingestion APIs' is answered so, whatever the body."""
    refusal = refused(post(upload(EVENT), path))
    assert (refusal.status, refusal.body) == (400, {"code": 400, "error": "Invalid request path"})


def test_only_the_identify_apis_take_a_get() -> None:
    """GET is no way to send events, but to send identifications."""
    query = urlencode({"api_key": KEY, "identification": json.dumps({"user_id": "user-20391"})})
    reading = taken(Received(method="GET", path="/identify", query=query))
    assert reading.events == [{"user_id": "user-20391", "event_type": "$identify"}]
    assert refused(Received(method="GET", path="/2/httpapi", query=query)).error == "Invalid request path"


def test_a_request_without_a_body_is_told_so() -> None:
    """No body is another error than a body that is no JSON."""
    assert refused(post(b"")).error == "Missing request body"
    assert refused(post(b" ")).error == "Invalid JSON request body"


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"x"',
        b"1",
        b"{",
        b"{}x",
        b'{"api_key": NaN}',
        b"\xef\xbb\xbf{}",
        b'{"\xff": 1}',
        b'{"a": 1e999}',
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    """A body has to be one JSON object, in UTF-8, of numbers that exist."""
    refusal = refused(post(body))
    assert (refusal.status, refusal.error) == (400, "Invalid JSON request body")
    assert refusal.reading is None
    assert refusal.body_start == body.decode("utf-8", "replace")


@pytest.mark.parametrize("number", [b"1", b"123456789012345678901234567890"])
@pytest.mark.parametrize("depth", [260, 1_000, 5_000, 100_000])
def test_a_deep_nest_is_no_json(depth: int, number: bytes) -> None:
    """A body that is nested hundreds of layers deep is refused before anything recurses through it."""
    nest = b"[" * depth + number + b"]" * depth
    body = b'{"api_key": "k", "events": [{"event_type": ' + nest + b"}]}"
    assert refused(post(body, "/batch")).error == "Invalid JSON request body"


@pytest.mark.parametrize("number", [b"1", b"123456789012345678901234567890"])
def test_a_nest_within_reason_is_read(number: bytes) -> None:
    """What is merely deeper than the API likes is for the checks of the event."""
    nest = b"[" * 200 + number + b"]" * 200
    assert taken(post(b'{"api_key": "k", "events": [{"event_type": ' + nest + b"}]}", "/batch"))


@pytest.mark.parametrize("key", [None, "", 5, ["k"]])
def test_a_key_is_a_string_with_something_in_it(key: Any) -> None:
    """Without one the answer names the missing field, and the events can be kept all the same."""
    refusal = refused(post({"api_key": key, "events": [EVENT]}))
    assert refusal.body == {
        "code": 400,
        "error": "Request missing required field",
        "missing_field": "api_key",
    }
    assert refusal.reading is not None
    assert refusal.reading.events == [EVENT]


@pytest.mark.parametrize(
    "body", [{"api_key": KEY}, {"api_key": KEY, "events": EVENT}, {"api_key": KEY, "Events": []}]
)
def test_events_are_a_list_under_their_name(body: dict[str, Any]) -> None:
    """Anything else is a missing field."""
    refusal = refused(post(body))
    assert refusal.body == {"code": 400, "error": "Request missing required field", "missing_field": "events"}
    assert KEY not in str(refusal.body_start)


def test_a_missing_key_is_told_before_missing_events() -> None:
    """A request that lacks both is told of the key."""
    assert refused(post({})).body["missing_field"] == "api_key"  # type: ignore[index]


def test_without_known_keys_any_key_is_good() -> None:
    """The rules begin with no keys, so that a first event needs no set-up."""
    assert taken(post({"api_key": "anything", "events": []})).events == []


@pytest.mark.parametrize("known", [KEY, ApiKey(key=KEY)])
def test_an_unknown_key_is_repeated_in_the_answer_and_nowhere_else(known: str | ApiKey) -> None:
    """SDKs compare the answer with the key they sent; what is kept of it must not hold the key."""
    assert taken(post(upload(EVENT)), api_keys=(known,)).api_key == KEY
    refusal = refused(post({"api_key": "not-a-known-key", "events": [EVENT]}), api_keys=(known,))
    assert refusal.body == {"code": 400, "error": "Invalid API key: not-a-known-key"}
    assert refusal.reading is not None
    assert refusal.reading.events == [EVENT]
    assert refusal.error == "Invalid API key"
    assert "not-a-known-key" not in refusal.shown


def test_entries_that_are_no_objects_are_named() -> None:
    """The request is refused; each such entry has its reason, and the others can still be kept."""
    refusal = refused(post(upload(EVENT, "oops", None)))
    assert refusal.body == {"code": 400, "error": "Invalid event JSON"}
    assert refusal.reading is not None
    assert refusal.reading.events == [EVENT, {}, {}]
    assert bytes(refusal.reading.texts[1]) == b'"oops"'
    assert {position: [each.code for each in found] for position, found in refusal.reasons.items()} == {
        1: ["invalid_event"],
        2: ["invalid_event"],
    }


@pytest.mark.parametrize("path", ["/2/httpapi", "/batch"])
def test_two_thousand_events_are_taken_and_no_more(path: str) -> None:
    """One more is too large, and none of them is kept."""
    assert len(taken(post(upload(*[{}] * 2000), path)).events) == 2000
    refusal = refused(post(upload(*[{}] * 2001), path))
    assert (refusal.status, refusal.body) == (413, {"code": 413, "error": "Payload too large"})
    assert refusal.reading is None


@pytest.mark.parametrize(("path", "limit"), [("/2/httpapi", 1_000_000), ("/batch", 20_000_000)])
def test_bodies_are_measured_after_decompression(path: str, limit: int) -> None:
    """The limit is that of the API, for what the body is and not for how it came."""
    for size, status in ((limit, 200), (limit + 1, 413)):
        shell = json.dumps(upload({**EVENT, "city": ""})).encode()
        body = shell.replace(b'""', b'"' + b"a" * (size - len(shell)) + b'"')
        assert len(body) == size
        for sent in (post(body, path), post(gzip.compress(body, 1), path, content_encoding="gzip")):
            found = read(sent, Rules())
            assert (found.status if isinstance(found, Refusal) else 200) == status


def test_a_body_too_large_to_be_kept_is_too_large() -> None:
    """Of such a body only the beginning is there; it is not read."""
    assert refused(post(b"{", is_too_large=True)).status == 413
    assert refused(post(b"", "/identify", is_too_large=True)).body == "Payload too large"


def test_a_body_of_countless_tiny_values_is_too_large() -> None:
    """Four hundred thousand objects, arrays and keys are more than a real body holds, whatever its size."""
    few, many = (b",".join([b"[[],[]]"] * count) for count in (10_000, 140_000))
    body = b'{"api_key":"key","events":[{"event_properties":{"a":[%b]}}]}'

    assert len(taken(post(body % few, "/batch")).events) == 1
    assert refused(post(body % many, "/batch")).status == 413


def test_a_small_body_cannot_inflate_without_bound() -> None:
    """A hundred megabytes of zeros, and many members of a few, are too large after the limit."""
    bomb = gzip.compress(bytes(100_000_000), 9)
    assert refused(post(bomb, content_encoding="gzip")).status == 413
    members = gzip.compress(bytes(300_000), 9) * 10
    assert refused(post(members, content_encoding="gzip")).status == 413


def test_gzip_in_several_members_is_one_body() -> None:
    """As the format says; a thousand members are refused."""
    body = json.dumps(upload(EVENT)).encode()
    halves = gzip.compress(body[:20]) + gzip.compress(body[20:])
    assert taken(post(halves, content_encoding="GZIP")).events == [EVENT]
    many = gzip.compress(body) + gzip.compress(b"") * 1000
    assert refused(post(many, content_encoding="gzip")).error == "Invalid JSON request body"


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, gzip"])
def test_a_body_that_is_not_encoded_as_it_says_is_refused(encoding: str) -> None:
    """Plain JSON that is announced as compressed, or compressed in a way nobody documents, is not read."""
    plain = json.dumps(upload(EVENT)).encode()
    for body in (plain, zlib.compress(plain), gzip.compress(plain)[:-4] + b"....", gzip.compress(plain)[:-9]):
        refusal = refused(post(body, content_encoding=encoding))
        assert refusal.error == "Invalid JSON request body"


@pytest.mark.parametrize(
    "content_type", ["text/plain;charset=UTF-8", "application/json; charset=UTF-8", "", "x"]
)
def test_the_content_type_of_json_does_not_matter(content_type: str) -> None:
    """Beacons of browsers say text/plain."""
    assert taken(post(upload(EVENT), content_type=content_type)).events == [EVENT]


@pytest.mark.parametrize(
    ("options", "shortest"),
    [
        ({"min_id_length": 1}, 1),
        ({"min_id_length": 7.0}, 7),
        ({"min_id_length": True}, 5),
        ({}, 5),
        (None, 5),
        ([1], 5),
    ],
)
def test_min_id_length_is_an_option_of_the_request(options: Any, shortest: int) -> None:
    """Only a whole number replaces the default."""
    assert taken(post(upload(EVENT, options=options))).min_id_length == shortest


@pytest.mark.parametrize(
    ("told", "milliseconds"),
    [
        ("2026-11-04T18:46:12.289Z", 1793817972289),
        ("2026-11-04T19:46:12.289+01:00", 1793817972289),
        ("2026-11-04T18:46:12", 1793817972000),
        ("yesterday", None),
        (1793817972289, None),
        (None, None),
        ("0001-01-01T00:00:00+23:59", -62135683140000),
        ([], None),
    ],
)
def test_client_upload_time_is_iso_8601(told: Any, milliseconds: int | None) -> None:
    """What is none is as good as absent."""
    assert taken(post(upload(client_upload_time=told))).client_upload_time == milliseconds


def test_half_an_emoji_does_not_cost_the_request() -> None:
    """Browsers cut texts between two surrogates; a lone one becomes the replacement character."""
    text = r'{"event_type": "\ud83d", "a": "\ud83d\ude00 \\ud83d \ude00\ud83d"}'
    reading = taken(post(b'{"api_key": "k", "events": [' + text.encode() + b"]}"))
    assert reading.events == [{"event_type": "\ufffd", "a": "😀 \\ud83d \ufffd\ufffd"}]
    assert orjson.loads(bytes(reading.texts[0])) == reading.events[0]


def test_numbers_beyond_64_bits_keep_their_digits() -> None:
    """An integer is read to its last digit, however long."""
    reading = taken(post(b'{"api_key": "k", "events": [{"n": 123456789012345678901234567890}]}'))
    assert reading.events == [{"n": 123456789012345678901234567890}]


@pytest.mark.parametrize(
    "identification", [{"user_id": "u-2039", "user_properties": {"a": 1}}, [{"device_id": "d-2039"}]]
)
def test_identifications_are_identify_events(identification: Any) -> None:
    """One object or a list of them, in a form or in a query."""
    reading = taken(form("/identify", api_key=KEY, identification=identification))
    entries = identification if isinstance(identification, list) else [identification]
    assert reading.api is IngestApi.IDENTIFY
    assert reading.events == [{**entry, "event_type": "$identify"} for entry in entries]
    assert [orjson.loads(bytes(text)) for text in reading.texts] == reading.events
    query = urlencode({"api_key": KEY, "identification": json.dumps(identification)})
    assert taken(Received(method="POST", path="/identify", query=query)).events == reading.events


def test_group_identifications_are_groupidentify_events() -> None:
    """The type and the value of the group become the event's groups."""
    entry = {"group_type": "org id", "group_value": 15, "group_properties": {"$set": {"a": 1}}}
    reading = taken(form("/groupidentify", api_key=KEY, identification=entry))
    assert reading.events == [
        {"group_properties": {"$set": {"a": 1}}, "event_type": "$groupidentify", "groups": {"org id": "15"}}
    ]


@pytest.mark.parametrize("entry", [{}, {"group_type": "org"}, {"group_type": "org", "group_value": ["a"]}, 5])
def test_a_group_identification_names_one_group(entry: Any) -> None:
    """Without it there is nothing to change; the reason names what is missing."""
    refusal = refused(form("/groupidentify", api_key=KEY, identification=[entry]))
    assert (refusal.status, refusal.body) == (400, "missing_event")
    assert refusal.reasons[0][0].severity == "error"


def test_multipart_forms_are_forms() -> None:
    """As curl -F sends them."""
    parts = {"api_key": KEY, "identification": '{"user_id": "user-20391"}'}
    lines = "".join(
        f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts.items()
    )
    received = post(
        f"{lines}--XX--\r\n".encode(), "/identify", content_type="multipart/form-data; boundary=XX"
    )
    assert taken(received).events == [{"user_id": "user-20391", "event_type": "$identify"}]


@pytest.mark.parametrize(
    "received",
    [
        post({"api_key": KEY, "identification": [EVENT]}, "/identify", content_type="application/json"),
        post({"api_key": KEY, "events": [EVENT]}, "/"),
        form("/identify", api_key=KEY, identification="{oops"),
        form("/identify", api_key=KEY, identification="5"),
        form("/", client=KEY, e=EVENT),
        form("/identify", "multipart/form-data", api_key=KEY, identification=[EVENT]),
        form("/identify", api_key=KEY, identification="[" * 300 + "]" * 300),
        form("/", client=KEY, e="[" * 5000),
        post(b"", "/"),
    ],
)
def test_forms_without_readable_events_miss_them(received: Received) -> None:
    """The APIs that answer in text have one word for all of these."""
    refusal = refused(received)
    assert (refusal.status, refusal.body) == (400, "missing_event")


@pytest.mark.parametrize("path", ["/", "/identify"])
def test_the_key_of_a_form_is_checked(path: str) -> None:
    """A wrong one and none are the same; the key is not repeated."""
    name, events = ("client", "e") if path == "/" else ("api_key", "identification")
    for key in ("", "wrong"):
        fields: dict[str, Any] = {name: key, events: []}
        refusal = refused(form(path, **fields), api_keys=(KEY,))
        assert refusal.body == "invalid_api_key"


def test_forms_have_bounds_too() -> None:
    """On the body, on the query, on the number of identifications and of fields."""
    entry = {"group_type": "a", "group_value": "b"}
    assert refused(form("/groupidentify", api_key=KEY, identification=[entry] * 1025)).status == 413
    assert refused(form("/identify", api_key=KEY, identification=" " * 1_000_000)).status == 413
    assert refused(Received(method="GET", path="/identify", query="a" * 8193)).status == 414
    assert refused(post(b"&a=1" * 101, "/identify")).body == "missing_event"


def test_group_properties_of_a_request_are_counted() -> None:
    """1,024 over all its entries are taken, one more is too large; operations count as what they set."""
    table = {f"p{at}": at for at in range(512)}

    def identification(*tables: dict[str, Any]) -> Received:
        entries = [{"group_type": "org", "group_value": "15", "group_properties": each} for each in tables]
        return form("/groupidentify", api_key=KEY, identification=entries)

    assert len(taken(identification(table, {"$set": table})).events) == 2
    for tables in ((table, table, {"one": 1}), ({"$set": table, "$append": {**table, "one": 1}},)):
        refusal = refused(identification(*tables))
        assert (refusal.status, refusal.body) == (413, "Payload too large")
    person = {
        "user_id": "user-20391",
        "user_properties": {**table, "$set": {f"q{at}": 1 for at in range(999)}},
    }
    assert len(taken(form("/identify", api_key=KEY, identification=[person])).events) == 1


def test_user_mappings_are_taken() -> None:
    """The User Mapping API takes maps and unmaps of users, and holds no events."""
    mapping = [
        {"user_id": "a@example.com", "global_user_id": "b@example.com"},
        {"user_id": 20391, "global_user_id": 2**70},
        {"user_id": "a@example.com", "unmap": True},
    ]
    for each in (mapping, mapping[0]):
        found = taken(form("/usermap", api_key=KEY, mapping=each))
        assert (found.api, found.api_key, found.events) == (IngestApi.USER_MAP, KEY, [])
    assert refused(form("/usermap", api_key=KEY, mapping=[mapping[0]] * 2001)).status == 413
    assert refused(form("/usermap", mapping=mapping)).body == "invalid_api_key"


@pytest.mark.parametrize(
    "entry",
    [
        "a@example.com",
        {},
        {"user_id": "a@example.com"},
        {"global_user_id": "b@example.com"},
        {"user_id": "", "global_user_id": "b@example.com"},
        {"user_id": "a@example.com", "unmap": False},
        {"user_id": "a@example.com", "global_user_id": None},
        {"user_id": True, "global_user_id": "b@example.com"},
    ],
)
def test_a_mapping_of_nobody_is_refused(entry: Any) -> None:
    """As is one that cannot be read."""
    for mapping in ([entry], "{", 5):
        refusal = refused(form("/usermap", api_key=KEY, mapping=mapping))
        assert (refusal.status, refusal.body) == (400, "missing_event")


def test_legacy_events_become_events_of_today() -> None:
    """Their old names of time, insert_id and library are translated; the upload's time is read."""
    event = {
        "event_type": "t",
        "timestamp": 5,
        "uuid": "u",
        "library": {"name": "js", "version": "8"},
        "groups": None,
    }
    reading = taken(form("/", client=KEY, e=[event], v="2", upload_time="1793817970000", checksum="x"))
    assert reading.events == [
        {"event_type": "t", "library": "js/8", "groups": None, "time": 5, "insert_id": "u"}
    ]
    assert reading.client_upload_time == 1793817970000


@pytest.mark.parametrize(
    "body",
    [
        b'{"api_key": "a secret, of mine"',
        b"{'api_key': 'a secret, of mine'}",
        b"api_key=a+secret+of+mine&e=%5B",
        b'--X\r\nContent-Disposition: form-data; name="api_key"\r\n\r\na secret, of mine\r\n--X',
        b"so my key is " + KEY.encode(),
    ],
)
def test_what_is_kept_of_an_unreadable_body_has_no_key(body: bytes) -> None:
    """Whatever the body was meant to be."""
    kept = refused(post(body)).body_start
    assert kept is not None
    assert "mine" not in kept
    assert KEY not in kept


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
paths = st.sampled_from([api.value for api in IngestApi]) | st.text(max_size=12)
types = st.sampled_from(
    [
        "",
        "application/json",
        FORM,
        "multipart/form-data; boundary=-",
        "multipart/form-data",
        "text/plain",
        "\ud800",
    ]
)


def judged(received: Received) -> None:
    found = read(received, Rules())
    if isinstance(found, Refusal):
        answer = found.answer()
        assert 400 <= answer.status < 500
        assert found.error
        assert found.shown
        found_reading = found.reading
    else:
        found_reading = found
    if found_reading is not None:
        assert len(found_reading.events) == len(found_reading.texts) <= 2000
        found_reading.api_key.encode()
        for text in found_reading.texts:
            orjson.loads(bytes(text))


@given(
    method=st.sampled_from(["POST", "GET", "PUT"]),
    path=paths,
    query=st.text(st.characters(), max_size=40),
    body=st.binary(max_size=200) | st.text(st.characters(exclude_categories=["Cs"])).map(str.encode),
    content_type=types | st.text(max_size=20),
    encoding=st.sampled_from(["", "gzip", "identity", "br", "\udc80"]),
    is_zipped=st.booleans(),
)
def test_any_bytes_are_answered(
    method: str, path: str, query: str, body: bytes, content_type: str, encoding: str, is_zipped: bool
) -> None:
    """Whatever bytes come, by whatever path and however labelled: never an exception."""
    raw = gzip.compress(body) if is_zipped else body
    judged(
        Received(
            method=method,
            path=path,
            query=query,
            body=raw,
            content_type=content_type,
            content_encoding=encoding,
        )
    )


@given(
    key=json_values | st.just("k"),
    events=json_values | st.lists(json_values, max_size=4),
    options=json_values,
    time=json_values | st.datetimes().map(str),
    path=paths,
)
def test_any_json_is_answered(key: Any, events: Any, options: Any, time: Any, path: str) -> None:
    """Whatever JSON comes, with lone surrogates and numbers of any size, as a body or as a form."""
    body = json.dumps({"api_key": key, "events": events, "options": options, "client_upload_time": time})
    judged(post(body.encode(), path))
    judged(
        form(
            path,
            client=json.dumps(key),
            api_key="k",
            e=events,
            identification=events,
            upload_time=json.dumps(time),
        )
    )


@settings(max_examples=examples(25))
@given(cut=st.integers(0, 400), swap=st.integers(0, 400), byte=st.integers(0, 255))
def test_broken_gzip_is_answered(cut: int, swap: int, byte: int) -> None:
    """Cut off anywhere, and with any byte changed."""
    raw = bytearray(gzip.compress(json.dumps(upload(EVENT, EVENT)).encode()))
    raw[swap % len(raw)] = byte
    judged(post(bytes(raw[: cut % (len(raw) + 1)]), content_encoding="gzip"))
