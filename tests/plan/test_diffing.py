"""One plan beside another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from antinode.plan import TrackingPlan, parse_plan, violations
from antinode.plan._diffing import diff_plans
from antinode.plan._markdown import to_markdown
from tests.examples import examples
from tests.plan.strategies import EVENTS, SCHEMAS, VALUES
from tests.plan.test_inferring import inferred
from tests.plan.test_reading import SHOP


def of(keywords: dict[str, Any]) -> TrackingPlan:
    document = {"version": 1, "events": {"A": {"properties": {"b": keywords}}}}
    return parse_plan(json.dumps(document), is_json=True)


@settings(max_examples=examples(15))
@given(EVENTS)
def test_equal_plans_have_no_changes(events: list[dict[str, Any]]) -> None:
    """Nor has a plan that was inferred again."""
    assert diff_plans(inferred(events), inferred(list(reversed(events)))) == []


@settings(
    max_examples=examples(25), suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
@given(SCHEMAS, SCHEMAS, VALUES)
def test_nothing_breaks_unsaid(old: dict[str, Any], new: dict[str, Any], value: Any) -> None:
    """Where no change breaks, what conformed to the old plan conforms to the new one."""
    before, after = of(old), of(new)
    event = {"event_type": "A", "event_properties": {"b": value}}
    assume(not violations(before, event) and violations(after, event))
    assert any(change.is_breaking for change in diff_plans(before, after))


@pytest.mark.parametrize(
    ("old", "new", "told", "breaks"),
    [
        (
            "  Order Sent:",
            "  Order Dispatched:",
            "Order Sent  removed|Order Dispatched  added, retired already",
            False,
        ),
        ("coupon: {", "voucher: {", "Order Placed coupon removed|Order Placed voucher added", True),
        ("total, currency]", "total, currency, coupon]", "Order Placed coupon required now", True),
        ("total, currency]", "total]", "Order Placed currency required no more", False),
        ("[EUR, USD]", "[EUR]", "Order Placed currency no longer takes 'USD'", True),
        ("[EUR, USD]", "[EUR, USD, GBP]", "Order Placed currency takes 'GBP', too", False),
        ("minimum: 0", "minimum: 1", "Order Placed total `minimum` is 1 now", True),
        ("type: integer}}\n", "type: number}}\n", "Order Placed items[].quantity takes number, too", False),
        ("type: number, min", "type: integer, min", "Order Placed total no longer takes number", True),
        ("paid.", "paid now.", "Order Placed  another description", False),
        (
            "owners: [checkout]",
            "status: retired",
            "Order Placed  retired|Order Placed  owners are nobody now",
            True,
        ),
        ("[free, pro]", "[free]", " user_properties.plan no longer takes 'pro'", True),
    ],
)
def test_changes_are_told(old: str, new: str, told: str, breaks: bool) -> None:
    """What changes, where, and whether it breaks."""
    assert old in SHOP
    changes = diff_plans(parse_plan(SHOP), parse_plan(SHOP.replace(old, new)))
    assert "|".join(f"{each.event_type} {each.path} {each.text}" for each in changes) == told
    assert any(each.is_breaking for each in changes) == breaks


def test_a_page() -> None:
    """Each event with its properties; what the plan quotes is text, whatever it holds."""
    page = to_markdown(parse_plan(SHOP.replace("paid.", "paid | <script>")))
    assert "# Shop\n" in page
    assert "A customer has paid \\| \\<script\\>" in page
    assert "| items\\[\\].sku | string | yes |" in page
    assert "| currency | string | yes | one of 'EUR', 'USD' |" in page
    assert page.endswith("## Retired\n\n- Order Sent\n")
