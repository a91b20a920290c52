"""One event against the API's rules."""

from __future__ import annotations

import copy
import math
import time
import uuid
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._protocol.fields import FIELDS, OPERATIONS, RESERVED_EVENT_TYPES
from antinode._protocol.objections import problems
from antinode._protocol.repair import repair
from antinode._protocol.validation import Examined, examine
from tests.protocol.test_values import VALUES, Hostile, Liar, Scalar, itself, nest

NOW = 1793817970000
GOOD = {"event_type": "Song Played", "user_id": "datamonster@gmail.com"}


def examined(event: Any, **more: Any) -> Examined:
    return examine(event, **{"min_id_length": 5, **more}, now_ms=NOW)


def kinds(found: Examined) -> list[tuple[str, str]]:
    return [(problem.field, problem.kind) for problem in found.problems]


def test_a_good_event_stays_as_it_is() -> None:
    """An event without fault comes back equal, as a new dict, without notes."""
    event = {**GOOD, "time": NOW, "event_properties": {"title": "Blue in Green", "seconds": 337}}
    found = examined(event)
    assert found == Examined(event, (), ())
    assert found.event is not event
    assert found.event["event_properties"] is not event["event_properties"]


@pytest.mark.parametrize(
    ("given_event", "expected"),
    [
        ({}, [("event_type", "missing"), ("device_id", "missing")]),
        ({"event_type": "t", "user_id": None, "device_id": ""}, [("device_id", "missing")]),
        ({"event_type": "", "user_id": "user-1"}, [("event_type", "invalid")]),
        ({"event_type": " \t", "user_id": "user-1"}, [("event_type", "invalid")]),
        ({"event_type": "[Amplitude] Revenue", "user_id": "user-1"}, [("event_type", "invalid")]),
        ({"event_type": "[Amplitude] Page Viewed", "user_id": "user-1"}, []),
        ({"event_type": "t", "user_id": "1234"}, [("user_id", "id_length")]),
        (
            {"event_type": "t", "user_id": 1, "device_id": "x"},
            [("user_id", "id_length"), ("device_id", "id_length")],
        ),
        ({"event_type": "t", "user_id": "na"}, [("user_id", "id_length")]),
        ({"event_type": "t", "device_id": "LMY47D"}, [("device_id", "invalid")]),
        (
            {"event_type": "t", "user_id": "anonymous", "device_id": "x"},
            [("user_id", "invalid"), ("device_id", "id_length")],
        ),
        ({"event_type": "t", "user_id": True}, [("user_id", "invalid")]),
        ({"event_type": "t", "user_id": ["user-1"]}, [("user_id", "invalid")]),
        ({"event_type": "t", "user_id": object()}, [("user_id", "invalid")]),
        ({"event_type": object(), "user_id": "user-1"}, [("event_type", "invalid")]),
        ({"event_type": "$identify"}, [("device_id", "missing")]),
        ({"event_type": "$groupidentify", "groups": {"org": "15"}}, []),
        ({**GOOD, "time": "yesterday"}, [("time", "invalid")]),
        ({**GOOD, "time": True}, [("time", "invalid")]),
        ({**GOOD, "time": 10**30}, [("time", "invalid")]),
        ({**GOOD, "price": "twelve"}, [("price", "invalid")]),
        ({**GOOD, "price": False}, [("price", "invalid")]),
        ({**GOOD, "quantity": 1.5}, [("quantity", "invalid")]),
        ({**GOOD, "event_properties": [1]}, [("event_properties", "invalid")]),
        ({**GOOD, "groups": "org"}, [("groups", "invalid")]),
        ({**GOOD, "plan": "v1"}, [("plan", "invalid")]),
        ({**GOOD, "carrier": {}}, [("carrier", "invalid")]),
        ({**GOOD, "$skip_user_properties_sync": 1}, [("$skip_user_properties_sync", "invalid")]),
        ({**GOOD, "event_properties": Hostile()}, [("event_properties", "invalid")]),
        ({**GOOD, "mine": Liar()}, [("mine", "invalid")]),
        ([1], [("event", "invalid")]),
        (None, [("event", "invalid")]),
        (Hostile(), [("event", "invalid")]),
    ],
    ids=range(33),
)
def test_each_fault_is_named_with_its_kind(given_event: Any, expected: list[tuple[str, str]]) -> None:
    """A fault is reported once, under the field and the kind the server would report it with."""
    found = examined(given_event)
    assert kinds(found) == expected
    for problem in found.problems:
        assert problem.field in str(problem)
        assert len(str(problem)) < 250
    orjson.dumps(found.event)


