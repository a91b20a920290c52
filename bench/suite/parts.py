"""What each part of antinode adds to a call of `log_event`, each in a process of its own."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

from bench.suite.hot_path import CALLS, Nowhere
from bench.suite.peers import KEY
from bench.suite.workloads import Make

import antinode
from antinode import middleware as ready_made
from antinode._delivery.http.compression import Compressor
from antinode._interruptions import is_interruption
from antinode._json import dumps
from antinode.plan import TrackingPlan, conform, parse_plan

BODY_EVENTS = 1_900
"""As many as a request of antinode's holds of this size."""
REPEATS = 10


class Part(NamedTuple):
    """What is in use in a call, beside the event."""

    middleware: tuple[antinode.Middleware, ...] = ()
    context: dict[str, Any] | None = None


def run(name: str, make: Make) -> float:
    """Microseconds of CPU that the caller spends on an event; the median of a few repeats."""
    measure = _others().get(name)
    cost = partial(measure, make) if measure is not None else _calling(_part(name, make(0)), make(0))
    return statistics.median(cost() for _ in range(REPEATS))


def _part(name: str, event: Any) -> Part:
    ours = {
        "a middleware that adds a property": lambda: Part((_stamp,)),
        "three of them": lambda: Part((_stamp,) * 3),
        "in a context of two fields": lambda: Part(context={"device_id": "device-20391", "platform": "web"}),
        "in a context that is merged": lambda: Part(
            context={"platform": "web", "event_properties": {"plan": "pro", "page": "/start"}}
        ),
        "`add_properties`": lambda: Part((ready_made.add_properties({"release": "1.4.2"}),)),
        "`rename`": lambda: Part((ready_made.rename(event_properties={"origin": "from"}),)),
        "`allow`": lambda: Part((ready_made.allow({event["event_type"]: list(event["event_properties"])}),)),
        "`drop`": lambda: Part((ready_made.drop("Health Check", "debug.*"),)),
        "`sample`": lambda: Part((ready_made.sample({"Page Viewed": 0.1}),)),
        "`rate_limit`": lambda: Part((ready_made.rate_limit(10**9),)),
        "`hash_ids`": lambda: Part((ready_made.hash_ids(b"a key of the application's"),)),
        "`redact`": lambda: Part((ready_made.redact(),)),
        "`tee`, to a function": lambda: Part((ready_made.tee(lambda _: None),)),
        "`conform`, to a plan of this event": lambda: Part((conform(_plan_of(event)),)),
    }
    return ours.get(name, Part)()


def _plan_of(event: dict[str, Any]) -> TrackingPlan:
    """A plan that names each property of the event, and its type."""
    types = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
    properties = {name: {"type": types[type(value)]} for name, value in event["event_properties"].items()}
    events = {event["event_type"]: {"properties": properties, "required": list(properties)}}
    return parse_plan(json.dumps({"version": 1, "events": events}), is_json=True)


def _calling(part: Part, event: Any) -> Callable[[], float]:
    client = antinode.init(KEY, transport=Nowhere(), upload_interval_in_sec=3600, max_cached_events=10**9)
    for each in part.middleware:
        client.add_event_middleware(each)

    def cost() -> float:
        with antinode.context(**part.context) if part.context else nullcontext():
            spent = _spent(lambda: client.log_event(event), CALLS)
        client.flush(60)
        return spent

    return cost


def _stamp(payload: antinode.MiddlewarePayload, next: antinode.MiddlewareNext) -> None:
    payload.event["event_properties"]["release"] = "1.4.2"
    next(payload)


def _others() -> dict[str, Callable[[Make], float]]:
    """What is not a call, but is spent on an event."""
    return {
        "gzip by ISA-L": _compress,
        "gzip by zlib": _compress,
        "`is_interruption`, once something was raised": lambda _: _spent(
            partial(is_interruption, _raised()), CALLS
        ),
    }


def _compress(make: Make) -> float:
    body = dumps({"api_key": KEY, "events": [make(i) for i in range(BODY_EVENTS)]})
    compress = Compressor()
    return _spent(lambda: compress(body), 5) / BODY_EVENTS


def _raised() -> Exception:
    """An exception that came through three functions, as one of a middleware does."""

    def fail(layers: int) -> None:
        if layers == 0:
            raise LookupError
        fail(layers - 1)

    try:
        fail(3)
    except LookupError as error:
        return error
    raise AssertionError


def _spent(call: Callable[[], object], count: int) -> float:
    """Microseconds of this thread's CPU for each of so many calls."""
    before = time.thread_time()
    for _ in range(count):
        call()
    return (time.thread_time() - before) / count * 1e6
