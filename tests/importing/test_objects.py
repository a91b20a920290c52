"""Objects as files hold them: reached into whether they are objects, their text, or keys with values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._importing.columns import Columns
from antinode._importing.errors import LeftOut, Unmappable
from antinode._importing.mapper import Mapper
from antinode._importing.objects import as_object, dig

PROPERTIES = {"title": "Blue", "seconds": 337, "deep": {"er": {"est": 1}}}
WAYS: dict[str, Any] = {
    "object": PROPERTIES,
    "text": json.dumps(PROPERTIES),
    "python": repr(PROPERTIES),
    "entries": [{"key": key, "value": value} for key, value in PROPERTIES.items()],
    "entries as text": json.dumps([{"key": key, "value": value} for key, value in PROPERTIES.items()]),
    "names": [{"name": key, "value": value} for key, value in PROPERTIES.items()],
}


def mapped(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    columns = Columns(fields={"event_type": "what", "user_id": "who", **more.pop("fields", {})}, **more)
    event = Mapper(columns).to_event({"what": "A", "who": "user-1", **row})
    return event.get("event_properties", {})


@pytest.mark.parametrize("held", WAYS.values(), ids=WAYS)
def test_every_way_to_hold_an_object_is_reached_into(held: Any) -> None:
    """By a name, by a pattern, however deep."""
    assert as_object(held) == PROPERTIES
    assert mapped({"p": held}, properties=("p.*",)) == PROPERTIES
    assert mapped({"p": held}, properties=("p.title", "n=p.deep.er.est")) == {"title": "Blue", "n": 1}
    assert mapped({"p": held}, properties=("p.sec*",)) == {"onds": 337}
    assert mapped({"p": held}, properties=("p.deep.er.*",)) == {"est": 1}
    assert mapped({"a": {"p": held}}, properties=("a.p.*",)) == PROPERTIES
    assert mapped({"a": {"p": held}}, properties=("a.p.t?tle",)) == {"title": "Blue"}


def test_what_is_used_otherwise_is_not_spread() -> None:
    """As with columns: `*` takes the keys of an object that nothing else names."""
    row = {"properties": {"time": 1_700_000_000, "distinct_id": "user-2", "$insert_id": "x", "plan": "pro"}}
    fields = {
        "time": "properties.time",
        "insert_id": "properties.$insert_id",
        "user_id": "properties.distinct_id",
    }
    assert mapped(row, fields=fields, properties=("properties.*",)) == {"plan": "pro"}
    assert mapped({"p": {"a": 1}, "b": 2}, properties=("p.*", "*")) == {"a": 1, "b": 2}


def test_of_a_value_with_a_field_for_each_type_the_one_that_is_set() -> None:
    """As BigQuery exports the parameters of an event; its whole numbers are text."""
    entries = [
        {"key": "currency", "value": {"string_value": "EUR", "int_value": None, "double_value": None}},
        {"key": "session", "value": {"string_value": None, "int_value": "1714557000"}},
        {"key": "big", "value": {"int_value": "9223372036854775807"}},
        {"key": "sum", "value": {"double_value": 12.5}},
        {"key": "plan", "value": {"string_value": "12", "set_timestamp_micros": "1714557600123456"}},
        {"key": "none", "value": {"string_value": None, "int_value": None}},
    ]
    assert mapped({"event_params": entries}, properties=("event_params.*",)) == {
        "currency": "EUR",
        "session": 1_714_557_000,
        "big": 9_223_372_036_854_775_807,
        "sum": 12.5,
        "plan": "12",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "[]x",
        "{'a'}",
        "text",
        "[{'key': 1, 'value': 2}]",
        "{'a': " + "-" * 9_000 + "1}",
        "{" * 5000,
    ],
)
def test_what_is_no_object_is_none(text: str) -> None:
    """And costs nothing but that."""
    assert as_object(text) is None
    assert mapped({"p": text}, properties=("p.*",)) == {}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
def test_any_value_can_be_dug_into(value: Any) -> None:
    """Whatever lies there."""
    row = {"a": value}
    assert dig(row, ("a",)) == value
    assert dig(row, ("a", "nowhere at all", "0")) is None
    held = as_object(json.dumps(value))
    if isinstance(value, dict):
        assert held == value


def test_arrays_are_counted_from_zero() -> None:
    """A step that is a number is a place in an array."""
    assert mapped(
        {"items": [{"id": "a"}, {"id": "b"}]}, properties=("item=items.1.id", "none=items.7.id")
    ) == {"item": "b"}


def test_what_met_nothing_is_known() -> None:
    """Columns and patterns that no row has had, as they were written."""
    mapper = Mapper(
        Columns(
            fields={"event_type": "what", "user_id": "who", "insert_id": "orderid"},
            properties=("song_*", "props.x_*", "t=title", "*"),
            groups={"org": "o"},
        )
    )
    mapper.to_event({"what": "A", "who": "user-1", "props": '{"y": 1}'})
    assert [each.label for each in mapper.unmatched] == [
        "--insert-id orderid",
        "--properties 'song_*'",
        "--properties 'props.x_*'",
        "--properties t=title",
        "--group org=o",
    ]
    mapper.to_event(
        {"what": "A", "who": "user-1", "props": '{"x_1": 1}', "o": None, "title": "", "song_1": 1}
    )
    assert [each.label for each in mapper.unmatched] == ["--insert-id orderid"]


def test_an_object_in_words_may_be_text() -> None:
    """Rows in Amplitude's own words, as a warehouse gives them back."""
    row = {"event_type": "A", "user_id": "user-1", "time": 1_700_000_000_000, "event_properties": '{"a": 1}'}
    assert Mapper(Columns()).to_event(row)["event_properties"] == {"a": 1}
    with pytest.raises(Unmappable, match="is to hold an object"):
        Mapper(Columns()).to_event({**row, "event_properties": "{a"}, has_cells=True)


# Conditions.


@pytest.mark.parametrize(
    ("where", "is_wanted"),
    [
        ("type=track", True),
        ("type=identify,track", True),
        ("type!=track", False),
        ("type=tr*", True),
        ("context.app.name=shop", True),
        ("context.app.name=", False),
        ("nothing=", True),
        ("nothing!=", False),
        ("count=3", True),
        ("ok=true", True),
        ("text=a=b", True),
    ],
)
def test_conditions(where: str, is_wanted: bool) -> None:
    """Equal or not, one of several, a pattern, within an object; what is not there is empty."""
    row = {
        "type": "track",
        "context": '{"app": {"name": "shop"}}',
        "count": 3,
        "ok": True,
        "text": "a=b",
        "what": "A",
        "who": "user-1",
    }
    mapper = Mapper(Columns(fields={"event_type": "what", "user_id": "who"}, where=(where,)))
    if is_wanted:
        assert mapper.to_event(row)["event_type"] == "A"
    else:
        with pytest.raises(LeftOut):
            mapper.to_event(row)