def test_a_message_says_what_to_write() -> None:
    """A problem's message holds the field, the value and the remedy."""
    found = examined({**GOOD, "price": "twelve"}).problems
    assert str(found[0]) == (
        "`price` must be a number, not the str 'twelve': write an int or a float, without quotes"
    )


@pytest.mark.parametrize("field", ["event_properties", "user_properties", "groups", "plan"])
def test_json_text_is_taken_as_the_object_in_it(field: str) -> None:
    """Properties that were dumped too early are not lost; a text that holds no object still is."""
    found = examined({**GOOD, field: '{"a": "b"}'}, leaves_out=True)
    assert found.event[field] == {"a": "b"}
    assert "was JSON text" in found.notes[0]
    for text in ('{"a": ', "[1]", "{" * 100_000, "a=1"):
        assert field not in examined({**GOOD, field: text}, leaves_out=True).event


@pytest.mark.parametrize("day", [date(2026, 11, 1), "2026-11-01"])
def test_a_date_is_its_start(day: object) -> None:
    """Of the machine's time zone, as for a datetime that names none; the event is not dated today."""
    found = examined({**GOOD, "time": day})
    assert found.event["time"] == datetime(2026, 11, 1).astimezone().timestamp() * 1000
    assert found.notes


@pytest.mark.parametrize(
    ("event", "remedy"),
    [
        ({"event": "Played", "user_id": "user-20391"}, "write `event_type` in the place of `event`"),
        ({"event_type": "Played", "userId": "user-20391"}, "write `user_id` in the place of `userId`"),
        ({"event_type": "Played", "distinct_id": "u-20391"}, "write `user_id` in the place of `distinct_id`"),
        (
            {"event_type": "Played", "anonymousId": "u-20391"},
            "write `device_id` in the place of `anonymousId`",
        ),
    ],
)
def test_a_refusal_names_the_key_that_was_meant(event: dict[str, str], remedy: str) -> None:
    """Habits from other services lead to a missing key: which one it is called here, is said."""
    (problem,) = examined(event).problems
    assert str(problem).endswith(remedy)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time", "yesterday"),
        ("price", object()),
        ("price", "twelve"),
        ("quantity", 1.5),
        ("session_id", {}),
        ("event_properties", [1]),
        ("event_properties", Hostile()),
        ("groups", "org"),
        ("plan", "v1"),
        ("carrier", {}),
        ("insert_id", 1e300),
        ("insert_id", object()),
        ("mine", Liar()),
    ],
    ids=range(13),
)
def test_a_bad_field_costs_only_itself(field: str, value: Any) -> None:
    """Where fields may go, all is sent but the bad one, and a note says which, and why."""
    found = examined({**GOOD, "platform": "Web", field: value}, leaves_out=True)
    assert not found.problems
    assert found.event == {**GOOD, "platform": "Web"}
    note = found.notes[-1]
    assert f"`{field}`" in note
    assert "goes without it" in note
    assert note.objection


@pytest.mark.parametrize("field", ["event_type", "user_id", "device_id"])
def test_only_ids_and_event_types_refuse(field: str) -> None:
    """What is no id or type refuses the event even where other fields may go."""
    event = {**GOOD, "device_id": "device-1", field: object()}
    assert kinds(examined(event, leaves_out=True)) == [(field, "invalid")]


