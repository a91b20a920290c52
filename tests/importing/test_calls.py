"""Archives of Segment's specification: which event each call becomes."""

from __future__ import annotations

from typing import Any

import pytest

from antinode._importing.columns import Columns
from antinode._importing.errors import LeftOut
from antinode._importing.mapper import Mapper

AT = "2024-05-01T10:00:00.123Z"
BASE = {"user_id": "user-20391", "device_id": "anon-8812", "insert_id": "m-1", "time": 1_714_557_600_123}
MAPPED = Columns(
    fields={
        "event_type": "event",
        "user_id": "userId",
        "device_id": "anonymousId",
        "time": "timestamp",
        "insert_id": "messageId",
    },
    properties=("properties.*",),
)


def call(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "userId": "user-20391",
        "anonymousId": "anon-8812",
        "messageId": "m-1",
        "timestamp": AT,
        "context": {"traits": {}},
        **more,
    }


CALLS = [
    (
        call("track", event="Bought", properties={"total": 1}),
        {"event_type": "Bought", "event_properties": {"total": 1}},
    ),
    (
        call("identify", traits={"plan": "pro"}),
        {"event_type": "$identify", "user_properties": {"$set": {"plan": "pro"}}},
    ),
    (
        call("page", name="Home", properties={"url": "/"}),
        {"event_type": "Viewed Home Page", "event_properties": {"url": "/"}},
    ),
    (call("page", properties={"url": "/"}), {"event_type": "Viewed Page", "event_properties": {"url": "/"}}),
    (call("screen", name="Cart"), {"event_type": "Viewed Cart Screen"}),
]


@pytest.mark.parametrize(("row", "event"), CALLS)
@pytest.mark.parametrize("columns", [Columns(), MAPPED], ids=["by itself", "mapped"])
def test_each_call_is_an_event(columns: Columns, row: dict[str, Any], event: dict[str, Any]) -> None:
    """By itself, and where a mapping says which column is what of the track calls."""
    assert Mapper(columns).to_event(dict(row)) == {**BASE, **event}


@pytest.mark.parametrize("columns", [Columns(groups={"company": "groupId"})])
def test_a_group_is_set_up_or_joined(columns: Columns) -> None:
    """With traits its properties are set; without, the user is put into it."""
    row = call("group", groupId="org-1", traits={"tier": "gold"})
    assert Mapper(columns).to_event(row) == {
        **BASE,
        "event_type": "$groupidentify",
        "groups": {"company": "org-1"},
        "group_properties": {"$set": {"tier": "gold"}},
    }
    assert Mapper(columns).to_event(call("group", groupId="org-1")) == {
        **BASE,
        "event_type": "$identify",
        "groups": {"company": "org-1"},
        "user_properties": {"$set": {"company": "org-1"}},
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (call("group", groupId="org-1", traits={"tier": "gold"}), "--group TYPE=groupId"),
        (call("alias", previousId="anon"), "joins two ids"),
        (call("identify"), "no traits"),
    ],
)
def test_what_no_event_stands_for_is_left_out(row: dict[str, Any], reason: str) -> None:
    """With the reason."""
    for columns in (Columns(), MAPPED):
        with pytest.raises(LeftOut, match=reason):
            Mapper(columns).to_event(dict(row))


def test_the_context_says_where_it_happened() -> None:
    """The address, the app, the device."""
    context = {"ip": "203.0.113.9", "locale": "de-DE", "app": {"version": "1.2"}, "os": {"name": "iOS"}}
    event = Mapper(Columns()).to_event(call("track", event="A", context=context))
    assert event == {
        **BASE,
        "event_type": "A",
        "ip": "203.0.113.9",
        "language": "de-DE",
        "app_version": "1.2",
        "os_name": "iOS",
    }


def test_a_column_called_type_makes_no_call() -> None:
    """Without any id of a call, a row is what it is otherwise."""
    row = {"event_type": "A", "user_id": "user-1", "time": 1_700_000_000_000, "type": "page"}
    assert Mapper(Columns()).to_event(dict(row)) == row
