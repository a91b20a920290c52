"""A plan and what was seen beside it, as one plan."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from antinode.plan import TrackingPlan, parse_plan, violations
from antinode.plan._findings import PlanFindings
from antinode.plan._inferring import EventShapes
from antinode.plan._merging import merged_plan
from antinode.plan._writing import to_json
from tests.examples import examples
from tests.plan.strategies import EVENTS, NAMES, SCHEMAS

PLANS = st.builds(
    lambda events, users: {"version": 1, "events": events, "user_properties": users},
    st.dictionaries(
        st.sampled_from(["Order Placed", "order_placed", "yes"]),
        st.fixed_dictionaries(
            {"properties": st.dictionaries(NAMES, SCHEMAS, max_size=4)},
            optional={"additionalProperties": st.booleans()},
        ),
        max_size=2,
    ),
    st.none() | st.dictionaries(NAMES, SCHEMAS, max_size=2),
)


def merged(plan: TrackingPlan, events: list[dict[str, Any]]) -> TrackingPlan:
    seen, findings = EventShapes(is_strict=False), PlanFindings(plan)
    for event in events:
        seen.add(event)
        findings.add(event, "")
    return merged_plan(plan, seen, findings)


def planned(document: dict[str, Any], required: list[str]) -> TrackingPlan:
    for event in document["events"].values():
        event["required"] = [name for name in required if name in event["properties"]]
    return parse_plan(json.dumps(document), is_json=True)


@settings(max_examples=examples(25))
@given(PLANS, st.lists(NAMES, max_size=2, unique=True), EVENTS, EVENTS)
def test_it_takes_what_the_plan_takes_and_what_was_seen(
    document: dict[str, Any], required: list[str], events: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    """Every event seen conforms to it, and every other that conformed to the plan; read again, too."""
    plan = planned(document, required)
    made = merged(plan, events)
    made = parse_plan(to_json(made), is_json=True)
    assert [violations(made, event) for event in events] == [[]] * len(events)
    for event in others:
        assert violations(plan, event) or not violations(made, event)


@settings(max_examples=examples(15))
@given(PLANS, EVENTS)
def test_what_conforms_changes_nothing(document: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """A plan that nothing contradicted is left as it is."""
    plan = planned(document, [])
    events = [event for event in events if not violations(plan, event)]
    assert merged(plan, events) == plan
