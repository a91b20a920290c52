"""Misuses that the types catch: each line with an ignore must not type-check. Read by the checker, never run.

The checker reports an ignore that is not needed, so a misuse that starts to pass fails the test.
"""

import antinode
from antinode import Delivery, Event, EventDict, Identify, Plan, Revenue

client = antinode.init("KEY")

# Events as dicts.
no_type: EventDict = {"user_id": "user-20391"}  # type: ignore[typeddict-item]
misspelt: EventDict = {"event_type": "Song Played", "userid": "user-20391"}  # type: ignore[typeddict-unknown-key]
number_as_id: EventDict = {"event_type": "Song Played", "user_id": 20391}  # type: ignore[typeddict-item]
time_as_text: EventDict = {"event_type": "Song Played", "time": "2026-11-04"}  # type: ignore[typeddict-item]
list_of_properties: EventDict = {"event_type": "Song Played", "event_properties": ["title"]}  # type: ignore[typeddict-item]
number_as_group: EventDict = {"event_type": "Song Played", "groups": {"label": 15}}  # type: ignore[dict-item]
snake_case: EventDict = {"event_type": "Song Played", "product_id": "vinyl"}  # type: ignore[typeddict-unknown-key]
text_as_flag: EventDict = {"event_type": "Song Played", "$skip_user_properties_sync": "yes"}  # type: ignore[typeddict-item]
wrong_plan: EventDict = {"event_type": "Song Played", "plan": "main"}  # type: ignore[typeddict-item]

# Events as objects.
Event()  # type: ignore[call-arg]
Event("Song Played", "user-20391")  # type: ignore[call-arg]
Event("Song Played", userid="user-20391")  # type: ignore[arg-type]
Event("Song Played", user_id=20391)  # type: ignore[arg-type]
Event("Song Played", product_id="vinyl")  # type: ignore[arg-type]
Event("Song Played").user_idd = "user-20391"  # type: ignore[assignment]
Event("Song Played").quantity = "two"  # type: ignore[assignment]
Event("Song Played", plan="main")  # type: ignore[arg-type]
Plan(version=3)  # type: ignore[arg-type]
Plan().version = "3"  # type: ignore[misc]

# Identify and revenue.
Identify().set("plan")  # type: ignore[call-arg]
Identify().set("plan", None)  # type: ignore[arg-type]
Identify().set(7, "pro")  # type: ignore[arg-type]
Identify().add("logins", "1")  # type: ignore[arg-type]
Identify().unset("plan", "pro")  # type: ignore[call-arg]
Identify().set_group("label", 15)  # type: ignore[arg-type]
Identify(True)  # type: ignore[call-arg]
Identify().problems = ()  # type: ignore[misc]
Revenue(19.99)  # type: ignore[call-arg]
Revenue(price="19.99")  # type: ignore[arg-type]
Revenue(quantity=1.5)  # type: ignore[arg-type]
Revenue().set_currency(978)  # type: ignore[arg-type]
Revenue().set_event_properties(["coupon"])  # type: ignore[arg-type]

# The client.
client.log_event("Song Played")  # type: ignore[arg-type]
client.log_event({"user_id": "user-20391"})  # type: ignore[typeddict-item]
client.log_event({"event_type": "Song Played"}, once=88231)  # type: ignore[arg-type]
client.log_event({"event_type": "Song Played"}, None, "order-88231")  # type: ignore[call-arg]
client.identify("user-20391", None, {"plan": "pro"})  # type: ignore[call-overload]
client.revenue("user-20391", None, 19.99)  # type: ignore[call-overload]
client.flush("soon")  # type: ignore[arg-type]
client.add_event_middleware("redact")  # type: ignore[arg-type]
client.logevent({"event_type": "Song Played"})  # type: ignore[attr-defined]
antinode.init("KEY", server_zone="MOON")  # type: ignore[arg-type]
antinode.init("KEY", flush_interval=1)  # type: ignore[call-arg]
antinode.init(7)  # type: ignore[arg-type]


def needs_a_callable(delivery: Delivery) -> None:
    delivery.add_done_callback("print")  # type: ignore[arg-type]
    delivery.code  # type: ignore[attr-defined]  # noqa: B018 - that is in the outcome
    delivery.body  # type: ignore[attr-defined]  # noqa: B018 - that is how it is delivered
    delivery.attempts  # type: ignore[attr-defined]  # noqa: B018 - the same; how many it took is in the outcome
