"""Events, identifications, revenue and what they are sent as: the same in both SDKs."""

from __future__ import annotations

import copy
import enum
import json
import logging
from typing import Any

import pytest

from tests.amplitude.sdks import Sdk

FIELDS: dict[str, Any] = {
    **{"user_id": "user-20391", "device_id": "device-7", "time": 1_700_000_000_000, "app_version": "2.4"},
    **{"platform": "web", "os_name": "Linux", "os_version": "6.1", "device_brand": "Acme"},
    **{"device_manufacturer": "Acme Ltd", "device_model": "X1", "carrier": "Telenor", "country": "Norway"},
    **{"region": "Oslo", "city": "Oslo", "dma": "none", "language": "Norwegian", "price": 9.5, "quantity": 2},
    **{"revenue": 19.0, "product_id": "P1", "revenue_type": "purchase", "currency": "NOK"},
    **{"location_lat": 59.9, "location_lng": 10.7, "ip": "203.0.113.9", "idfa": "a", "idfv": "b"},
    **{"adid": "c", "android_id": "d", "event_id": 7, "session_id": 1_700_000_000_001, "insert_id": "once-1"},
    **{"partner_id": "partner", "user_agent": "Mozilla"},
}
OTHER_KEYS = {"product_id": "productId", "revenue_type": "revenueType"}
BODY = {OTHER_KEYS.get(name, name): value for name, value in FIELDS.items()}


class Colour(enum.Enum):
    RED = "red"


def test_every_field_is_an_attribute_a_key_and_part_of_the_body(sdk: Sdk) -> None:
    """What the constructor takes can be read both ways, and is sent under the name of the API."""
    event = sdk.BaseEvent("Song Played", **FIELDS)
    assert {name: event[name] for name in FIELDS} == FIELDS
    assert {name: getattr(event, name) for name in FIELDS} == FIELDS
    assert event.get_event_body() == {"event_type": "Song Played", **BODY}


def test_options_take_the_same_fields_and_the_name_of_the_version(sdk: Sdk) -> None:
    """EventOptions has what is common to all events."""
    options = sdk.EventOptions(**FIELDS, version_name="Nightly")
    assert options.get_event_body() == {**BODY, "version_name": "Nightly"}
    assert not isinstance(options, sdk.BaseEvent)


@pytest.mark.parametrize("kind", ["EventOptions", "BaseEvent", "IdentifyEvent", "RevenueEvent"])
def test_arguments_without_names_have_the_same_places(sdk: Sdk, kind: str) -> None:
    """The first arguments are those that are usually given without names."""
    given: list[Any] = ["user-20391", "device-7", 5]
    if kind == "BaseEvent":
        given.insert(0, "Song Played")
    if kind != "EventOptions":
        given += [{"a": 1}, {"b": 2}, {"org": "acme"}, {"c": 3}]
    body = getattr(sdk, kind)(*given).get_event_body()
    assert (body["user_id"], body["device_id"], body["time"]) == ("user-20391", "device-7", 5)
    if kind != "EventOptions":
        assert (body["event_properties"], body["user_properties"]) == ({"a": 1}, {"b": 2})
        assert (body["groups"], body["group_properties"]) == ({"org": "acme"}, {"c": 3})


def test_all_arguments_without_names(sdk: Sdk) -> None:
    """The order of all arguments is the same, to the last."""
    seen: list[Any] = []
    names = [name for name in FIELDS if name != "user_agent"]
    options = sdk.EventOptions(
        *(FIELDS[name] for name in names[:-1]),
        *(None, None, "partner", "Nightly", "Mozilla"),
        lambda event, code, message: seen.append(code),
    )
    options.callback(200, "")
    assert options.get_event_body() == {**BODY, "version_name": "Nightly"}
    assert seen == [200]


def test_unknown_arguments_are_refused(sdk: Sdk) -> None:
    """A misspelt argument is a TypeError, as of any Python function."""
    with pytest.raises(TypeError, match="evnt_properties"):
        sdk.BaseEvent("Song Played", evnt_properties={})
    with pytest.raises(TypeError, match="event_type"):
        sdk.BaseEvent()
    with pytest.raises(TypeError):
        sdk.BaseEvent("Song Played", event_type="Song Played")
    with pytest.raises(TypeError):
        sdk.EventOptions(*range(60))


