"""Mapping: which column becomes what, values and their types, times, and what is said about a bad mapping."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._importing.cells import typed
from antinode._importing.columns import Columns, read_mapping
from antinode._importing.errors import BadMapping, Unmappable
from antinode._importing.mapper import Mapper
from antinode._importing.readers.timestamps import time_reader

ROW = {
    "who": "user-1",
    "what": "Play",
    "at": 1_700_000_000,
    "prop_a": 1,
    "prop_b": "x",
    "other": None,
    "z": [1],
}


def mapped(row: dict[str, Any], *, cells: bool = False, **columns: Any) -> dict[str, Any]:
    fields = {"user_id": "who", "event_type": "what", **columns.pop("fields", {})}
    return Mapper(Columns(fields=fields, **columns)).to_event(row, has_cells=cells)


def test_events_in_amplitudes_words_are_taken_as_they_are() -> None:
    """Without columns, a row is the event, with `time` in milliseconds whichever unit it has."""
    event = {
        "event_type": "Play",
        "user_id": "user-1",
        "time": 1_700_000_000_000,
        "event_properties": {"a": 1},
    }
    assert Mapper(Columns()).to_event(dict(event)) == event
    assert Mapper(Columns()).to_event({**event, "time": "2023-11-14T22:13:20Z"}) == event
    assert Mapper(Columns()).to_event({**event, "time": 1_700_000_000}) == event


def test_properties_by_name_and_pattern() -> None:
    """A pattern's beginning is cut off, a name may be changed, and '*' takes what nothing else uses."""
    base = {"user_id": "user-1", "event_type": "Play"}
    assert mapped(ROW, properties=("prop_*",)) == {**base, "event_properties": {"a": 1, "b": "x"}}
    assert mapped(ROW, properties=("first=prop_a",)) == {**base, "event_properties": {"first": 1}}
    assert mapped(ROW, properties=("*",), fields={"time": "at"})["event_properties"] == {
        "prop_a": 1,
        "prop_b": "x",
        "z": [1],
    }
    assert mapped(ROW, user_properties=("prop_a",), properties=("prop_*",)) == {
        **base,
        "event_properties": {"b": "x"},
        "user_properties": {"prop_a": 1},
    }


def test_objects_within_rows_are_reached_by_dots() -> None:
    """`user.id` is a column of that name or, failing that, the key of an object."""
    row = {"user": {"id": 12345}, "what": "Play", "props": {"a": 1, "b": {"c": 2}}, "at.time": 1_700_000_000}
    event = mapped(
        row,
        fields={"user_id": "user.id", "time": "at.time"},
        properties=("props.*", "props.b.c"),
    )
    assert event == {
        "user_id": "12345",
        "event_type": "Play",
        "time": 1_700_000_000_000,
        "event_properties": {"a": 1, "b": {"c": 2}, "c": 2},
    }


def test_constants_and_groups() -> None:
    """A constant fills what the row leaves open, at the top or within properties; groups are text."""
    event = mapped(
        {"who": "user-1", "what": None, "org": 15, "src": "own"},
        groups={"company": "org"},
        properties=("source=src",),
        constants={"event_type": "Play", "event_properties.source": "archive", "event_properties.n": 1},
    )
    assert event == {
        "user_id": "user-1",
        "event_type": "Play",
        "groups": {"company": "15"},
        "event_properties": {"source": "own", "n": 1},
    }


def test_cells_become_what_they_spell() -> None:
    """Numbers and truth values are made of cells, unless their column stays text."""
    row = {"who": "12345", "what": "Play", "n": "2.5", "zip": "12345", "na": "NA", "t": "true", "empty": ""}
    event = mapped(row, cells=True, properties=("*",), text=("zip",), null=("NA",))
    assert event["user_id"] == "12345"
    assert event["event_properties"] == {"n": 2.5, "zip": "12345", "t": True}
    assert mapped({**row, "n": "2.5"}, properties=("n",))["event_properties"] == {"n": "2.5"}


@pytest.mark.parametrize(
    "cell", ["007", "1e5", "+1", "1.", ".5", "12345678901234567890", "1_000", "0x1", "nan", "-"]
)
def test_what_is_more_likely_a_name_stays_text(cell: str) -> None:
    """A cell that a number would not give back as it was is text."""
    assert typed(cell) == cell


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_numbers_in_cells(number: int) -> None:
    """Any whole number of up to 15 digits is one."""
    assert typed(str(number)) == number


