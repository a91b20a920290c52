"""The public API as applications use it: every line type-checks. Read by the type checker, never run."""

from collections.abc import Sequence
from datetime import datetime, timezone
from decimal import Decimal

from typing_extensions import assert_type

import antinode
from antinode import (
    Client,
    Delivery,
    Event,
    EventDict,
    Identify,
    IngestionMetadata,
    IngestionMetadataDict,
    Outcome,
    Plan,
    PlanDict,
    Report,
    Revenue,
    Stats,
    Status,
)

client = antinode.init("0123456789abcdef0123456789abcdef")
assert_type(client, Client)
assert_type(antinode.init(), Client)
assert_type(antinode.init("KEY", instance_name="orders", server_zone="EU", use_batch=True), Client)
assert_type(antinode.get_instance(), Client)
assert_type(antinode.get_instance("billing").init("KEY", min_id_length=1, strict=True), Client)
antinode.init(
    "KEY", plan=Plan(branch="main", version="3"), ingestion_metadata=IngestionMetadata("ampli", "2.0")
)
antinode.init("KEY", plan={"branch": "main"}, ingestion_metadata={"source_name": "ampli"})

# A literal is checked key by key.
delivery = client.log_event(
    {
        "event_type": "Song Played",
        "user_id": "user-20391",
        "time": datetime.now(timezone.utc),
        "event_properties": {"title": "Blue in Green", "seconds": 337, "players": ["Evans", "Davis"]},
        "groups": {"label": "Columbia", "genres": ["jazz", "modal"]},
        "$skip_user_properties_sync": True,
        "price": Decimal("19.99"),
        "quantity": 2,
        "productId": "vinyl",
        "plan": {"branch": "main", "versionId": "9ec2"},
        "ingestion_metadata": {"source_name": "ampli"},
    }
)
assert_type(delivery, Delivery)
client.log_event({"event_type": "Song Played", "device_id": "device-1", "time": 1_793_817_970_000})
client.log_event({"event_type": "Song Played", "user_id": "user-20391", "plan": Plan(version="3")})
client.log_event({"event_type": "Order Completed", "user_id": "user-20391"}, once="order-88231")
client.log_event({"event_type": "Song Played", "user_id": "user-20391"}, {"anything": object()})
client.log_event({"event_type": "Song Played", "user_id": "user-20391"}, extra={"request": "r-1"})

# The same as an object.
event = Event("Song Played", user_id="user-20391", event_properties={"title": "So What"}, productId="vinyl")
client.log_event(event)
event.user_id = None
event.skip_user_properties_sync = True
event.plan = Plan(versionId="9ec2")
assert_type(event.event_type, str)
assert_type(Event("Song Played").user_id, "str | None")
assert_type(event.to_dict(), EventDict)
assert_type(Event.from_dict(event.to_dict()), Event)
assert_type(Event.from_dict({"event_type": "Song Played"}), Event)
client.log_event(event.to_dict())


def logged_later(user_id: "str | None", names: Sequence[str]) -> EventDict:
    made: EventDict = {"event_type": "Song Played", "groups": {"label": names}}
    if user_id is not None:
        made["user_id"] = user_id
    Event("Song Played", user_id=user_id)
    return made


plan: PlanDict = Plan(branch="main").to_dict()
source: IngestionMetadataDict = IngestionMetadata(source_name="ampli").to_dict()


def settled(one: Delivery) -> None:
    outcome = one.result(timeout=5)
    assert_type(outcome, Outcome)
    assert_type(outcome.status, Status)
    assert_type(outcome.code, int)
    assert_type(outcome.message, str)
    assert_type(outcome.attempts, int)
    print(outcome.body)
    if outcome.status is Status.SUCCESS:
        print("delivered", outcome.status.value)


assert_type(delivery.done(), bool)
assert_type(delivery.result(), Outcome)
delivery.add_done_callback(settled)
delivery.add_done_callback(lambda one: print(one.result().status))

# Users, groups, revenue.
identify = (
    Identify()
    .set("plan", "pro")
    .set_once("signup", datetime.now(timezone.utc))
    .add("logins", 1)
    .add("balance", Decimal("-1.50"))
    .append("tags", ["a", "b"])
    .prepend("recent", {"title": "So What"})
    .pre_insert("first", 1)
    .post_insert("last", True)
    .remove("old", ("x",))
    .unset("trial")
    .set_group("label", ["Columbia", "Prestige"])
)
assert_type(identify, Identify)
assert_type(identify.problems, "tuple[str, ...]")
assert_type(identify.is_empty, bool)
assert_type(client.identify("user-20391", None, identify), Delivery)
assert_type(client.identify(user_id="user-20391", device_id="device-1", identify=identify), Delivery)
assert_type(client.identify("user-20391", identify), Delivery)
assert_type(client.identify("user-20391", identify, device_id="device-1"), Delivery)
assert_type(client.set_group("user-20391", "label", ["Columbia"]), Delivery)
assert_type(client.group_identify("label", "Columbia", Identify(strict=True).set("tier", "gold")), Delivery)
assert_type(client.log_event(identify.to_event("user-20391")), Delivery)

revenue = Revenue(price=Decimal("19.99"), quantity=2, product_id="vinyl", currency="EUR")
revenue.set_price(20).set_revenue_type("Purchase").set_receipt("receipt", "signature")
revenue.set_event_properties({"coupon": "SPRING"})
assert_type(revenue.is_valid, bool)
assert_type(revenue.problems, "tuple[str, ...]")
assert_type(client.revenue("user-20391", None, revenue), Delivery)
assert_type(client.set_group("user-20391", None, "label", "Columbia"), Delivery)
assert_type(client.log_event(revenue.to_event("user-20391")), Delivery)

# Middleware, books, the end.
assert_type(client.add_event_middleware(lambda payload, next: next(payload)), Client)
client.add_event_middleware(lambda payload, next: print(payload.event, payload.extra))


def traced(payload: antinode.MiddlewarePayload, next: antinode.MiddlewareNext) -> None:
    next(payload)


client.add_event_middleware(traced).add_event_middleware(traced)
client.remove_event_middleware(traced)

assert_type(client.flush(), Report)
assert_type(client.flush(timeout=2.5), Report)
assert_type(client.stats(), Stats)
client.shutdown(timeout=5)

with antinode.init("KEY") as session:
    assert_type(session, Client)
    session.log_event({"event_type": "Song Played", "user_id": "user-20391"})


async def in_asyncio() -> Status:
    async with antinode.init("KEY") as session:
        assert_type(session, Client)
        outcome = await session.log_event({"event_type": "Song Played", "user_id": "user-20391"})
        assert_type(outcome, Outcome)
        assert_type(await session.aflush(), Report)
        assert_type(await session.aflush(timeout=1), Report)
        return outcome.status


async def ended() -> None:
    await client.ashutdown(timeout=1)


# The default instance, from the module.
assert_type(antinode.log_event({"event_type": "Song Played", "user_id": "user-20391"}), Delivery)
assert_type(antinode.log_event(event, once="order-88231"), Delivery)
assert_type(antinode.identify("user-20391", None, identify), Delivery)
assert_type(antinode.group_identify("label", "Columbia", identify), Delivery)
assert_type(antinode.revenue("user-20391", None, revenue), Delivery)
assert_type(antinode.set_group("user-20391", None, "label", "Columbia"), Delivery)
assert_type(antinode.flush(timeout=1), Report)
antinode.shutdown()
