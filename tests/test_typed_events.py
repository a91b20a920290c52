"""Events as classes of the application's own."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import pytest

import antinode
from antinode.integrations._held import HeldEvent
from antinode.testing import Endpoint, capture

if TYPE_CHECKING:
    from somewhere import OnlyForCheckers


class OrderPlaced(antinode.TypedEvent, names={"order_id": "Order ID"}):
    """A customer has paid."""

    order_id: str
    total: float
    coupon: str | None = None
    source: str = "web"
    kept: ClassVar[int] = 1


class OrderGiven(OrderPlaced, event_type="order given"):
    to: OnlyForCheckers


class Tagged(antinode.TypedEvent):
    tags: list[str]


class OrderSent(antinode.TypedEvent):
    """One with a constructor of its own."""

    order_id: str
    carrier: str

    def __init__(self, order: str) -> None:
        order_id, carrier = order.split("/")
        super().__init__(order_id=order_id, carrier=carrier, user_id="user-20391")


class GiftPlaced(OrderPlaced):
    def __init__(self, order: str) -> None:
        super().__init__(order_id=order, total=0)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        yield endpoint


def sent(endpoint: Endpoint) -> antinode.Client:
    return antinode.Client().init("0" * 32, server_url=endpoint.url)


def test_a_typed_event_is_its_dict(endpoint: Endpoint) -> None:
    """The type is made of the class's name, properties have theirs, and what is None is left out."""
    event = OrderPlaced(order_id="88231", total=12.5, user_id="user-20391", insert_id="order-1")
    assert event.to_dict() == {
        "event_type": "Order Placed",
        "user_id": "user-20391",
        "insert_id": "order-1",
        "event_properties": {"Order ID": "88231", "total": 12.5, "source": "web"},
    }
    with sent(endpoint) as client:
        assert client.log_event(event).result(120).kind == "delivered"
        client.log_event(event.to_dict() | {"insert_id": "order-2"})  # type: ignore[arg-type]
    one, other = endpoint.events
    assert one["event_properties"] == other["event_properties"]
    assert (one["event_type"], one["user_id"]) == ("Order Placed", "user-20391")


def test_context_middleware_and_once(endpoint: Endpoint) -> None:
    """A typed event goes every way that a dict goes, and is not changed by any."""
    event = OrderGiven(order_id="1", total=1, to="Sue", coupon="X")
    before = event.to_dict()

    def stamp(payload: antinode.MiddlewarePayload, next: antinode.MiddlewareNext) -> None:
        payload.event["event_properties"]["stamped"] = True
        next(payload)

    with sent(endpoint) as client, antinode.context(user_id="user-20391"):
        client.log_event(event)
        client.log_event(event, once="order-1")
        client.add_event_middleware(stamp)
        client.log_event(event)
    assert event.to_dict() == before
    assert [each["event_type"] for each in endpoint.events] == ["order given"] * 3
    assert {each["user_id"] for each in endpoint.events} == {"user-20391"}
    assert [each["event_properties"].get("stamped") for each in endpoint.events] == [None, None, True]
    assert endpoint.events[0]["event_properties"]["to"] == "Sue"


def test_what_a_bad_one_settles_as(endpoint: Endpoint) -> None:
    """Without a user it is rejected, as a dict is."""
    with sent(endpoint) as client:
        assert client.log_event(OrderPlaced(order_id="1", total=1)).result(120).kind == "rejected"


def test_wrong_names_raise_where_they_are_written() -> None:
    """A missing or misspelt property is a TypeError of the constructor, as of any function."""
    with pytest.raises(TypeError, match=r"OrderPlaced.__init__\(\) missing 1 required .*'total'"):
        OrderPlaced(order_id="1")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="OrderPlaced takes named arguments only"):
        OrderPlaced("user-20391", order_id="1", total=1)  # type: ignore[misc]
    with pytest.raises(TypeError, match="unexpected keyword argument 'totl'"):
        OrderPlaced(order_id="1", total=1, totl=2)
    with pytest.raises(TypeError, match=r"user_id is a name that every event has: write user_id_ and names="):
        type("Wrong", (antinode.TypedEvent,), {"__annotations__": {"user_id": str}})
    with pytest.raises(TypeError, match="has no property 'othr', which `names` names"):
        type("Wrong", (antinode.TypedEvent,), {"__annotations__": {"other": str}}, names={"othr": "Other"})


def test_a_value_as_others() -> None:
    """Attributes can be read and not written; equal by value; copied and pickled; silent in `repr`."""
    event = OrderPlaced(order_id="88231", total=12.5, device_id="device-1")
    assert (event.order_id, event.total, event.coupon, event.source) == ("88231", 12.5, None, "web")
    assert (event.device_id, event.user_id, OrderPlaced.kept) == ("device-1", None, 1)
    assert event == OrderPlaced(order_id="88231", total=12.5, device_id="device-1")
    assert event != OrderPlaced(order_id="88231", total=13, device_id="device-1")
    assert event != OrderGiven(order_id="88231", total=12.5, to="Sue")
    assert copy.deepcopy(event) == pickle.loads(pickle.dumps(event)) == event  # noqa: S301 - our own
    with pytest.raises(AttributeError):
        event.total = 3  # type: ignore[misc]
    assert repr(event) == "<OrderPlaced: Order ID, total, source, device_id>"


def test_a_constructor_of_its_own() -> None:
    """A class may write one, which calls that of TypedEvent or of the class above; the type is its own."""
    assert OrderSent("88231/DHL").to_dict() == {
        "event_type": "Order Sent",
        "user_id": "user-20391",
        "event_properties": {"order_id": "88231", "carrier": "DHL"},
    }
    for _ in range(2):
        event = GiftPlaced("88231").to_dict()
        assert (event["event_type"], event["event_properties"]["total"]) == ("Gift Placed", 0)


def test_extra_is_for_the_middleware(endpoint: Endpoint) -> None:
    """As of a dict: what is given beside a typed event reaches the middleware."""
    seen: list[object] = []

    def look(payload: antinode.MiddlewarePayload, next: antinode.MiddlewareNext) -> None:
        seen.append(payload.extra)
        next(payload)

    with sent(endpoint) as client:
        client.add_event_middleware(look)
        client.log_event(OrderPlaced(order_id="1", total=1, user_id="user-20391"), "beside")
        client.log_event(OrderSent("1/DHL"), extra="beside")
    assert seen == ["beside", "beside"]


def test_until_a_transaction_commits() -> None:
    """What is held for a commit has the time and the values of the call, and is not the event itself."""
    tags = ["new"]
    held = HeldEvent(Tagged(tags=tags, user_id="user-20391"), client=None, once=None)
    tags.append("later")
    with capture() as captured:
        held.log()
    (event,) = captured.events
    assert event["event_properties"] == {"tags": ["new"]}
