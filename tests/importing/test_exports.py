"""Rows of Amplitude's own export, as its files and as warehouses have them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antinode._importing.columns import Columns
from antinode._importing.errors import Unmappable
from antinode._importing.mapper import UNDATED, Mapper

AT = "2024-05-01 10:00:00.123456"
EVENT = {
    "user_id": "user-20391",
    "event_type": "Order Placed",
    "event_properties": {"Total": 3},
    "user_properties": {"plan": "old"},
    "session_id": 1_714_557_600_000,
    "app_version": "1.2",
    "ip": "203.0.113.9",
    "time": 1_714_557_600_123,
    "insert_id": "order-1",
    "$skip_user_properties_sync": True,
}


def exported(**more: Any) -> dict[str, Any]:
    return {
        "event_type": "Order Placed",
        "user_id": "user-20391",
        "event_time": AT,
        "client_event_time": "2024-05-01 09:00:00.000000",
        "event_properties": {"Total": 3},
        "user_properties": {"plan": "old"},
        "group_properties": {},
        "session_id": 1_714_557_600_000,
        "version_name": "1.2",
        "ip_address": "203.0.113.9",
        "library": "http/2.0",
        "amplitude_id": 1_000_000_001,
        "city": None,
        "$insert_id": "order-1",
        **more,
    }


def made(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    return Mapper(Columns()).to_event(row, **more)


def cells(row: dict[str, Any]) -> dict[str, str]:
    """The row as a table holds it."""
    return {
        key: "" if value is None else json.dumps(value) if isinstance(value, dict) else str(value)
        for key, value in row.items()
    }


def test_a_row_of_an_export_is_the_event_that_it_was() -> None:
    """In JSON and in tables, with objects or their text, in small letters or capitals."""
    row = exported()
    assert made(dict(row)) == EVENT
    assert made(cells(row), has_cells=True) == EVENT
    assert made({key.upper(): value for key, value in row.items()}) == EVENT
    assert made({key.upper(): value for key, value in cells(row).items()}, has_cells=True) == EVENT
    texts = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in row.items()}
    assert made(texts) == EVENT


def test_what_pandas_prints_of_an_object_is_one() -> None:
    """`{'Total': 3}` is what a data frame of objects writes into a table."""
    row = {**cells(exported()), "event_properties": "{'Total': 3}", "session_id": "1714557600000.0"}
    assert made(row, has_cells=True) == EVENT


def test_the_time_may_be_the_client_s() -> None:
    """Without `event_time`, and whatever zone it names."""
    row = exported(event_time=None, client_event_time="2024-05-01 12:00:00.123456+02:00")
    assert made(row) == EVENT
    del row["event_time"]
    assert made(row) == EVENT


@pytest.mark.parametrize(
    ("given", "insert_id"),
    [
        ({"$insert_id": "a", "insert_id": "b", "uuid": "c"}, "a"),
        ({"$insert_id": None, "insert_id": "b", "uuid": "c"}, "b"),
        ({"$insert_id": "", "_insert_id": "d", "uuid": "c"}, "d"),
        ({"$insert_id": None, "uuid": "c"}, "c"),
    ],
)
def test_the_id_is_kept(given: dict[str, Any], insert_id: str) -> None:
    """The event's own, or else that of the row."""
    assert made(exported(**given))["insert_id"] == insert_id


def test_an_event_with_its_time_is_no_row_of_an_export() -> None:
    """`time` says that it is an event as it is sent."""
    row = {"event_type": "A", "user_id": "user-1", "time": 1_700_000_000_000, "event_time": AT}
    assert made(dict(row)) == row


def test_what_is_none_is_told() -> None:
    """A time, an object, an id that has lost digits."""
    for more, reason in (
        ({"event_time": "soon"}, "`event_time`: 'soon' is no ISO 8601"),
        ({"event_properties": "{Total}"}, "`event_properties` is to hold an object"),
        ({"user_id": 1.8446744073709552e19}, "`user_id` 1.8446744073709552e.19 is a number that has lost"),
    ):
        with pytest.raises(Unmappable, match=reason):
            made(exported(**more))


def test_another_column_may_be_the_time_of_an_export() -> None:
    """--time beside rows of an export."""
    row = exported(server_received_time="2024-05-01 10:00:01.000000")
    event = Mapper(Columns(fields={"time": "server_received_time"})).to_event(row)
    assert event == {**EVENT, "time": 1_714_557_601_000}


def test_rows_without_a_time_are_told() -> None:
    """Unless that is what is meant, or they are no events that charts count."""
    row = {"event_type": "A", "user_id": "user-1", "time": None}
    for columns, event_type, notes in (
        (Columns(), "A", [UNDATED]),
        (Columns(undated="now"), "A", []),
        (Columns(constants={"time": 1_700_000_000_000}), "A", []),
        (Columns(), "$identify", []),
    ):
        mapper = Mapper(columns)
        mapper.to_event({**row, "event_type": event_type})
        assert mapper.notes == notes


def test_capitals_are_read_in_events_too() -> None:
    """A table of events, as a warehouse writes the names of its columns."""
    row = {"EVENT_TYPE": "A", "USER_ID": "user-1", "TIME": "1700000000000", "PRODUCTID": "x", "PRICE": "1.5"}
    assert made(row, has_cells=True) == {
        "event_type": "A",
        "user_id": "user-1",
        "time": 1_700_000_000_000,
        "productId": "x",
        "price": 1.5,
    }
