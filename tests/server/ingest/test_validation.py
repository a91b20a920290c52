from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._protocol import exact
from antinode._protocol.fields import FIELDS, FieldKind
from antinode._protocol.objections import problems
from antinode.server.ingest.parsing import IngestApi, RequestReading, read
from antinode.server.ingest.requests import Received
from antinode.server.ingest.responses import Refusal
from antinode.server.ingest.validation import Checked, check
from antinode.server.rules import Rules
from tests.vectors import Vector, load

GOOD: dict[str, Any] = {
    "user_id": "user-20391",
    "device_id": "device-aaaa-0001",
    "event_type": "Song Played",
    "time": 1793817970000,
    "insert_id": "ins-0001",
    "event_properties": {"title": "Blue in Green", "seconds": 337, "tags": ["a", {"b": None}]},
}


def reading(
    *events: Any, api: IngestApi = IngestApi.HTTP_V2, min_id_length: int | None = None
) -> RequestReading:
    options = {} if min_id_length is None else {"min_id_length": min_id_length}
    body = json.dumps({"api_key": "k", "events": list(events), "options": options}).encode()
    found = read(Received(method="POST", path="/batch", body=body), Rules())
    assert isinstance(found, RequestReading), found
    return RequestReading(api, "k", found.events, found.texts, found.min_id_length, None, len(body))


def checked(*events: Any, **more: Any) -> Checked:
    rules = more.pop("rules", Rules())
    found = check(reading(*events, **more), rules)
    assert isinstance(found, Checked), found
    return found


def refused(*events: Any, **more: Any) -> Refusal:
    rules = more.pop("rules", Rules())
    found = check(reading(*events, **more), rules)
    assert isinstance(found, Refusal), found
    return found


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7", ""])
@pytest.mark.parametrize("more", [{}, {"user_properties": {"a": 1}}, {"carrier": ""}, {"user_id": 1234567}])
def test_remote_is_the_address_that_the_request_came_from(address: str, more: dict[str, Any]) -> None:
    """`ip: "$remote"` is applied as that address, and as none if it is not known; any other is as sent."""
    events = [{**GOOD, "ip": "$remote", **more}, {**GOOD, "ip": "198.51.100.9", **more}, {**GOOD, **more}]
    given = copy.deepcopy(events)
    found = check(dataclasses.replace(reading(*events), address=address), Rules())
    assert isinstance(found, Checked)
    assert [each.get("ip") for each in found.kept] == [address or None, "198.51.100.9", None]
    assert "ip" not in found.kept[0] or address
    assert found.reading.events == given