def test_an_unknown_key_is_logged_and_left_out(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    """Setting what no event has changes nothing, and says so."""
    event = sdk.BaseEvent("Song Played", user_id="user-20391")
    event["id_device"] = "device-7"
    assert "id_device" not in event
    assert "device_id" not in event
    assert event["id_device"] is None
    assert caplog.messages == ["Unexpected event property key: id_device"]
    options = sdk.EventOptions()
    options["event_properties"] = {}
    assert caplog.messages[1:] == ["Unexpected event property key: event_properties"]


def test_a_wrong_type_is_logged_and_left_out(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    """A value of another type than the field's changes nothing, and the line names both."""
    event = sdk.BaseEvent("Song Played", user_id="user-20391", session_id="now")
    event["time"] = 98.6
    assert ("time" in event, event["time"], event.session_id) == (False, None, None)
    assert caplog.messages == [
        "Event property session_id expected <class 'int'> but received <class 'str'>.",
        "Event property time expected <class 'int'> but received <class 'float'>.",
    ]
    assert {(record.name, record.levelname) for record in caplog.records} == {("amplitude", "ERROR")}


def test_none_takes_a_value_away(sdk: Sdk) -> None:
    """An event has what is not None."""
    event = sdk.BaseEvent("Song Played", user_id="user-20391", city="Oslo")
    event["city"] = None
    assert "city" not in event
    assert event.get_event_body() == {"event_type": "Song Played", "user_id": "user-20391"}


def test_attributes_are_not_checked(sdk: Sdk) -> None:
    """Who sets an attribute has the last word."""
    event = sdk.BaseEvent("Song Played", user_id="user-20391")
    event.time = 98.6
    event.foo = "bar"
    assert event.get_event_body() == {"event_type": "Song Played", "user_id": "user-20391", "time": 98.6}


def test_retries_can_be_counted(sdk: Sdk) -> None:
    """`retry` begins at 0."""
    event = sdk.BaseEvent("Song Played", user_id="user-20391")
    assert event.retry == 0
    event.retry += 1
    assert event.retry == 1


def test_an_event_as_text_is_its_json(sdk: Sdk) -> None:
    """With the keys in order."""
    event = sdk.BaseEvent("Song Played", user_id="user-20391", event_id=10)
    assert str(event) == '{"event_id": 10, "event_type": "Song Played", "user_id": "user-20391"}'


def test_callbacks_of_events(sdk: Sdk) -> None:
    """An event calls its callback with itself, and none if it has none."""
    seen: list[Any] = []
    event = sdk.BaseEvent("Song Played", callback=lambda *given: seen.append(given))
    event.callback(200, "Sent")
    event.callback(200)
    sdk.BaseEvent("Song Played", callback=None).callback(200, "Sent")
    assert seen == [(event, 200, "Sent"), (event, 200, None)]


@pytest.mark.parametrize(
    "properties",
    [
        {4: "4"},
        {"list": ["4", [5, 6]]},
        {"list": ["4", set()]},
        {"list": [{"deep": {5: 6}}]},
        {"object": object()},
        {"deep": {"deeper": object()}},
        {"list": [object()]},
    ],
)
def test_properties_that_are_refused(sdk: Sdk, properties: dict[Any, Any]) -> None:
    """Keys that are no strings, lists in lists, and objects that are no data are not taken."""
    event = sdk.BaseEvent("Song Played", user_id="user-20391")
    event["event_properties"] = properties
    assert "event_properties" not in event
    assert "event_properties" not in sdk.BaseEvent("Song Played", event_properties=properties)
    assert sdk.module("event").is_validate_object(properties) is False


@pytest.mark.parametrize(
    "properties",
    [
        {"list": ["4", {"test": True}]},
        {"list": ["a", "c", 3, True]},
        {"number": 26.92, "whole": 9},
        {"flag": False},
        {"deep": {"deeper": {"deepest": [1, 2]}}},
        {"enum": Colour.RED},
    ],
)
def test_properties_that_are_taken(sdk: Sdk, properties: dict[str, Any]) -> None:
    """JSON values and enums are."""
    event = sdk.BaseEvent("Song Played", user_id="user-20391")
    event["event_properties"] = properties
    assert event.event_properties == properties
    assert sdk.module("event").is_validate_object(properties) is True


def test_enums_and_nones_in_the_body(sdk: Sdk) -> None:
    """An enum is its value, and a property that is None is none."""
    event = sdk.BaseEvent(
        "Song Played",
        user_properties={"colour": Colour.RED, "size": None},
        event_properties={"empty": None, "deep": {"none": None}},
    )
    assert event.get_event_body() == {
        "event_type": "Song Played",
        "user_properties": {"colour": "red"},
        "event_properties": {"deep": {"none": None}},
    }


def test_bodies_are_cut(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    """`get_event_body` cuts strings to 1024 characters and empties objects of more than 1024 keys."""
    event = sdk.BaseEvent("Song Played", device_id="acbdx" * 1000)
    event["event_properties"] = {"long": "acbdx" * 1000, "list": ["x" * 2000]}
    event["user_properties"] = {"wide": {str(each): 1 for each in range(2000)}}
    assert event.get_event_body() == {
        "event_type": "Song Played",
        "device_id": ("acbdx" * 1000)[:1024],
        "event_properties": {"long": ("acbdx" * 1000)[:1024], "list": ["x" * 1024]},
        "user_properties": {"wide": {}},
    }
    assert caplog.messages == ["Too many properties. 1024 maximum."]


def test_options_are_loaded_into_an_event(sdk: Sdk) -> None:
    """They win over what the event has; what is in them is copied."""
    metadata = sdk.IngestionMetadata(source_name="import", source_version="3")
    event = sdk.BaseEvent("Song Played", event_properties={"a": 1}, time=0)
    event.load_event_options(None)
    options = sdk.EventOptions(user_id="user-20391", time=10, ingestion_metadata=metadata)
    event.load_event_options(options)
    assert event.get_event_body() == {
        "event_type": "Song Played",
        "user_id": "user-20391",
        "time": 10,
        "event_properties": {"a": 1},
        "ingestion_metadata": {"source_name": "import", "source_version": "3"},
    }
    other = sdk.BaseEvent("Song Played", event_properties={"b": [1]})
    event.load_event_options(other)
    other.event_properties["b"].append(2)
    assert event.event_properties == {"b": [1]}


def test_a_copy_is_independent(sdk: Sdk) -> None:
    """`copy.deepcopy` of an event shares no property with it."""
    event = sdk.BaseEvent("Song Played", event_properties={"list": [{"a": 1}]})
    other = copy.deepcopy(event)
    other.event_properties["list"][0]["a"] = 2
    assert event.event_properties == {"list": [{"a": 1}]}
    assert type(other) is sdk.BaseEvent


def test_subclasses_may_check_for_themselves(sdk: Sdk) -> None:
    """A subclass that overrides `__setitem__` or the body has its way, from the constructor on."""

    class Mended(sdk.BaseEvent):  # type: ignore[misc,name-defined]
        def __setitem__(self, key: str, value: Any) -> None:
            if key == "event_properties" and value:
                value = {name: each for name, each in value.items() if isinstance(each, int)}
            super().__setitem__(key, value)

        def get_event_body(self) -> dict[str, Any]:
            body: dict[str, Any] = super().get_event_body()
            body["event_properties"]["added"] = True
            return body

    event = Mended("Song Played", event_properties={"good": 1, "bad": object()})
    assert event.event_properties["good"] == 1
    assert event.get_event_body()["event_properties"] == {"good": 1, "added": True}


OPERATIONS = {
    "set": "$set",
    "set_once": "$setOnce",
    "append": "$append",
    "prepend": "$prepend",
    "pre_insert": "$preInsert",
    "post_insert": "$postInsert",
    "remove": "$remove",
}


@pytest.mark.parametrize("method", OPERATIONS)
@pytest.mark.parametrize("value", [15, "text", False, 29.4, ["a", "b"], {"key": "value"}])
def test_operations(sdk: Sdk, method: str, value: Any) -> None:
    """Each method writes its operation, returns the object, and makes it valid."""
    identify = sdk.Identify()
    assert not identify.is_valid()
    assert getattr(identify, method)("name", value) is identify
    assert identify.user_properties == {OPERATIONS[method]: {"name": value}}
    assert identify.is_valid()


def test_numbers_are_added_and_properties_unset(sdk: Sdk) -> None:
    """`add` takes numbers alone."""
    identify = sdk.Identify().add("visits", 12).unset("plan").add("bad", "12")
    assert identify.user_properties == {"$add": {"visits": 12}, "$unset": {"plan": "-"}}


def test_one_operation_for_each_property(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    """A later one on the same property is logged and left out."""
    identify = sdk.Identify().set("plan", "pro").set("plan", "free").set_once("plan", "trial")
    assert identify.user_properties == {"$set": {"plan": "pro"}}
    assert caplog.messages == ["Key or clear all operation already set."] * 2


def test_clear_all_takes_the_place_of_everything(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing can be said beside it."""
    identify = sdk.Identify().append("a", [1]).set("b", 2).add("c", 3).clear_all()
    assert identify.user_properties == {"$clearAll": "-"}
    identify.set("d", 4)
    assert identify.user_properties == {"$clearAll": "-"}
    assert caplog.messages == ["Key or clear all operation already set."]


def test_bad_values_of_operations_are_left_out(sdk: Sdk) -> None:
    """What cannot be a property's value is not operated with."""
    identify = sdk.Identify().set("a", object()).append("b", [[1]]).set(5, 1)
    assert not identify.is_valid()


def test_properties_of_an_identify_are_copies(sdk: Sdk) -> None:
    """Changing what was read changes nothing."""
    identify = sdk.Identify().set("a", [1])
    identify.user_properties["$set"]["a"].append(2)
    assert identify.user_properties == {"$set": {"a": [1]}}


def test_special_events_have_their_types(sdk: Sdk) -> None:
    """Identify and revenue events are events of their own classes and types."""
    identify = sdk.Identify().set("plan", "pro")
    revenue = sdk.Revenue(price=30.65, quantity=2)
    events = [
        sdk.IdentifyEvent(user_id="user-20391", identify_obj=identify),
        sdk.GroupIdentifyEvent(identify_obj=identify),
        sdk.RevenueEvent(revenue_obj=revenue, event_properties={"a": 1}),
    ]
    assert [event.event_type for event in events] == ["$identify", "$groupidentify", "revenue_amount"]
    assert events[0].user_properties == {"$set": {"plan": "pro"}}
    assert events[1].group_properties == {"$set": {"plan": "pro"}}
    assert events[2].event_properties == {"a": 1, "$price": 30.65, "$quantity": 2}
    assert all(isinstance(event, sdk.BaseEvent) for event in events)
    assert not isinstance(events[0], sdk.GroupIdentifyEvent)


def test_revenue_needs_a_price_and_a_quantity(sdk: Sdk) -> None:
    """A price that is text and a quantity below 1 are not valid."""
    revenue = sdk.Revenue(price="30.65", quantity=2)
    assert not revenue.is_valid()
    revenue.price = 30.65
    assert revenue.is_valid()
    for quantity in (-2, 0, "2"):
        revenue.quantity = quantity
        assert not revenue.is_valid()


def test_what_a_revenue_is_sent_as(sdk: Sdk) -> None:
    """Its own keys begin with a dollar, beside the properties that it was given, which stay as they are."""
    given = {"other": "test", "list": [1]}
    revenue = sdk.Revenue(30.65, 2, "P1", "purchase", properties=given, revenue=61.3, currency="NOK")
    assert revenue.set_receipt("receipt", "signature") is revenue
    expected = {
        **{"other": "test", "list": [1], "$price": 30.65, "$quantity": 2, "$productId": "P1"},
        **{"$revenueType": "purchase", "$receipt": "receipt", "$receiptSig": "signature"},
        **{"$revenue": 61.3, "$currency": "NOK"},
    }
    assert revenue.get_event_properties() == expected
    event = revenue.to_revenue_event()
    assert event.get_event_body() == {"event_type": "revenue_amount", "event_properties": expected}
    assert sdk.RevenueEvent(revenue_obj=revenue).get_event_body() == event.get_event_body()
    assert given == {"other": "test", "list": [1]}


def test_plans_and_sources(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    """What is no text is logged and left out; what is missing is not there."""
    plan = sdk.Plan(branch="main", source="Python", version=5, version_id="xyz")
    metadata = sdk.IngestionMetadata(source_name="import", source_version=1)
    assert plan.get_plan_body() == {"branch": "main", "source": "Python", "versionId": "xyz"}
    assert metadata.get_body() == {"source_name": "import"}
    assert caplog.messages == [
        "Plan.version expected <class 'str'> but received <class 'int'>.",
        "IngestionMetadata.source_version expected <class 'str'> but received <class 'int'>.",
    ]
    plan.version = "5"
    event = sdk.BaseEvent("Song Played", plan=plan, ingestion_metadata=sdk.IngestionMetadata("import", "1"))
    body = event.get_event_body()
    assert body["plan"] == {"branch": "main", "source": "Python", "version": "5", "versionId": "xyz"}
    assert body["ingestion_metadata"] == {"source_name": "import", "source_version": "1"}
    assert json.loads(str(event)) == body


def test_texts_are_cut(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    """`utils.truncate` changes dicts and lists in place, and logs what has too many keys."""
    utils = sdk.module("utils")
    given = [15, 6.6, "a" * 2000, {str(each): each for each in range(2000)}, False, {"b": "b" * 2000}]
    assert utils.truncate(given) is given
    assert given == [15, 6.6, "a" * 1024, {}, False, {"b": "b" * 1024}]
    assert caplog.record_tuples == [("amplitude", logging.ERROR, "Too many properties. 1024 maximum.")]
    assert isinstance(utils.current_milliseconds(), int)
    assert utils.current_milliseconds() > 1_700_000_000_000
