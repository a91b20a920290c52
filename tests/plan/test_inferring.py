"""A plan from events."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings

from antinode.plan import TrackingPlan, parse_plan, violations
from antinode.plan._inferring import EventShapes
from antinode.plan._shapes import TooVaried
from antinode.plan._writing import to_yaml
from tests.examples import examples
from tests.plan.strategies import EVENTS


def inferred(events: list[dict[str, Any]]) -> TrackingPlan:
    seen = EventShapes()
    for event in events:
        seen.add(event)
    return seen.plan()


@settings(max_examples=examples(20))
@given(EVENTS)
def test_events_conform_to_the_plan_inferred_from_them(events: list[dict[str, Any]]) -> None:
    """Each of them, also when the plan has been written and read."""
    plan = inferred(events)
    read = parse_plan(to_yaml(plan))
    assert read == plan
    assert [violations(read, event) for event in events] == [[]] * len(events)


@settings(max_examples=examples(15))
@given(EVENTS)
def test_order_does_not_matter(events: list[dict[str, Any]]) -> None:
    """The same events give the same file, to the byte."""
    shuffled = random.Random(7).sample(events, len(events))
    assert to_yaml(inferred(shuffled)) == to_yaml(inferred(events))


def made(**properties: Any) -> dict[str, Any]:
    return {"event_type": "Order Placed", "event_properties": properties}


def test_what_is_told_of_properties() -> None:
    """Types, what is required, enums of few values seen often, examples of others, and shares."""
    seen = EventShapes()
    for number in range(100):
        event = made(
            order_id=str(number), total=number + (0.5 if number % 2 else 0), plan=["free", "pro"][number % 2]
        )
        if number % 4 == 0:
            event["event_properties"]["coupon"] = f"SAVE{number % 20}"
        seen.add(event)
    plan = seen.plan()
    schema = plan.events["Order Placed"].schema
    assert schema.required == ("order_id", "plan", "total")
    assert schema.properties["total"].types == ("number",)
    assert schema.properties["plan"].enum == ("free", "pro")
    assert schema.properties["order_id"].enum is None
    assert len(schema.properties["order_id"].examples) == 3
    text = to_yaml(plan, seen.remarks())
    assert "Order Placed:  # 100 seen" in text
    assert "# in 25%" in text
    assert seen.plan(has_examples=False).events["Order Placed"].schema.properties["order_id"].examples == ()


def test_personal_data_is_no_example() -> None:
    """What `redact` would hide is in no plan, neither as an example nor in an enum."""
    events = [made(mail="sue@example.com", password="hunter2", note="call +49 30 1234567", ok="fine")] * 40
    text = to_yaml(inferred(events))
    assert "sue@" not in text
    assert "hunter2" not in text
    assert "1234567" not in text
    few = to_yaml(inferred(events[:3]))
    assert "sue@" not in few
    assert "hunter2" not in few
    assert "fine" in few


def test_names_that_hold_ids_are_not_listed() -> None:
    """An object with very many names is planned as open, and its names are not kept."""
    plan = inferred([made(carts={f"sku-{number}": 1}) for number in range(60)])
    assert plan.events["Order Placed"].schema.properties["carts"].properties == {}
    assert plan.events["Order Placed"].schema.properties["carts"].takes_others
    wide = inferred([made(**{f"p{number}": 1}) for number in range(1_001)])
    assert wide.events["Order Placed"].schema.takes_others


def test_memory_is_bounded() -> None:
    """Event types without end are an error that says so."""
    seen = EventShapes()
    for number in range(2_000):
        seen.add({"event_type": f"view {number}"})
    with pytest.raises(TooVaried, match=r"more than 2,000 event types.*does their name hold an id"):
        seen.add({"event_type": "view 2000"})


def test_users_and_groups() -> None:
    """Properties that operations write are planned, and never required."""
    seen = EventShapes()
    users = {"$set": {"plan": "pro"}, "$unset": {"old": "-"}}
    seen.add({"event_type": "$identify", "user_properties": users})
    group = {"groups": {"company": "a"}, "group_properties": {"$set": {"seats": 3}}}
    seen.add({"event_type": "$groupidentify", **group})
    plan = seen.plan()
    assert plan.events == {}
    assert plan.user_properties is not None
    assert set(plan.user_properties.properties) == {"old", "plan"}
    assert plan.group_properties is not None
    assert plan.group_properties["company"].properties["seats"].types == ("integer",)