def kept(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return checked(event, **more).kept[0]


def codes(event: dict[str, Any], **more: Any) -> list[str]:
    """The codes of the warnings about one event that is accepted."""
    found = checked(event, **more).problems.get(0, [])
    assert all(each.severity == "warning" for each in found)
    return [each.code for each in found]


def test_a_good_event_is_kept_as_it_is() -> None:
    """The very same object, without a warning."""
    one = reading(GOOD, {**GOOD, "insert_id": "ins-0002"})
    found = check(one, Rules())
    assert isinstance(found, Checked)
    assert found.kept is one.events
    assert found.problems == {}


@pytest.mark.parametrize(
    ("changes", "applied"),
    [
        ({"user_id": 123456}, {"user_id": "123456"}),
        ({"user_id": 123456.0}, {"user_id": "123456"}),
        ({"app_version": 2.5}, {"app_version": "2.5"}),
        ({"session_id": 5.0}, {"session_id": 5}),
        ({"carrier": "", "city": None}, {}),
        ({"event_properties": None}, {"event_properties": None}),
        ({"event_properties": {"a": None, "b": ""}}, {"event_properties": {"a": None, "b": ""}}),
        ({"event_type": "x" * 2000}, {"event_type": "x" * 1024}),
        ({"event_properties": {"a": ["x" * 1025]}}, {"event_properties": {"a": ["x" * 1024]}}),
        ({"user_agent": "x" * 2000}, {"user_agent": "x" * 2000}),
        ({"unknown": "x" * 2000}, {"unknown": "x" * 2000}),
    ],
)
def test_an_event_is_applied_in_one_form(changes: dict[str, Any], applied: dict[str, Any]) -> None:
    """Ids are text, whole numbers are ints, long texts are cut, and what is empty is left out."""
    event = {**GOOD, **changes}
    before = copy.deepcopy(event)
    expected = {key: value for key, value in {**GOOD, **applied}.items() if value is not None}
    assert kept(event) == expected
    assert event == before


def test_the_reading_is_not_changed() -> None:
    """What came stays what it was, where what is applied differs."""
    one = reading({**GOOD, "user_id": 123456, "event_properties": {"a": "x" * 1025}})
    before = copy.deepcopy(one.events)
    found = check(one, Rules())
    assert isinstance(found, Checked)
    assert one.events == before
    assert found.kept != before


def test_what_is_nested_too_deep_to_be_applied_is_left_out() -> None:
    """Outside the properties, whose depth is checked, nobody needs it."""
    nest: Any = 1
    for _ in range(60):
        nest = [nest]
    found = codes({**GOOD, "something": nest, "plan": {"a": nest}})
    assert found == ["unknown_key", "nested_too_deep", "nested_too_deep"]
    assert kept({**GOOD, "something": nest, "plan": {"a": nest}}) == GOOD
    assert refused({**GOOD, "event_properties": {"a": nest}}).status == 400


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        (
            {"event_type": None},
            "Request missing required field",
            {"events_with_missing_fields": "event_type"},
        ),
        (
            {"user_id": None, "device_id": ""},
            "Request missing required field",
            {"events_with_missing_fields": "device_id"},
        ),
        ({"time": "x"}, "Invalid field values on some events", {"events_with_invalid_fields": "time"}),
        ({"time": 2**63}, "Invalid field values on some events", {"events_with_invalid_fields": "time"}),
        (
            {"event_type": " "},
            "Invalid field values on some events",
            {"events_with_invalid_fields": "event_type"},
        ),
        ({"price": True}, "Invalid field values on some events", {"events_with_invalid_fields": "price"}),
        (
            {"user_id": " Unknown "},
            "Invalid field values on some events",
            {"events_with_invalid_fields": "user_id"},
        ),
        (
            {"device_id": "abcd"},
            "Invalid id length for user_id or device_id",
            {"events_with_invalid_id_lengths": "device_id"},
        ),
    ],
)
def test_an_event_at_fault_is_named(changes: dict[str, Any], error: str, named: dict[str, str]) -> None:
    """By its position, under its field, in the map of the stage that it fails; with a reason in words."""
    refusal = refused(GOOD, {**GOOD, **changes})
    ((key, field),) = named.items()
    assert refusal.body == {"code": 400, "error": error, key: {field: [1]}}
    assert [(reason.severity, reason.field) for reason in refusal.reasons[1]] == [("error", field)]
    assert refusal.outcome == "rejected"


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({**GOOD, "event_type": None}, "missing_event_type"),
        ({"event_type": "t"}, "missing_id"),
        ({**GOOD, "time": "x"}, "invalid_time"),
        ({**GOOD, "user_id": "abcd"}, "short_user_id"),
        ({**GOOD, "$skip_user_properties_sync": 1}, "invalid_skip_user_properties_sync"),
    ],
)
def test_a_reason_is_counted_under_what_is_wrong(event: dict[str, Any], code: str) -> None:
    """Missing, invalid or short, and the field."""
    assert [reason.code for reason in refused(event).reasons[0]] == [code]