def test_a_bad_value_costs_only_itself() -> None:
    """A property that has no JSON form is left out by its path; the event, and all beside it, stay."""
    event = {
        **GOOD,
        "event_properties": {"title": "So What", "lock": object(), "cart": [{"sku": "x", "price": object()}]},
        "user_properties": {"$set": {"plan": "pro", "self": itself()}},
        ("a",): 1,
    }
    found = examined(event)
    assert found.event == {
        **GOOD,
        "event_properties": {"title": "So What", "cart": [{"sku": "x"}]},
        "user_properties": {"$set": {"plan": "pro", "self": [1, {}]}},
    }
    assert not found.problems
    told = "; ".join(found.notes)
    for path in (
        "`event_properties.lock`",
        "`event_properties.cart[0].price`",
        "`user_properties.$set.self[1].again`",
        "a tuple as a key",
    ):
        assert path in told
    assert all(note.objection for note in found.notes)


def test_many_properties_are_sent() -> None:
    """Amplitude documents no limit on their number, so that more than SDKs send cost nothing but a note."""
    many = {str(i): i for i in range(1025)}
    for properties in (many, {"$set": many}):
        found = examined({**GOOD, "user_properties": properties})
        assert found.event["user_properties"] == properties
        assert not found.problems
        assert "1,025 properties" in found.notes[0]
    assert not examined({**GOOD, "event_properties": {str(i): i for i in range(1024)}}).notes


