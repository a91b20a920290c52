"""Middleware that stops events, or keeps of them what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from antinode import ConfigurationError, Middleware, MiddlewareNext, MiddlewarePayload
from antinode._protocol.fields import OPERATIONS
from antinode.middleware._events import named, texts, type_finder


def drop(
    *event_types: str,
    where: Callable[[dict[str, Any]], object] | None = None,
) -> Middleware:
    """Stops events: those of the types given, in which `*` stands for anything, and those that `where` picks.

    With both, an event is stopped if its type is named and `where(event)` is true. What is stopped ends as
    skipped.
    """
    names = texts(event_types, "event types to drop")
    if not names and where is None:
        raise ConfigurationError('drop() needs event types or where=: write drop("Health Check")')
    if where is not None and not callable(where):
        raise ConfigurationError(f"where must be a function of the event, not {type(where).__name__}")
    find = type_finder(names)

    def middleware(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        event = payload.event
        is_stopped = not names or find(event.get("event_type")) is not None
        if not (is_stopped and (where is None or where(event))):
            next(payload)

    return named(middleware, "drop")


def allow(
    event_types: Mapping[str, Iterable[str]],
    *,
    user_properties: Iterable[str] | None = None,
) -> Middleware:
    """Lets through what is listed and nothing else.

    `event_types` maps event types, in which `*` stands for anything, to the event properties that they may
    have; `["*"]` allows all. The type itself comes before patterns, and patterns count in their order. An
    event of no listed type ends as skipped, but for "$identify" and "$groupidentify", which are let through.
    `user_properties` are those that any event may have; None allows all.
    """
    if not isinstance(event_types, Mapping):
        raise ConfigurationError(
            'allow() needs a dict of event types and their properties: {"Order Placed": ["total"]}'
        )
    allowed = {
        name: frozenset(texts(properties, f"the properties of {name!r:.60}"))
        for name, properties in event_types.items()
    }
    find = type_finder(allowed)
    of_users = None if user_properties is None else frozenset(texts(user_properties, "user_properties"))

    def middleware(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        event = payload.event
        event_type = event.get("event_type")
        if event_type not in ("$identify", "$groupidentify"):
            name = find(event_type)
            if name is None:
                return
            _keep(event, "event_properties", allowed[name])
        if of_users is not None:
            _keep(event, "user_properties", of_users)
        next(payload)

    return named(middleware, "allow")


def _keep(event: dict[str, Any], field: str, names: frozenset[str]) -> None:
    held = event.get(field)
    if held is None or "*" in names:
        return
    if not isinstance(held, dict):
        del event[field]
        return
    kept: dict[Any, Any] = {}
    for key, value in held.items():
        if key in names:
            kept[key] = value
        elif field == "user_properties" and key in OPERATIONS:
            # `$clearAll` and the like name no property.
            kept[key] = _of_operation(value, names)
    event[field] = kept


def _of_operation(value: Any, names: frozenset[str]) -> Any:
    return {key: item for key, item in value.items() if key in names} if isinstance(value, dict) else value
