"""Call by call, what a server receives from either SDK is the same."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from typing import Any

import pytest

from antinode.testing import Endpoint
from tests.amplitude.sdks import OFFICIAL, OURS, Sdk, collect_leftovers, wait_for

Call = Callable[[Sdk, Any], object]
SDKS = (Sdk(OFFICIAL), Sdk(OURS))


class Size(enum.Enum):
    SMALL = "s"


def user(sdk: Sdk, **more: Any) -> Any:
    return sdk.EventOptions(user_id="user-20391", device_id="device-7", **more)


def identify(sdk: Sdk) -> Any:
    made = sdk.Identify().set("plan", "pro").set_once("since", 2020).add("visits", 1).append("tags", ["a"])
    return made.prepend("list", "b").pre_insert("c", 1).post_insert("d", 2).remove("e", "x").unset("f")


CALLS: dict[str, Call] = {
    "the least event": lambda sdk, client: client.track(sdk.BaseEvent("Song Played", "user-20391")),
    "a device alone": lambda sdk, client: client.track(sdk.BaseEvent("Song Played", device_id="device-7")),
    "all fields": lambda sdk, client: client.track(
        sdk.BaseEvent(
            "Song Played",
            "user-20391",
            "device-7",
            1_700_000_000_000,
            {"title": "Blue in Green", "seconds": 337, "live": False, "score": 9.5, "tags": ["jazz", "slow"]},
            {"plan": "pro"},
            {"org": "acme", "team": ["a", "b"]},
            **{"app_version": "2.4", "platform": "web", "os_name": "Linux", "os_version": "6.1"},
            **{"device_brand": "Acme", "device_manufacturer": "Acme Ltd", "device_model": "X1"},
            **{"carrier": "Telenor", "country": "Norway", "region": "Oslo", "city": "Oslo", "dma": "none"},
            **{"language": "Norwegian", "price": 9.5, "quantity": 2, "revenue": 19.0, "product_id": "P1"},
            **{"revenue_type": "purchase", "currency": "NOK", "location_lat": 59.9, "location_lng": 10.7},
            **{"ip": "203.0.113.9", "idfa": "a", "idfv": "b", "adid": "c", "android_id": "d"},
            **{"event_id": 7, "session_id": 1_700_000_000_001, "insert_id": "once-1"},
            **{"plan": sdk.Plan("main", "Python", "3", "v3"), "partner_id": "partner"},
            **{"ingestion_metadata": sdk.IngestionMetadata("import", "2"), "user_agent": "Mozilla"},
        )
    ),
    "objects and lists of objects": lambda sdk, client: client.track(
        sdk.BaseEvent("Order Placed", "user-20391", event_properties={"items": [{"sku": "a"}, {"sku": "b"}]})
    ),
    "enums and nones": lambda sdk, client: client.track(
        sdk.BaseEvent("Order Placed", "user-20391", event_properties={"size": Size.SMALL, "none": None})
    ),
    "nothing but nones": lambda sdk, client: client.track(
        sdk.BaseEvent("Order Placed", "user-20391", event_properties={"none": None}, user_properties={})
    ),
    "text of all kinds": lambda sdk, client: client.track(
        sdk.BaseEvent(
            "Sang spilt ♫", "bruker-ø", event_properties={"emoji": "🎷", "quote": '"\\', "line": "\n"}
        )
    ),
    "long text": lambda sdk, client: client.track(
        sdk.BaseEvent("Song Played", "user-20391", event_properties={"lyrics": "la " * 1000})
    ),
    "an attribute set later": lambda sdk, client: [
        event := sdk.BaseEvent("Song Played", "user-20391"),
        setattr(event, "city", "Oslo"),
        event.__setitem__("language", "Norwegian"),
        client.track(event),
    ],
    "a class of one's own": lambda sdk, client: client.track(
        type("Played", (sdk.BaseEvent,), {})("Song Played", "user-20391", event_properties={"a": 1})
    ),
    "loaded options": lambda sdk, client: [
        event := sdk.BaseEvent("Song Played", event_properties={"a": 1}),
        event.load_event_options(user(sdk, session_id=5)),
        client.track(event),
    ],
    "identify": lambda sdk, client: client.identify(identify(sdk), user(sdk)),
    "identify with event properties": lambda sdk, client: client.identify(
        sdk.Identify().set("a", 1), user(sdk), {"from": "import"}
    ),
    "identify and clear": lambda sdk, client: client.identify(sdk.Identify().clear_all(), user(sdk)),
    "an identify event": lambda sdk, client: client.track(
        sdk.IdentifyEvent("user-20391", identify_obj=sdk.Identify().set("a", [1]))
    ),
    "group identify": lambda sdk, client: client.group_identify(
        "org", "acme", sdk.Identify().set("plan", "pro"), user(sdk)
    ),
    "group identify without a user": lambda sdk, client: client.group_identify(
        "org", "acme", sdk.Identify().set("plan", "pro")
    ),
    "group identify with more": lambda sdk, client: client.group_identify(
        "org", "acme", sdk.Identify().set("a", 1), user(sdk), {"b": 2}, {"c": 3}
    ),
    "set a group": lambda sdk, client: client.set_group("org", "acme", user(sdk)),
    "set groups": lambda sdk, client: client.set_group("org", ["acme", "umbrella"], user(sdk)),
    "revenue": lambda sdk, client: client.revenue(sdk.Revenue(9.5), user(sdk)),
    "revenue with everything": lambda sdk, client: client.revenue(
        sdk.Revenue(9.5, 2, "P1", "purchase", "receipt", "signature", {"a": 1}, 19.0, "NOK"), user(sdk)
    ),
    "a revenue event": lambda sdk, client: client.track(
        sdk.RevenueEvent("user-20391", revenue_obj=sdk.Revenue(9.5), event_properties={"a": 1})
    ),
    "a plan for all events": lambda sdk, client: [
        setattr(client.configuration, "plan", sdk.Plan("main")),
        setattr(client.configuration, "ingestion_metadata", sdk.IngestionMetadata("import")),
        client.track(sdk.BaseEvent("Song Played", "user-20391")),
    ],
    "short ids that are allowed": lambda sdk, client: [
        setattr(client.configuration, "min_id_length", 1),
        client.track(sdk.BaseEvent("Song Played", "u")),
    ],
    "opted out": lambda sdk, client: [
        setattr(client.configuration, "opt_out", True),
        client.track(sdk.BaseEvent("Song Played", "user-20391")),
    ],
    "invalid events": lambda sdk, client: [
        client.track(sdk.BaseEvent("Song Played")),
        client.track(sdk.BaseEvent("", "user-20391")),
        client.track(sdk.EventOptions("user-20391")),
    ],
    "empty calls": lambda sdk, client: [
        client.identify(sdk.Identify(), user(sdk)),
        client.group_identify("org", "acme", sdk.Identify()),
        client.revenue(sdk.Revenue("free"), user(sdk)),
    ],
    "the same event twice": lambda sdk, client: [
        event := sdk.BaseEvent("Song Played", "user-20391"),
        client.track(event),
        client.track(event),
    ],
}
ADDED = {"time", "insert_id", "library"}
"""What a client puts on an event: there in both, and different each time."""


def received(sdk: Sdk, call: Call) -> tuple[list[dict[str, Any]], Any]:
    """The events of a call as a server has them, and the options of its requests."""
    bodies: list[dict[str, Any]] = []
    with Endpoint() as endpoint:
        endpoint.answer = lambda arrival: bodies.append(json.loads(arrival.body))
        client = sdk.Amplitude("key-20391", sdk.Config(server_url=endpoint.url))
        call(sdk, client)
        wait_for(client.flush())
        client.shutdown()
    assert {body["api_key"] for body in bodies} <= {"key-20391"}
    return [event for body in bodies for event in body["events"]], [body.get("options") for body in bodies]


def masked(event: dict[str, Any]) -> dict[str, Any]:
    assert event.keys() >= ADDED
    return {
        key: "…" if key in ADDED and value not in {"once-1", 1_700_000_000_000} else value
        for key, value in event.items()
    }


def test_every_call_arrives_alike() -> None:
    """The same events in the same order, key by key and value by value; nothing where nothing is sent."""
    for name, call in CALLS.items():
        (theirs, their_options), (ours, our_options) = (received(sdk, call) for sdk in SDKS)
        assert list(map(masked, ours)) == list(map(masked, theirs)), name
        assert our_options == their_options, name
        collect_leftovers()
        assert len({event["insert_id"] for event in ours}) == len({event["insert_id"] for event in theirs})


@pytest.mark.parametrize("sdk", SDKS, ids=repr)
def test_the_batch_api_is_used_where_it_is_asked_for(sdk: Sdk) -> None:
    """Each SDK sends to the URL that it is given."""
    with Endpoint() as endpoint:
        client = sdk.Amplitude("key-20391", sdk.Config(server_url=endpoint.batch_url, use_batch=True))
        client.track(sdk.BaseEvent("Song Played", "user-20391"))
        wait_for(client.flush())
        client.shutdown()
        assert [request.path for request in endpoint.requests] == ["/batch"]