@pytest.mark.parametrize(
    ("given_time", "milliseconds"),
    [
        ("2026-11-04T18:46:10Z", 1793817970000),
        ("2026-11-04T19:46:10.250+01:00", 1793817970250),
        (str(NOW), NOW),
        (str(NOW // 1000), NOW),
    ],
)
def test_a_time_as_text_is_read(given_time: str, milliseconds: int) -> None:
    """ISO 8601, as other SDKs take it, and digits become milliseconds, and its author is told."""
    found = examined({**GOOD, "time": given_time})
    assert found.event["time"] == milliseconds
    assert "is text" in found.notes[0]
    assert not found.problems


@pytest.mark.parametrize(
    ("field", "value", "number"), [("price", "19.99", 19.99), ("quantity", "2", 2), ("event_id", "7", 7)]
)
def test_a_number_as_text_is_read(field: str, value: str, number: float) -> None:
    """Digits in a field of numbers are sent as what they spell, and its author is told."""
    found = examined({**GOOD, field: value})
    assert found.event[field] == number
    assert "was text" in found.notes[0]
    assert not found.problems


def test_unknown_keys_are_kept_and_told() -> None:
    """A key that is not Amplitude's stays, made safe, and is told, with the one that was meant."""
    found = examined({**GOOD, "mine": {1, 2}, "userId": "x"})
    assert found.event["mine"] == [1, 2]
    assert found.event["userId"] == "x"
    assert found.notes == (
        "`mine` is no key of an event and is ignored by Amplitude: write it into `event_properties`",
        "`userId` is no key of an event and is ignored by Amplitude: write `user_id`",
    )
    assert all(note.objection and not note.is_change for note in found.notes)
    assert not found.problems


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (123456, "123456"),
        (123456.0, "123456"),
        (Decimal(123456), "123456"),
        (Scalar(123456), "123456"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (b"user-1", "user-1"),
    ],
)
def test_numbers_and_uuids_serve_as_ids(value: Any, text: str) -> None:
    """An id that is a number or has a text of its own becomes that text."""
    for name in ("user_id", "device_id", "insert_id"):
        found = examined({"event_type": "t", "user_id": "user-20391", name: value})
        assert found.event[name] == text
        assert not found.problems


@pytest.mark.parametrize("bad", ["2", 2, "anonymous", "none", "  "])
@pytest.mark.parametrize(("name", "other"), [("user_id", "device_id"), ("device_id", "user_id")])
def test_one_bad_id_beside_a_good_one_is_left_out(bad: Any, name: str, other: str) -> None:
    """A short or invalid id costs the event nothing but that id, and is noted."""
    found = examined({"event_type": "t", name: bad, other: "good-id-1"})
    assert found.event == {"event_type": "t", other: "good-id-1"}
    assert not found.problems
    assert len(found.notes) == 1
    assert f"`{name}`" in found.notes[0]


def test_a_group_identify_needs_no_id() -> None:
    """A bad id on `$groupidentify` is left out, since none is needed."""
    found = examined({"event_type": "$groupidentify", "user_id": "2"})
    assert found.event == {"event_type": "$groupidentify"}
    assert not found.problems


def test_the_minimum_length_is_the_requests() -> None:
    """`min_id_length` replaces the default of five."""
    assert not examined({"event_type": "t", "user_id": "7"}, min_id_length=1).problems
    assert kinds(examined(GOOD | {"user_id": "12345678"}, min_id_length=10)) == [("user_id", "id_length")]


@pytest.mark.parametrize("nothing", [None, math.nan, -math.inf, Decimal("NaN")])
def test_what_holds_no_value_is_absent(nothing: Any) -> None:
    """None and NaN leave a field out, as an id, a time or a price."""
    found = examined(
        {**GOOD, "device_id": nothing, "time": nothing, "price": nothing, "event_properties": nothing}
    )
    assert found.event == GOOD
    assert not found.problems


@pytest.mark.parametrize(
    ("value", "milliseconds", "noted"),
    [
        (NOW, NOW, False),
        (float(NOW), NOW, False),
        (NOW + 0.5, NOW, True),
        (NOW / 1000, NOW, True),
        (NOW // 1000, NOW, True),
        (NOW * 1000, NOW, True),
        (NOW * 1_000_000 + 999_999, NOW, True),
        (1, 1000, True),
        (0, 0, False),
        (-1, -1, False),
        (10**11, 10**11, False),
        (Decimal(NOW), NOW, False),
        (Scalar(NOW), NOW, False),
        (datetime.fromtimestamp(NOW / 1000, timezone.utc), NOW, False),
        (datetime.fromtimestamp(NOW / 1000, timezone(timedelta(hours=-5))), NOW, False),
        (datetime.fromtimestamp(NOW / 1000), NOW, True),
        (datetime(1969, 12, 31, 23, 59, 59, 999_900, tzinfo=timezone.utc), -1, False),
        (NOW + 86_400_001, NOW + 86_400_001, True),
    ],
)
def test_time_becomes_whole_milliseconds(value: Any, milliseconds: int, noted: bool) -> None:
    """Datetimes, seconds, microseconds and nanoseconds become milliseconds; a guess is noted."""
    found = examined({**GOOD, "time": value})
    assert found.event["time"] == milliseconds
    assert type(found.event["time"]) is int
    assert bool(found.notes) == noted
    assert not found.problems


@settings(deadline=None)
@given(st.datetimes(timezones=st.timezones()))
def test_an_aware_datetime_is_exact(moment: datetime) -> None:
    """An aware datetime gives its instant, rounded down to the millisecond, in every zone and year."""
    found = examined({**GOOD, "time": moment})
    if found.problems:  # an instant outside the years that datetime can hold in UTC
        assert moment.year in (1, 9999)
        return
    instant = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=found.event["time"])
    assert timedelta(0) <= moment - instant < timedelta(milliseconds=1)


def test_numbers_fit_their_fields() -> None:
    """A whole float serves as an integer, a Decimal as a price, a number as a text."""
    event = {**GOOD, "quantity": 2.0, "price": Decimal("0.1000000000000000000001"), "app_version": 2.1}
    found = examined(event)
    assert found.event == {**GOOD, "quantity": 2, "price": 0.1, "app_version": "2.1"}
    assert type(found.event["quantity"]) is int
    assert not found.problems


def test_long_strings_are_cut_and_noted() -> None:
    """Strings over 1024 characters are cut in ids, in the event type and in properties."""
    event = {
        "event_type": "t" * 1025,
        "user_id": "u" * 2000,
        "event_properties": {"a": ["x" * 1025] * 5, "b": "y" * 1024},
    }
    found = examined(event)
    assert len(found.event["event_type"]) == len(found.event["user_id"]) == 1024
    assert [len(text) for text in found.event["event_properties"]["a"]] == [1024] * 5
    assert found.event["event_properties"]["b"] == "y" * 1024
    assert "`event_properties.a[0]`" in found.notes[2]
    assert "and 2 more cut" in found.notes[2]
    assert not found.problems


def test_a_long_insert_id_stays_unique() -> None:
    """Insert ids that differ only after 1024 characters still differ, and equal ones stay equal."""
    made = [examined({**GOOD, "insert_id": "x" * 2000 + end}).event["insert_id"] for end in "aab"]
    assert made[0] == made[1] != made[2]


def test_more_groups_than_are_tracked_are_noted() -> None:
    """Six group types, or eleven names, are sent as they are, with a note that the rest is ignored."""
    for groups in ({str(i): "x" for i in range(6)}, {"org": [str(i) for i in range(11)]}):
        found = examined({**GOOD, "groups": groups})
        assert found.event["groups"] == groups
        assert len(found.notes) == 1
        assert not found.problems
    assert not examined({**GOOD, "groups": {"org": [str(i) for i in range(10)]}}).notes


def test_problems_judges_as_the_server_would() -> None:
    """`problems` mends nothing: seconds pass, a fraction does not, a short id beside a good one counts."""
    assert not problems({**GOOD, "time": 1})
    assert [each.field for each in problems({**GOOD, "time": 1.5})] == ["time"]
    assert [each.kind for each in problems({**GOOD, "device_id": "x"})] == ["id_length"]
    assert not problems({**GOOD, "carrier": "", "price": None, "user_properties": nest(40)})
    assert [each.field for each in problems({**GOOD, "user_properties": nest(41)})] == ["user_properties"]


def test_reserved_names_are_exact() -> None:
    """Each reserved event type is refused; with other letters it is a name like any other."""
    for name in RESERVED_EVENT_TYPES:
        assert problems({**GOOD, "event_type": name})
        assert not problems({**GOOD, "event_type": name.lower()})


def test_any_mapping_is_an_event() -> None:
    """An event need not be a dict."""
    assert examined(MappingProxyType(GOOD)).event == GOOD


EVENTS = st.dictionaries(
    st.one_of(st.sampled_from([*FIELDS, *OPERATIONS, "userId"]), st.text(max_size=5), st.integers()),
    st.one_of(
        VALUES,
        st.sampled_from(["user-20391", "t", "$groupidentify", "na", "12", NOW, 1.5, {"a": "x" * 1100}]),
    ),
    max_size=8,
)
WHOLE = st.fixed_dictionaries(
    {"event_type": st.text(min_size=1), "user_id": st.text(min_size=5) | st.integers(10_000)},
    optional={"event_properties": st.dictionaries(st.text(), VALUES), "time": st.floats() | st.integers()},
)


@settings(deadline=None)
@given(st.one_of(EVENTS, WHOLE, VALUES), st.integers(0, 12))
def test_every_event_is_mended_or_refused(event: Any, min_id_length: int) -> None:
    """Nothing raises; what comes back is encodable and, without problems, stays without on a second look."""
    found = examine(event, min_id_length=min_id_length, now_ms=NOW)
    encoded = orjson.loads(orjson.dumps(found.event))
    assert all(problem.message and len(problem.message) < 300 for problem in found.problems)
    assert len({problem.field for problem in found.problems} - {"event"}) == len(
        [problem for problem in found.problems if problem.field != "event"]
    )
    if not found.problems:
        assert problems(encoded, min_id_length) == []
        again = examine(encoded, min_id_length=min_id_length, now_ms=NOW)
        assert again.problems == ()
    if isinstance(event, Mapping) and not isinstance(event, Hostile):
        assert repair(event, min_id_length, NOW).event == found.event


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.text(min_size=1).map(lambda text: text * 1100),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*FIELDS, "mine"]), PLAIN))
def test_the_event_given_is_never_changed(event: dict[str, Any]) -> None:
    """Whatever is mended, is mended in a copy."""
    before = copy.deepcopy(event)
    examined(event)
    assert event == before


def test_local_time_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A datetime without a time zone is taken as the machine's local time, as Python does."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        found = examined({**GOOD, "time": datetime(1970, 1, 2, 9, 0)})
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found.event["time"] == 86_400_000