def test_every_event_at_fault_has_its_reasons() -> None:
    """Also those that fail a later stage than the one that answers; the good ones have none."""
    refusal = refused({**GOOD, "time": "x"}, GOOD, {**GOOD, "event_type": None, "user_id": "2"})
    assert refusal.body == {
        "code": 400,
        "error": "Request missing required field",
        "events_with_missing_fields": {"event_type": [2]},
    }
    assert {at: [each.code for each in found] for at, found in refusal.reasons.items()} == {
        0: ["invalid_time"],
        2: ["missing_event_type", "short_user_id"],
    }


@pytest.mark.parametrize(
    ("api", "mode", "named"),
    [
        (IngestApi.HTTP_V2, None, {"time": [1], "groups": [2]}),
        (IngestApi.BATCH, None, {"time": [1, 2], "groups": [2, 3]}),
        (IngestApi.HTTP_V2, "all", {"time": [1, 2], "groups": [2, 3]}),
        (IngestApi.BATCH, "first_per_field", {"time": [1], "groups": [2]}),
        (IngestApi.BATCH, "first_event_only", {"time": [1]}),
    ],
)
def test_which_events_an_answer_names(api: IngestApi, mode: Any, named: dict[str, list[int]]) -> None:
    """HTTP V2 names the first of each field and Batch all of them, unless the rules say otherwise."""
    bad: list[dict[str, Any]] = [{"time": "x"}, {"time": "x", "groups": []}, {"groups": []}]
    events = [GOOD, *({**GOOD, **each} for each in bad)]
    refusal = refused(*events, api=api, rules=Rules(error_indices=mode))
    assert isinstance(refusal.body, dict)
    assert refusal.body["events_with_invalid_fields"] == named
    assert list(refusal.reasons) == [1, 2, 3]


@pytest.mark.parametrize("api", [IngestApi.IDENTIFY, IngestApi.LEGACY])
def test_apis_that_answer_in_text_name_fields_only(api: IngestApi) -> None:
    """In one line."""
    refusal = refused({**GOOD, "event_id": "x", "time": "y"}, api=api)
    assert refusal.body == "invalid_event_field. Invalid fields [time, event_id]"


def test_the_shortest_id_is_the_requests() -> None:
    """Higher or lower than the default."""
    assert kept({**GOOD, "user_id": "7"}, min_id_length=1)["user_id"] == "7"
    assert refused(GOOD, min_id_length=11).error == "Invalid id length for user_id or device_id"


def test_short_ids_are_taken_off_where_the_rules_say_so() -> None:
    """The event is kept under its other id; without one it is refused, and its reasons tell why."""
    rules = Rules(short_id_policy="strip")
    assert kept({**GOOD, "user_id": "2"}, rules=rules) == {k: v for k, v in GOOD.items() if k != "user_id"}
    assert codes({**GOOD, "user_id": 2}, rules=rules) == ["short_user_id_removed"]
    refusal = refused({**GOOD, "user_id": "2", "device_id": "3"}, rules=rules)
    assert refusal.error == "Request missing required field"
    assert [reason.code for reason in refusal.reasons[0]] == [
        "missing_id",
        "short_user_id_removed",
        "short_device_id_removed",
    ]


def test_a_group_identify_needs_no_id() -> None:
    """Most SDKs send none."""
    event = {
        "event_type": "$groupidentify",
        "time": 1793817970000,
        "insert_id": "i",
        "groups": {"org": "15"},
        "group_properties": {"$set": {"a": 1}},
    }
    assert codes(event) == []


def test_the_warnings_about_one_event_are_bounded() -> None:
    """However many odd keys it has."""
    odd = {f"${number}": 1 for number in range(5000)}
    misspelt = {"_" * number + "userId": 1 for number in range(1, 500)}
    assert len(codes({**GOOD, "user_properties": odd})) == 20
    assert len(codes({**GOOD, **misspelt})) == 20


def test_what_was_changed_is_told() -> None:
    """A number as an id, and a text that was cut, with where it is."""
    event = {**GOOD, "user_id": 123456, "event_properties": {"a": {"b": ["x" * 1025]}}}
    by_code = {each.code: each.message for each in checked(event).problems[0]}
    assert by_code.keys() == {"user_id_is_number", "truncated"}
    assert "event_properties.a.b[0]" in by_code["truncated"]


