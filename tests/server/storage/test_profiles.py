"""What an event makes of its user's profile."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode.server.storage.profiles import DEVICE_FIELDS, EMPTY, LOCATION_FIELDS, after, revenue
from antinode.server.storage.property_operations import is_same
from tests.server.storage.test_property_operations import MIXED

FIELDS = st.dictionaries(
    st.sampled_from([*DEVICE_FIELDS, *LOCATION_FIELDS, "app_version"]),
    st.sampled_from(["x", "y"]),
    max_size=4,
)
EVENTS = st.builds(
    lambda event_type, fields, payload: {"event_type": event_type, **fields, "user_properties": payload},
    st.sampled_from(["$identify", "Song Played"]),
    FIELDS,
    MIXED,
)


def folded(*events: dict[str, Any]) -> Any:
    profile = EMPTY
    for seq, event in enumerate(events, 1):
        profile = after(profile, event, seq)
    return profile


@given(st.lists(EVENTS, max_size=6))
def test_a_block_is_as_the_last_event_with_one_of_it(events: list[dict[str, Any]]) -> None:
    """Device and location fields are those of the last event that had any; others of the block are gone."""
    profile = folded(*events)
    for block, known in ((DEVICE_FIELDS, profile.device), (LOCATION_FIELDS, profile.location)):
        sent = [{name: event[name] for name in block if name in event} for event in events]
        assert ([{}, *(each for each in sent if each)])[-1] == known


@given(st.lists(EVENTS, max_size=6))
def test_each_property_names_the_entry_that_set_it(events: list[dict[str, Any]]) -> None:
    """The value of a property is the same in every profile since the entry that it is said to come from."""
    profiles = [EMPTY]
    for seq, event in enumerate(events, 1):
        profiles.append(after(profiles[-1], event, seq))
    last = profiles[-1]
    assert last.set_by.keys() == last.properties.keys()
    for name, seq in last.set_by.items():
        for profile in profiles[seq:]:
            assert is_same(last.properties[name], profile.properties[name])
        if name in profiles[seq - 1].properties:
            assert not is_same(last.properties[name], profiles[seq - 1].properties[name])


@given(EVENTS)
def test_the_same_again_changes_nothing(event: dict[str, Any]) -> None:
    """An event that changes nothing gives back the very profile, so that no version of it is written."""
    event = {**event, "user_properties": {"$set": {"plan": "pro"}}}
    once = folded(event)
    assert after(once, event, 2) is once


def test_an_event_that_skips_the_sync_changes_nothing() -> None:
    """`$skip_user_properties_sync` keeps the event away from the profile."""
    event = {
        "event_type": "Song Played",
        "user_properties": {"plan": "pro"},
        "platform": "Web",
        "app_version": "1",
        "price": 3,
        "$skip_user_properties_sync": True,
    }
    assert EMPTY is folded(event)
    assert EMPTY is not folded({**event, "$skip_user_properties_sync": False})


def test_the_first_version_stays() -> None:
    """`start_version` is the first `app_version`."""
    first, second = {"event_type": "a", "app_version": "1.0"}, {"event_type": "a", "app_version": "2.0"}
    assert folded(first, second).fields == {"start_version": "1.0"}


@pytest.mark.parametrize("sent", ["true", True])
def test_revenue_makes_a_user_paying(sent: Any) -> None:
    """The first revenue event does; after that, only an identify changes it."""
    bought = {"event_type": "Bought", "price": 3}
    assert folded(bought).fields == {"paying": True}
    undone = {"event_type": "$identify", "paying": "false"}
    assert folded(bought, undone, bought).fields == {"paying": False}
    assert folded({"event_type": "$identify", "paying": sent}).fields == {"paying": True}
    assert folded({"event_type": "$identify", "price": 3}).fields == {}


@pytest.mark.parametrize(
    ("event", "earned"),
    [
        ({"price": 2.5, "quantity": 2}, 5.0),
        ({"price": 2.5}, 2.5),
        ({"revenue": 7}, 7),
        ({"price": 2, "quantity": 3, "revenue": 1}, 6),
        ({"price": 2, "revenue": 1}, 1),
        ({"quantity": 3, "revenue": 1}, 1),
        ({"price": -3, "quantity": 2}, -6),
        ({"quantity": 3}, None),
        ({"productId": "x"}, None),
        ({"event_properties": {"$price": 2, "$quantity": 4}}, 8),
        ({"event_properties": {"$revenue": 2}}, 2),
        ({"event_properties": {"$revenue": "2"}}, None),
        ({"price": 1, "event_properties": {"$revenue": 2}}, 1),
        ({}, None),
    ],
)
def test_revenue(event: dict[str, Any], earned: float | None) -> None:
    """Price times quantity, unless there is only `revenue`; the event's own keys before its properties."""
    assert earned == revenue(event)
