"""What event types and properties have been seen, as the page's Schema shows it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode.plan import parse_plan
from antinode.server.deletions import DeletionRequest
from antinode.server.engine import Amplitude
from antinode.server.models import SeenEventType
from antinode.server.queries.seen import Seen
from antinode.server.rules import KNOWN_API_KEY, Rules
from tests.examples import examples
from tests.server.ingesting import AT_MS, event, fixed, identify, send


@pytest.fixture
def amplitude() -> Iterator[Amplitude]:
    with Amplitude(clock=fixed(), rules=Rules()) as amplitude:
        yield amplitude


def seen(amplitude: Amplitude) -> dict[str, SeenEventType]:
    """All event types, once everything is read."""
    page = amplitude.schema()
    while page.unread:
        page = amplitude.schema()
    return {each.event_type: each for each in page.event_types}


def test_types_shares_and_examples(amplitude: Amplitude) -> None:
    """How many events have a property, with which types, and its first values, long ones left out."""
    for number, value in enumerate([1, 2.5, "x" * 100, "x", None, [1], {"a": 1}, True]):
        send(amplitude, event(number, event_properties={"value": value, "ok": True}))
    send(amplitude, event(8))
    found = seen(amplitude)["Song Played"]
    value, ok = sorted(found.properties, key=lambda each: each.name, reverse=True)
    assert (found.events, value.name, value.events, ok.events) == (9, "value", 8, 8)
    assert value.types == {
        "string": 2, "integer": 1, "number": 1, "null": 1, "array": 1, "object": 1, "boolean": 1,
    }  # fmt: skip
    assert value.examples == ["1", "2.5", '"x"', "null", "[1]"]
    assert ok.types == {"boolean": 8}
    assert ok.examples == ["true"]


def test_identifies_show_what_they_change(amplitude: Amplitude) -> None:
    """The properties in their operations, not the operations."""
    send(amplitude, identify(1, {"$set": {"plan": "pro"}, "$add": {"visits": 1}}))
    assert {each.name for each in seen(amplitude)["$identify"].properties} == {"plan", "visits"}


def test_only_what_was_accepted_counts(amplitude: Amplitude) -> None:
    """Neither duplicates nor what was refused."""
    send(amplitude, event(1))
    send(amplitude, event(1))
    send(amplitude, event(2, time="yesterday"))
    assert seen(amplitude)["Song Played"].events == 1


def test_a_reset_and_a_deletion_leave_no_example(amplitude: Amplitude) -> None:
    """A value of a user who was deleted is not shown; nor anything after a reset."""
    send(amplitude, event(1, user_id="user-1", event_properties={"email": "somebody@example.com"}))
    send(amplitude, event(2, user_id="user-2", event_properties={"email": "else@example.com"}))
    (email,) = seen(amplitude)["Song Played"].properties
    assert len(email.examples) == 2
    project = amplitude.project_of(KNOWN_API_KEY, "secret")
    assert project is not None
    amplitude.delete_users(project, DeletionRequest(user_ids=["user-1"], requester="test"))
    (email,) = seen(amplitude)["Song Played"].properties
    assert email.examples == ['"else@example.com"']
    amplitude.reset()
    assert seen(amplitude) == {}


def test_long_readings_go_on_later(amplitude: Amplitude) -> None:
    """A reading ends after its time, says how much is left, and the next goes on."""
    for start in range(0, 3000, 1000):
        send(amplitude, *(event(number) for number in range(start, start + 1000)))
    ticks = iter(range(1000))
    slow = Seen(amplitude._store, timer=lambda: next(ticks) * 0.04)
    first = slow.page()
    assert 0 < first.unread < 3000
    assert first.event_types[0].events + first.unread == 3000
    while (page := slow.page()).unread:
        pass
    assert page.event_types[0].events == 3000


def test_properties_of_users_and_groups_have_their_own_place(amplitude: Amplitude) -> None:
    """Whatever event wrote them, each counted once for an event."""
    send(
        amplitude, identify(1, {"$set": {"plan": "pro"}, "$setOnce": {"plan": "free"}, "$add": {"visits": 1}})
    )
    send(amplitude, event(2, user_properties={"plan": "pro"}))
    group = {"groups": {"company": "a"}, "group_properties": {"$set": {"seats": 3}}}
    send(amplitude, event(3, event_type="$groupidentify", **group))
    page = amplitude.schema()
    assert {each.name: each.events for each in page.user_properties} == {"plan": 2, "visits": 1}
    (company,) = page.group_types
    assert (company.group_type, company.properties[0].types) == ("company", {"integer": 1})
    assert page.plan is None


PLAN = parse_plan("""
version: 1
events:
  Song Played:
    properties:
      items:
        type: array
        items: {type: object, properties: {sku: {type: string}}}
    additionalProperties: true