IN_PROCESS = [
    vector
    for vector in load("server")
    if vector["endpoint"] in ("POST /2/httpapi", "POST /batch")
    and vector["area"] in ("fields", "ids", "limits", "time", "batch", "identify", "groups", "revenue")
    and "request_body" in vector
    and vector["expected_status"] in (200, 400)
]


@pytest.mark.parametrize("vector", IN_PROCESS, ids=lambda vector: vector["name"])
def test_vectors(vector: Vector) -> None:
    """What the reference expects of single requests is what reading and checking answer."""
    body = json.dumps(vector["request_body"]).encode()
    rules = Rules(**vector.get("config", {}))
    found: Any = read(Received(method="POST", path=vector["endpoint"].split()[1], body=body), rules)
    found = check(found, rules) if isinstance(found, RequestReading) else found
    assert vector["expected_status"] == (found.status if isinstance(found, Refusal) else 200)
    for key, value in vector.get("expected_response", {}).items():
        if isinstance(found, Refusal) and value not in ("@any", "@nonempty"):
            assert found.body[key] == value


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "unknown", " null ", "user-20391", "2", "x" * 1025, "[Amplitude] Revenue", "EUR"])
    | st.text(max_size=6)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3) | st.sampled_from(["$set", "$add", "$boom", "a"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
fitting = {
    FieldKind.STRING: st.sampled_from(
        ["user-20391", "unknown", "abc", "", " ", "$identify", "$groupidentify"]
    ),
    FieldKind.INTEGER: st.integers(-(2**64), 2**64) | st.floats(allow_nan=False, allow_infinity=False),
    FieldKind.NUMBER: st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    FieldKind.BOOLEAN: st.booleans(),
    FieldKind.OBJECT: st.dictionaries(
        st.text(max_size=3) | st.sampled_from(["$set", "$add"]), values, max_size=3
    ),
    FieldKind.ANY: values,
}
keys = st.sampled_from([*FIELDS, "userId", "something"])
events = st.dictionaries(keys, values, max_size=8) | st.fixed_dictionaries(
    {"event_type": st.sampled_from(["t", "$identify", "$groupidentify", "revenue_amount"])},
    optional={name: fitting[kind] | st.none() for name, kind in FIELDS.items() if name != "event_type"},
)


@given(
    st.lists(events, max_size=4),
    st.sampled_from(IngestApi),
    st.integers(0, 12),
    st.sampled_from(["strip", "reject"]),
)
def test_events_pass_exactly_if_the_protocols_rules_object_to_none(
    sent: list[dict[str, Any]], api: IngestApi, shortest: int, policy: Any
) -> None:
    """Whatever they hold: nothing is raised, what came is not changed, and what is kept can be encoded."""
    one = reading(*sent, api=api, min_id_length=shortest)
    before = copy.deepcopy(one.events)
    found = check(one, Rules(short_id_policy=policy))
    assert one.events == before
    if policy == "reject":
        wrong = {at for at, event in enumerate(one.events) if problems(event, shortest)}
        assert wrong == (set(found.reasons) if isinstance(found, Refusal) else set())
    if isinstance(found, Checked):
        assert len(found.kept) == len(before)
        for event in found.kept:
            exact.dumps(event)
            assert not problems(event, shortest)
            assert all(isinstance(event.get(key, ""), str) for key in ("user_id", "device_id", "event_type"))
    else:
        assert found.answer().status == 400


@given(st.lists(events, min_size=1, max_size=4))
def test_what_is_kept_needs_no_more_mending(sent: list[dict[str, Any]]) -> None:
    """An event in the form in which it is applied stays in it."""
    found = check(reading(*sent), Rules())
    if isinstance(found, Checked):
        again = check(reading(*found.kept), Rules())
        assert isinstance(again, Checked)
        assert again.kept == found.kept
