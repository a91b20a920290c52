"""The event as a typed dict and as an object: the same keys, equal by value, silent in `repr`."""

import copy
import inspect
import pickle
import typing
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._events import (
    Event,
    EventDict,
    IngestionMetadata,
    IngestionMetadataDict,
    Plan,
    PlanDict,
    as_event_dict,
)

# The table of Amplitude's HTTP V2 API, without the keys that it ignores.
# fmt: off
API_KEYS = {
    "user_id", "device_id", "event_type", "user_agent", "time", "event_properties", "user_properties",
    "groups", "group_properties", "$skip_user_properties_sync", "app_version", "platform", "os_name",
    "os_version", "device_brand", "device_manufacturer", "device_model", "carrier", "country", "region",
    "city", "dma", "language", "price", "quantity", "revenue", "productId", "revenueType", "currency",
    "location_lat", "location_lng", "ip", "idfa", "idfv", "adid", "android_id", "android_app_set_id",
    "event_id", "session_id", "insert_id", "plan", "partner_id", "library", "version_name",
    "ingestion_metadata",
}
# fmt: on
ATTRIBUTES = {key.removeprefix("$") for key in API_KEYS}

api_values = st.one_of(
    st.text(), st.integers(), st.booleans(), st.dictionaries(st.text(), st.integers()), st.none()
)
event_dicts = st.fixed_dictionaries(
    {"event_type": st.text()}, optional=dict.fromkeys(sorted(API_KEYS - {"event_type"}), api_values)
)


def without_none(keys):
    return {key: value for key, value in keys.items() if value is not None}


def test_event_dict_has_every_key_of_the_api():
    """`EventDict` names each key of the API's event object; only `event_type` is required."""
    assert EventDict.__required_keys__ | EventDict.__optional_keys__ == API_KEYS
    assert EventDict.__required_keys__ == {"event_type"}


def test_types_of_event_dict_can_be_read_at_run_time():
    """Tools that read types find real ones, the key with a dollar included."""
    hints = typing.get_type_hints(EventDict)
    assert hints["$skip_user_properties_sync"] is bool
    assert hints["time"] == int | float | datetime
    assert typing.get_args(hints["plan"]) == (PlanDict, Plan)


def test_event_takes_the_same_keys_as_keywords():
    """`Event` has a keyword and an attribute for each key of `EventDict`; `event_type` may be positional."""
    parameters = inspect.signature(Event).parameters
    assert set(parameters) - {"unknown"} == ATTRIBUTES
    assert parameters["event_type"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {p.kind for name, p in parameters.items() if name not in {"event_type", "unknown"}} == {
        inspect.Parameter.KEYWORD_ONLY
    }
    event = Event("Song Played")
    assert {name for name in ATTRIBUTES if getattr(event, name) is None} == ATTRIBUTES - {"event_type"}


def test_every_keyword_reaches_its_own_key():
    """What is given under a name comes out under that name and no other."""
    given_values = {name: f"value of {name}" for name in ATTRIBUTES}
    event = Event(**given_values)
    assert {name: getattr(event, name) for name in ATTRIBUTES} == given_values
    assert event.to_dict() == {key: f"value of {key.removeprefix('$')}" for key in API_KEYS}


@given(event_dicts)
def test_dict_and_event_convert_into_each_other(keys):
    """A dict becomes an `Event` and the same dict again; None is an absent key."""
    assert Event.from_dict(keys).to_dict() == without_none(keys)


@given(event_dicts, event_dicts)
def test_events_are_equal_when_their_keys_are(one, other):
    """Equality is that of the keys that are set; events are mutable and so not hashable."""
    assert (Event.from_dict(one) == Event.from_dict(other)) == (without_none(one) == without_none(other))
    assert Event.from_dict(one) == Event.from_dict(one)
    assert Event.__hash__ is None


def test_event_differs_from_a_dict():
    """An `Event` equals only events."""
    assert Event("Song Played") != {"event_type": "Song Played"}


def test_to_dict_gives_a_new_dict_each_time():
    """Changing the dict does not change the event."""
    event = Event("Song Played", user_id="user-20391")
    event.to_dict()["user_id"] = "someone else"
    assert event.to_dict() == {"event_type": "Song Played", "user_id": "user-20391"}


def test_attributes_can_be_changed_and_removed():
    """Attributes are set like any other; None takes the key away."""
    event = Event("Song Played", user_id="user-20391", productId="vinyl")
    event.user_id = None
    event.skip_user_properties_sync = True
    assert event.to_dict() == {
        "event_type": "Song Played",
        "productId": "vinyl",
        "$skip_user_properties_sync": True,
    }


def test_false_and_zero_are_values():
    """Only None means absent."""
    event = Event("Song Played", skip_user_properties_sync=False, quantity=0, event_properties={})
    assert event.to_dict() == {
        "event_type": "Song Played",
        "event_properties": {},
        "$skip_user_properties_sync": False,
        "quantity": 0,
    }


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("product_id", "productId"),
        ("revenue_type", "revenueType"),
        ("userid", "user_id"),
        ("UserId", "user_id"),
        ("skip_user_property_sync", "skip_user_properties_sync"),
        ("event_propertys", "event_properties"),
        ("traits", "user_properties"),
        ("distinct_id", "user_id"),
    ],
)
def test_misspelt_key_is_refused_with_the_right_one(wrong, right):
    """An unknown keyword raises `TypeError` and names the key that was meant."""
    with pytest.raises(TypeError, match=f"no key '{wrong}'; did you mean '{right}'"):
        Event("Song Played", **{wrong: "x"})
    with pytest.raises(TypeError, match=f"did you mean '{right}'"):
        Event.from_dict({"event_type": "Song Played", wrong: "x"})