group_properties:
  company:
    seats: {type: integer}
""")


def test_marks_of_what_lies_within() -> None:
    """A deviation within a property marks it; what an open event takes besides is as planned."""
    with Amplitude(clock=fixed(), rules=Rules(), plan=PLAN) as beside:
        send(beside, event(1, event_properties={"items": [{"sku": 7}], "other": 1}))
        groups = {"company": "a", "team": "b"}
        written = {"$set": {"seats": "many", "name": "A"}}
        send(beside, event(2, event_type="$groupidentify", groups=groups, group_properties=written))
        page = beside.schema()
    song = page.event_types[1]
    assert song.plan is not None
    assert song.plan.mark == "deviating"
    marks = {each.name: each.plan and each.plan.mark for each in song.properties}
    assert marks == {"items": "mistyped", "other": "planned"}
    company, team = page.group_types
    assert {each.name: each.plan and each.plan.mark for each in company.properties} == {
        "seats": "mistyped", "name": "new",
    }  # fmt: skip
    assert [each.plan for each in team.properties] == [None, None]
    assert page.plan is not None
    assert page.plan.deviating == 3


def test_event_types_without_end_are_left_out(amplitude: Amplitude) -> None:
    """Of names that hold ids the first are told, and what is told stays bounded."""
    for start in range(0, 2_100, 700):
        send(amplitude, *(event(n, event_type=f"view {n}") for n in range(start, start + 700)))
    assert len(seen(amplitude)) == 2_000


VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.text("ab", max_size=3)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]), st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES, max_size=3)
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=examples(30))
@given(EVENTS)
def test_counts_are_those_of_the_events(events: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever came, each property is counted once for each event that has it."""
    with Amplitude(clock=fixed()) as amplitude:
        for number, (event_type, properties) in enumerate(events):
            send(
                amplitude,
                event(number, event_type=event_type, event_properties=properties, time=AT_MS),
            )
        found = seen(amplitude)
    assert {name: each.events for name, each in found.items()} == Counter(name for name, _ in events)
    for name, each in found.items():
        wanted = Counter(key for own, properties in events if own == name for key in properties)
        assert {held.name: held.events for held in each.properties} == wanted
        for held in each.properties:
            values = [json.loads(text) for text in held.examples]
            assert all(
                any(own == name and properties.get(held.name) == value for own, properties in events)
                for value in values
            )


def test_another_plan_is_held_to_what_is_kept(amplitude: Amplitude) -> None:
    """Everything that came is marked by the new plan, and still counted once."""
    plan = parse_plan("version: 1\nevents: {Played: {}}")
    with Amplitude(clock=fixed(), rules=Rules(), plan=plan) as beside:
        send(beside, event(1, event_properties={"total": 1}), event(2, event_properties={"total": "2"}))
        assert {name: each.plan and each.plan.mark for name, each in seen(beside).items()} == {
            "Song Played": "new",
            "Played": "missing",
        }
        beside.replan(parse_plan("version: 1\nevents: {Song Played: {properties: {total: {type: integer}}}}"))
        send(beside, event(3, event_properties={"total": "3"}))
        (only,) = seen(beside).values()
        (total,) = only.properties
        assert (only.events, total.events, total.plan and total.plan.mark) == (3, 3, "mistyped")
        assert total.plan
        assert [each.count for each in total.plan.deviations] == [2]
        before = beside.schema().plan
        beside.replan(beside._seen._plan or plan, "why not")
        after = beside.schema().plan
        assert before
        assert after
        assert (before.error, after.error, after.deviating) == ("", "why not", before.deviating)
