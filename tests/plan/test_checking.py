"""Events beside a plan."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode.plan import parse_plan, violations
from antinode.plan._checking import advise
from antinode.plan._findings import PlanFindings
from antinode.plan._paths import OWN, Trail, above, steps_of, written
from antinode.plan._spelling import nearest
from tests.examples import examples
from tests.plan.strategies import SCHEMAS, VALUES
from tests.plan.test_reading import SHOP

PLAN = parse_plan(SHOP)
ORDER = {"order_id": "88231", "total": 12.5, "currency": "EUR"}


def told(event_type: str, properties: Any = None, **more: Any) -> list[str]:
    event = {"event_type": event_type, "event_properties": properties, **more}
    return [advise(PLAN, event_type, each) for each in violations(PLAN, event)]


@settings(max_examples=examples(40))
@given(SCHEMAS, VALUES)
def test_values_are_judged_as_json_schema_judges_them(keywords: dict[str, Any], value: Any) -> None:
    """For every schema that a plan takes, the verdict is that of a validator of JSON Schema."""
    document = {"version": 1, "events": {"A": {"properties": {"b": keywords}}}}
    plan = parse_plan(json.dumps(document), is_json=True)
    found = violations(plan, {"event_type": "A", "event_properties": {"b": value}})
    assert (not found) == jsonschema_rs.is_valid(keywords, value), found


def test_what_conforms() -> None:
    """Planned events, with optional properties or without, and Amplitude's own."""
    assert told("Order Placed", ORDER) == []
    assert told("Order Placed", ORDER | {"items": [{"sku": "a", "quantity": 1}], "total": 12}) == []
    assert told("revenue_amount", {"anything": 1}) == []
    assert told("[Amplitude] Page Viewed") == []
    assert told("$identify", user_properties={"$set": {"plan": "pro"}, "$unset": {"plan": "-"}}) == []


def test_every_kind_of_mistake() -> None:
    """Each is told with its path, and with the name that was meant."""
    assert told("order_placd") == ["is not in the plan; did you mean `Order Placed`?"]
    assert told("Order Sent") == ["is retired: log it no more"]
    assert told("Order Placed", ORDER | {"cupon": "X"}) == [
        "`cupon` is not in the plan; did you mean `coupon`?"
    ]
    assert told("Order Placed", {"order_id": "1", "total": 1}) == ["`currency` is missing, which is required"]
    assert told("Order Placed", ORDER | {"total": "12.50"}) == ["`total` must be number, not '12.50'"]
    assert told("Order Placed", ORDER | {"total": True}) == ["`total` must be number, not true"]
    assert told("Order Placed", ORDER | {"total": -1}) == ["`total` must be at least 0, not -1"]
    assert told("Order Placed", ORDER | {"currency": "eur"}) == [
        "`currency` must be one of 'EUR', 'USD', not 'eur'; did you mean `EUR`?"
    ]
    assert told("Order Placed", ORDER | {"items": [{"sku": 1}, {}]}) == [
        "`items[].sku` must be string, not 1",
        "`items[].sku` is missing, which is required",
    ]
    assert told("Order Placed", ORDER | {"items": [{"sku": "a", "quantty": 1}]}) == []
    assert told("Order Placed", "text") == ["`event_properties` must be object, not 'text'"]
    assert told("$identify", user_properties={"$set": {"plan": "prro", "plann": 1}}) == [
        "`user_properties.plan` must be one of 'free', 'pro', not 'prro'; did you mean `pro`?",
        "`user_properties.plann` is not in the plan; did you mean `plan`?",
    ]
    assert told(
        "$groupidentify", groups={"company": "acme"}, group_properties={"$set": {"seats": "3", "seat": 1}}
    ) == [
        "`group_properties.company.seats` must be integer, not '3'",
        "`group_properties.company.seat` is not in the plan; did you mean `seats`?",
    ]


def test_names_that_look_like_paths() -> None:
    """A dotted name and a nested one are told apart, and what was meant is found behind either."""
    inner = {"type": "object", "properties": {"count": {}}, "additionalProperties": False}
    planned = {"a.b": {"type": "integer"}, "a": inner, "user_properties": inner, "list[]": inner}
    document = {"version": 1, "events": {"A": {"properties": planned}}, "user_properties": {}}
    plan = parse_plan(json.dumps(document), is_json=True)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"a.b": "1"}, "`\"a.b\"` must be integer, not '1'"),
        ({"a.bb": 1}, '`"a.bb"` is not in the plan; did you mean `a.b`?'),
        ({"a": {"b": 1}}, "`a.b` is not in the plan"),
        ({"a": {"coun.t": 1}}, '`a."coun.t"` is not in the plan; did you mean `count`?'),
        (
            {"user_properties": {"cont": 1}},
            '`"user_properties".cont` is not in the plan; did you mean `count`?',
        ),
        ({"list[]": {"cont": 1}}, '`"list[]".cont` is not in the plan; did you mean `count`?'),
    ]
    for properties, words in cases:
        event = {"event_type": "A", "event_properties": properties}
        assert [advise(plan, "A", each) for each in violations(plan, event)] == [words]


NAMES = st.text(st.sampled_from('ab.[]"\\ü\n'), max_size=4)


@given(
    st.lists(st.one_of(NAMES, st.sampled_from([*OWN, 0])), min_size=1, max_size=5),
    st.sampled_from(["", *OWN]),
)
def test_a_path_leads_to_one_place_only(steps: list[str | int], own: str) -> None:
    """Whatever names are: a path that was written is read as what it was written of."""
    if not own and steps[0] == 0:
        steps[0] = "a"
    trail: Trail = own
    around = [own] if own else [""]
    for step in steps:
        trail = (trail, step)
        around.append(written(trail))
    assert steps_of(written(trail)) == (own, steps)
    assert above(written(trail)) == ([""] if own else []) + around[:-1]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("JKF", "JFK"),
        ("EWK", "EWR"),
        ("lga", "LGA"),
        ("BOS", None),
        ("LG", "LGA"),
        ("", None),
        ("EWRR", "EWR"),
    ],
)
def test_what_a_short_name_was_meant_to_be(name: str, meant: str | None) -> None:
    """A single slip is enough, though it is a third of the word; another word is none."""
    assert nearest(name, ["EWR", "JFK", "LGA"]) == meant


def test_findings_add_up() -> None:
    """Mistakes of one kind are one finding, with how many, a few values, and where the first are."""
    findings = PlanFindings(PLAN)
    for row in range(5):
        findings.add(
            {"event_type": "Order Placed", "event_properties": ORDER | {"total": str(row)}}, f"row {row}"
        )
    findings.add({"event_type": "Order Placed", "event_properties": ORDER}, "row 6")
    (only,) = findings.kinds
    assert (only.count, findings.events, findings.wrong) == (5, 6, 5)
    assert only.examples == ["'0'", "'1'", "'2'"]
    assert only.places == ["row 0", "row 1", "row 2"]
    assert findings.unseen == []


def test_findings_are_bounded() -> None:
    """However many names there are, those of the first thousands are kept and the rest is counted."""
    findings = PlanFindings(PLAN)
    for number in range(5_100):
        findings.add({"event_type": f"event {number} {'x' * 200}"}, "row")
    assert len(findings.kinds) == 5_000
    assert (findings.untold, findings.wrong) == (100, 5_100)
