"""antinode: `log_event` with a dict; the queue's limits raised so that nothing is dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.suite.peers import KEY
from bench.suite.peers.session import Session, Settings

import antinode


def open_session(url: str, settings: Settings) -> Session:
    options: dict[str, Any] = {"max_queue_events": 20_000_000, "max_queue_bytes": 8 << 30}
    if settings.get("blocks"):
        options = {"overflow": "block"}
    if "gzip" in settings:
        options["compress"] = settings["gzip"]
    if ca := settings.get("ca"):
        options["ca_bundle"] = ca
    if spool := settings.get("spool"):
        options |= {"storage": spool, "max_spool_bytes": 8 << 30}
    if "connections" in settings:
        options["connections"] = settings["connections"]
    client = antinode.init(KEY, server_url=f"{url}/2/httpapi", request_timeout_millis=60_000, **options)
    for _ in range(settings.get("middleware", 0)):
        client.add_event_middleware(_stamp)

    def finish() -> None:
        report = client.flush(120)
        if not report.complete:
            raise SystemExit(f"antinode: not everything was delivered within two minutes: {report}")

    return Session(logging(client, settings.get("form", "dict")), finish)


def logging(client: antinode.Client, form: str) -> Callable[[Any], object]:
    """What logs an event in this form."""
    log = client.log_event
    forms: dict[str, Callable[[Any], object]] = {
        "dict": log,
        "Event": lambda event: log(antinode.Event(**event)),
        "typed": log,
        "identify": lambda event: client.identify(
            event["user_id"], antinode.Identify().set("plan", "pro").add("flights", 1)
        ),
        "identify as a dict": lambda event: log(
            {
                "event_type": "$identify",
                "user_id": event["user_id"],
                "user_properties": {"$set": {"plan": "pro"}, "$add": {"flights": 1}},
            }
        ),
        "revenue": lambda event: client.revenue(
            event["user_id"], antinode.Revenue(price=19.99, quantity=2, product_id="seat")
        ),
        "revenue as a dict": lambda event: log(
            {
                "event_type": "revenue_amount",
                "user_id": event["user_id"],
                "event_properties": {
                    "$quantity": 2, "$price": 19.99, "$revenue": 39.98, "$productId": "seat"
                },
            }
        ),
    }  # fmt: skip
    return forms[form]


def _stamp(payload: antinode.MiddlewarePayload, next: antinode.MiddlewareNext) -> None:
    payload.event["event_properties"]["release"] = "1.4.2"
    next(payload)