def test_tables_in_amplitudes_words() -> None:
    """A table's columns may be called as an event's keys, `event_properties.name` among them."""
    row = {
        "user_id": "12345",
        "event_type": "Play",
        "time": "2023-11-14 22:13:20",
        "price": "1.50",
        "session_id": "17",
        "event_properties.title": "Blue",
        "user_properties": '{"plan": "pro"}',
        "groups.org": "15",
        "unknown": "x",
    }
    assert Mapper(Columns()).to_event(row, has_cells=True) == {
        "user_id": "12345",
        "event_type": "Play",
        "time": 1_700_000_000_000,
        "price": 1.5,
        "session_id": 17,
        "event_properties": {"title": "Blue"},
        "user_properties": {"plan": "pro"},
        "groups": {"org": "15"},
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([1], "an array, not an object"),
        ("text", "text, not an object"),
        (None, "null, not an object"),
        ({"who": "user-1", "what": "x", "at": ""}, "`at` is empty"),
        ({"who": "user-1", "what": "x", "at": "yesterday"}, "`at`: 'yesterday' is no ISO 8601 time"),
        ({"_text": "{"}, "`_text` is no JSON"),
        ({"_text": "[]"}, "`_text` is an array"),
    ],
)
def test_rows_that_make_no_event_say_why(row: Any, reason: str) -> None:
    """The message names the column and the value."""
    columns = Columns(fields={"user_id": "who", "event_type": "what", "time": "at"})
    with pytest.raises(Unmappable, match=reason):
        Mapper(columns).to_event(row)


def test_a_rejected_row_is_read_without_its_note() -> None:
    """The note is no part of the row, and says if its values are cells; `_text` may be mended in place."""
    row = {"_rejected": {"reason": "x", "cells": True}, "who": "user-1", "what": "Play", "n": "2"}
    assert mapped(row, properties=("*",))["event_properties"] == {"n": 2}
    event = {"event_type": "Play", "user_id": "user-1", "time": 1_700_000_000_000}
    assert Mapper(Columns()).to_event({"_rejected": {}, "_text": json.dumps(event)}) == event


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"fields": {"user_id": "a"}}, "--event-type"),
        ({"fields": {"event_type": "a"}}, "--user-id"),
        ({"fields": {"event_type": "a", "user_id": "b", "userid": "c"}}, "did you mean user_id"),
        ({"constants": {"zebra": 1}}, "event_properties.zebra"),
        ({"time_format": "sometimes"}, "no time format"),
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(columns: dict[str, Any], reason: str) -> None:
    """Before any row is read, with what to write instead."""
    with pytest.raises(BadMapping, match=reason):
        Columns(**columns)


TOML = """
properties = ["*"]
time_zone = "Europe/Berlin"
[fields]
event_type = "what"
user_id = "who"
[constants]
"event_properties.source" = "archive"
"""


def test_mapping_files(tmp_path: Path) -> None:
    """TOML and JSON say the same; what is none of a mapping is named."""
    (tmp_path / "m.toml").write_text(TOML)
    given = {
        "properties": ["*"],
        "time_zone": "Europe/Berlin",
        "fields": {"event_type": "what", "user_id": "who"},
        "constants": {"event_properties.source": "archive"},
    }
    (tmp_path / "m.json").write_text(json.dumps(given))
    read = read_mapping(tmp_path / "m.toml")
    assert read == read_mapping(tmp_path / "m.json")
    assert Columns(**read).as_json() == Columns(**read_mapping(tmp_path / "m.json")).as_json()
    for text, reason in (
        ('{"field": {}}', "there is no 'field'"),
        ("[]", "must be an object"),
        ('{"fields": {"user_id": 1}}', "fields must be a table"),
        ('{"null": "NA"}', "null must be a list"),
        ("{", "cannot be understood"),
    ):
        (tmp_path / "m.json").write_text(text)
        with pytest.raises(BadMapping, match=reason):
            read_mapping(tmp_path / "m.json")


# Times.