@pytest.mark.parametrize("key", ["receipt", "receiptType", "colour", ""])
def test_a_key_that_is_nothing_else_misspelt_belongs_in_the_properties(key):
    """Also one that the API takes, where an Event has no attribute for it."""
    with pytest.raises(TypeError, match="properties of your own belong in event_properties"):
        Event("Song Played", **{key: "x"})


def test_unknown_key_unlike_any_other_points_to_event_properties():
    """A key that resembles none is told where properties of one's own go."""
    with pytest.raises(TypeError, match="'zzz'; properties of your own belong in event_properties"):
        Event("Song Played", zzz=1)


def test_unknown_attribute_cannot_be_set():
    """A misspelt attribute is an error, not a key that is silently never sent."""
    with pytest.raises(AttributeError):
        Event("Song Played").usr_id = "user-20391"


def test_event_type_is_required():
    """An event without a type cannot be made, from keywords or from a dict."""
    with pytest.raises(TypeError, match="event_type"):
        Event(user_id="user-20391")
    with pytest.raises(TypeError, match="event_type"):
        Event.from_dict({"user_id": "user-20391"})


def test_repr_tells_the_keys_and_no_values():
    """The `repr` has the event type and which keys are set; values stay out of it."""
    event = Event("Song Played", user_id="secret-user", event_properties={"title": "secret-title"})
    assert repr(event) == "<Event 'Song Played': user_id, event_properties>"
    assert repr(Event("Song Played")) == "<Event 'Song Played'>"
    assert len(repr(Event("x" * 5000))) < 80


def test_events_copy_and_pickle():
    """Events go through `copy`, `deepcopy` and `pickle` unchanged."""
    event = Event("Song Played", time=datetime(2026, 11, 4, tzinfo=timezone.utc), plan=Plan(version="1"))
    assert copy.copy(event) == copy.deepcopy(event) == pickle.loads(pickle.dumps(event)) == event  # noqa: S301 - our own bytes


def test_plan_and_ingestion_metadata_become_dicts():
    """The objects are sent as their set keys, in the API's spelling, whether in an `Event` or in a dict."""
    plan = Plan(branch="main", versionId="9ec2")
    source = IngestionMetadata(source_name="ampli", source_version="2.0")
    expected = {
        "event_type": "Song Played",
        "plan": {"branch": "main", "versionId": "9ec2"},
        "ingestion_metadata": {"source_name": "ampli", "source_version": "2.0"},
    }
    assert Event("Song Played", plan=plan, ingestion_metadata=source).to_dict() == expected
    assert (
        as_event_dict({"event_type": "Song Played", "plan": plan, "ingestion_metadata": source}) == expected
    )
    assert Event("Song Played", plan=plan) == Event("Song Played", plan=plan.to_dict())


def test_plan_and_ingestion_metadata_are_immutable_values():
    """Equal by content, hashable, unchangeable, and strict about names."""
    assert Plan(version="1") == Plan(version="1")
    assert len({Plan(version="1"), Plan(version="1"), Plan()}) == 2
    assert set(Plan(*"abcd").to_dict()) == set(PlanDict.__annotations__)
    assert set(IngestionMetadata(*"ab").to_dict()) == set(IngestionMetadataDict.__annotations__)
    assert Plan().to_dict() == IngestionMetadata().to_dict() == {}
    with pytest.raises(AttributeError):
        Plan().version = "2"
    with pytest.raises(TypeError, match="version_id"):
        Plan(version_id="9ec2")


def test_as_event_dict_leaves_the_callers_dict_alone():
    """The given dict is copied, not changed; keys that the API does not know pass through."""
    event = {"event_type": "Song Played", "plan": Plan(version="1"), "uuid": "x"}
    made = as_event_dict(event)
    assert made == {"event_type": "Song Played", "plan": {"version": "1"}, "uuid": "x"}
    assert event["plan"] == Plan(version="1")
