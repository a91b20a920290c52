from __future__ import annotations

from typing import Any

import pytest

from antinode.server.ingest.parsing import IngestApi
from tests.server.ingest.test_validation import GOOD, checked, codes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"insert_id": None}, ["no_insert_id"]),
        ({"time": None}, ["no_time"]),
        ({"time": 1793817970}, ["time_in_seconds"]),
        ({"time": 1793817970000000}, ["time_in_microseconds"]),
        ({"time": 1793817970000000000}, ["time_in_nanoseconds"]),
        ({"time": 0}, ["time_before_1970"]),
        ({"time": -5}, ["time_before_1970"]),
        ({"userId": "x"}, ["misspelt_key"]),
        ({"eventProperties": {}}, ["misspelt_key"]),
        ({"properties": {}}, ["misspelt_key"]),
        ({"something": 5}, ["unknown_key"]),
        ({"sequence_number": 5}, []),
        ({"groups": {str(number): "a" for number in range(5)}}, []),
        ({"groups": {str(number): "a" for number in range(6)}}, ["too_many_groups"]),
        ({"groups": {"a": [str(number) for number in range(11)]}}, ["too_many_groups"]),
        ({"groups": {"a": 5}}, ["invalid_group_name"]),
        ({"groups": {"a": ["b", None]}}, ["invalid_group_name"]),
    ],
)
def test_what_is_worth_mending_in_any_event(changes: dict[str, Any], expected: list[str]) -> None:
    """An event is accepted, but it would not do what its author meant."""
    assert codes({**GOOD, **changes}) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"event_type": "$identify", "user_properties": {"$set": {"a": 1}, "$unset": {"b": "-"}}}, []),
        ({"event_type": "$identify", "user_properties": {"a": 1}}, []),
        ({"event_type": "$identify", "user_properties": {"$clearAll": "-"}}, []),
        ({"user_properties": {"a": 1}}, []),
        ({"user_properties": {"$set": {"a": 1}}}, ["operation_on_event"]),
        ({"event_type": "$identify", "user_properties": {"$set": {"a": 1}, "b": 2}}, ["mixed_operations"]),
        ({"event_type": "$identify", "user_properties": {"$boom": {"a": 1}}}, ["unknown_operation"]),
        ({"event_type": "$identify", "user_properties": {"$set": "a"}}, ["invalid_operation"]),
        (
            {"event_type": "$identify", "user_properties": {"$add": {"a": "1", "b": 2, "c": True}}},
            ["invalid_sum"] * 2,
        ),
        ({"group_properties": {"a": 1}}, ["ignored_group_properties"]),
        ({"group_properties": {}}, []),
        ({"event_type": "$groupidentify", "group_properties": {"$set": {}}}, ["no_groups"]),
        (
            {"event_type": "$groupidentify", "groups": {"a": "b"}, "group_properties": {"$remove": {"a": 1}}},
            ["undocumented_operation"],
        ),
    ],
)
def test_what_is_worth_mending_in_properties(changes: dict[str, Any], expected: list[str]) -> None:
    """Operations that are not applied, or not where they are written."""
    assert codes({**GOOD, **changes}) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"price": 9.99, "quantity": 2, "productId": "x", "currency": "EUR"}, []),
        ({"revenue": 9.99, "revenueType": "x"}, []),
        ({"productId": "x"}, ["revenue_without_price"]),
        ({"quantity": 2, "revenueType": "x"}, ["revenue_without_price"]),
        ({"price": 2, "quantity": 3, "revenue": 6.0}, []),
        ({"price": 2, "quantity": 3, "revenue": 5}, ["ignored_revenue"]),
        ({"price": 2, "currency": "euro"}, ["invalid_currency"]),
        ({"price": 2, "currency": "€€€"}, ["invalid_currency"]),
        ({"event_type": "revenue_amount"}, ["revenue_without_price"]),
        ({"event_type": "revenue_amount", "event_properties": {"$price": 5}}, []),
    ],
)
def test_what_is_worth_mending_in_revenue(changes: dict[str, Any], expected: list[str]) -> None:
    """Money that is not counted, or not as it is written."""
    assert codes({**GOOD, **changes}) == expected


def test_identifications_need_neither_time_nor_insert_id() -> None:
    """Their API has no place for them."""
    event = {"event_type": "$identify", "user_id": "user-20391", "user_properties": {"a": 1}}
    assert codes(event, api=IngestApi.IDENTIFY) == []
    assert codes(event) == ["no_insert_id", "no_time"]


@pytest.mark.parametrize(
    "changes",
    [
        {"userId": "x"},
        {"time": 5},
        {"user_properties": {"$" + "x" * 5000: 1}},
        {"user_properties": {"$set": 1, "x" * 5000: 1}},
        {"groups": {"x" * 900: ["y" * 900] * 50, "b": 5}},
        {"price": 1, "currency": "x" * 1000},
        {"x" * 9: 1, "_" * 5000 + "userId": 1},
        {"event_properties": {"x" * 5000: "y" * 5000}},
    ],
)
def test_a_warning_says_what_to_write_and_is_short(changes: dict[str, Any]) -> None:
    """However long what it is about."""
    (found,) = checked({**GOOD, **changes}).problems.values()
    for problem in found:
        assert "write" in problem.message or "send" in problem.message
        assert len(problem.message) < 400
        assert len(problem.field) <= 60