@given(st.integers(10**11, 4 * 10**12))
def test_every_way_to_write_a_time_gives_the_same(milliseconds: int) -> None:
    """Seconds, milliseconds, micro- and nanoseconds, ISO 8601 with any offset: one moment, one number."""
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)
    there = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
    auto = time_reader()
    for written in (
        milliseconds,
        str(milliseconds),
        milliseconds * 1000,
        milliseconds * 1_000_000,
        moment.isoformat(),
        moment.isoformat().replace("+00:00", "Z"),
        moment.isoformat(" ", "milliseconds").replace("+00:00", ""),
        there.isoformat(),
    ):
        assert auto(written) == milliseconds
    assert auto(milliseconds // 1000) == milliseconds // 1000 * 1000
    assert time_reader("s")(milliseconds / 1000) == milliseconds
    assert time_reader("ms")(str(milliseconds)) == milliseconds
    assert time_reader("us")(milliseconds * 1000) == milliseconds
    assert time_reader("ns")(milliseconds * 1_000_000) == milliseconds


@pytest.mark.parametrize(
    ("format", "zone", "written", "wanted"),
    [
        ("auto", "UTC", "2023-11-14", 1_699_920_000_000),
        ("auto", "Europe/Berlin", "2023-07-14T00:00:00", 1_689_285_600_000),
        ("auto", "Europe/Berlin", "2023-07-14T00:00:00Z", 1_689_292_800_000),
        ("auto", "UTC", "2023-11-14T22:13:20.5+0100", 1_699_996_400_500),
        ("auto", "UTC", "20231114T221320Z", 1_700_000_000_000),
        ("%d/%m/%Y %H:%M", "America/New_York", "14/11/2023 17:13", 1_699_999_980_000),
        ("%Y%m%d", "UTC", 20231114, 1_699_920_000_000),
    ],
)
def test_time_formats(format: str, zone: str, written: Any, wanted: int) -> None:
    """Patterns and zones."""
    assert time_reader(format, zone)(written) == wanted


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (20240501, 1_714_521_600_000),
        ("20240501", 1_714_521_600_000),
        ("20240501.0", 1_714_521_600_000),
        ("202405011030", 1_714_559_400_000),
        ("20240501103007", 1_714_559_407_000),
        (20240501103007123, 1_714_559_407_123),
        ("1971-06-01 12:00:00", 44_625_600_000),
        ("1901-01-01", -2_177_452_800_000),
        ("2024-05-01 10:00:00.123456789", 1_714_557_600_123),
        (1_714_557_600, 1_714_557_600_000),
        (99_999_999, 99_999_999_000),
    ],
)
def test_digits_that_spell_a_date_are_that_date(written: Any, wanted: int) -> None:
    """And no number since 1970; what is text is a date whenever it was."""
    assert time_reader()(written) == wanted


def test_dates_of_spreadsheets_are_refused_or_converted() -> None:
    """By themselves they would be some hours of 1970."""
    for written in (45413, "45413.4166666667", 45413.5, 10_000):
        with pytest.raises(ValueError, match="--time-format excel"):
            time_reader()(written)
    excel = time_reader("excel", "Europe/Berlin")
    assert excel("45413.4166666667") == 1_714_550_400_000
    assert time_reader("excel")(45413) == 1_714_521_600_000
    with pytest.raises(ValueError, match="no date of a spreadsheet"):
        excel(1e300)


@pytest.mark.parametrize(
    "written", ["9999-12-31", "5200-01-01T00:00:00Z", 2**70, "+10000-01-01T00:00:00", 10**300]
)
def test_what_lies_too_far_is_no_time(written: Any) -> None:
    """Such as what databases write for never; as microseconds it would be in 1978."""
    with pytest.raises(ValueError, match=r"too far from today|no ISO 8601"):
        time_reader()(written)


@pytest.mark.parametrize(
    ("format", "written"),
    [
        ("auto", "soon"),
        ("auto", True),
        ("auto", float("nan")),
        ("auto", [1]),
        ("auto", "2023-13-01T00:00:00Z"),
        ("iso", 5),
        ("s", "x"),
        ("%Y", "x"),
    ],
)
def test_what_is_no_time_is_told(format: str, written: Any) -> None:
    """With the value."""
    with pytest.raises(ValueError, match=r"is no|not written|is no time"):
        time_reader(format)(written)
