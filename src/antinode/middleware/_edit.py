"""Middleware that changes names and adds properties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from antinode import ConfigurationError, Middleware, MiddlewareNext, MiddlewarePayload
from antinode.middleware._events import named, property_dicts, texts


def add_properties(
    properties: Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]],
    *,
    field: str = "event_properties",
    override: bool = False,
) -> Middleware:
    """Adds properties to every event.

    `properties` is a mapping, or a function that is given the event and returns one. An event's own property
    wins, unless `override`. `field` is "event_properties" or "user_properties".
    """
    if field not in ("event_properties", "user_properties"):
        raise ConfigurationError(f'field must be "event_properties" or "user_properties", not {field!r:.60}')
    if not (isinstance(properties, Mapping) or callable(properties)):
        raise ConfigurationError(f"properties must be a dict or a function, not {type(properties).__name__}")
    fixed = dict(properties) if isinstance(properties, Mapping) else None

    def middleware(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        event = payload.event
        added = fixed if fixed is not None else properties(event)  # type: ignore[operator]
        own = event.get(field)
        if own is None:
            event[field] = dict(added)
        elif not isinstance(own, dict):
            raise TypeError(f"`{field}` must be a dict to add properties to it, not {type(own).__name__}")
        elif override:
            own.update(added)
        else:
            event[field] = {**added, **own}
        next(payload)

    return named(middleware, "add_properties")


def rename(
    *,
    event_types: Mapping[str, str] | None = None,
    event_properties: Mapping[str, str] | None = None,
    user_properties: Mapping[str, str] | None = None,
) -> Middleware:
    """Gives event types and properties other names: `rename(event_types={"signup": "Signed Up"})`.

    Properties are renamed at the top level and in operations such as `$set`. Where an event has a property of
    the new name already, that one wins and the old one is left out.
    """
    types = _checked(event_types, "event_types")
    properties = {
        "event_properties": _checked(event_properties, "event_properties"),
        "user_properties": _checked(user_properties, "user_properties"),
    }

    def middleware(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        event = payload.event
        event_type = event.get("event_type")
        if isinstance(event_type, str):
            event["event_type"] = types.get(event_type, event_type)
        for field, names in properties.items():
            for held in property_dicts(event.get(field)) if names else ():
                _rename_keys(held, names)
        next(payload)

    return named(middleware, "rename")


def _rename_keys(held: dict[Any, Any], names: Mapping[str, str]) -> None:
    if names.keys().isdisjoint(held):
        return
    renamed: dict[Any, Any] = {}
    for key, value in held.items():
        new = names.get(key, key)
        if new == key or new not in held:
            renamed[new] = value
    held.clear()
    held.update(renamed)


def _checked(names: Mapping[str, str] | None, what: str) -> dict[str, str]:
    given = dict(names or {})
    texts([*given, *given.values()], f"old and new names in {what}")
    return given
