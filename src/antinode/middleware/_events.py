"""What several middlewares ask of an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from re import compile as compiled
from typing import Any

from antinode import ConfigurationError, Middleware
from antinode._protocol.fields import OPERATIONS


def named(middleware: Middleware, name: str) -> Middleware:
    """The middleware, under the name that messages call it by."""
    middleware.__name__ = middleware.__qualname__ = name
    return middleware


def texts(values: Iterable[str] | str, what: str) -> tuple[str, ...]:
    """Names that the user gave; one alone stands for a list of it. Raises `ConfigurationError` for others."""
    given: tuple[object, ...] = (values,) if isinstance(values, str) else tuple(values)
    names = tuple(each for each in given if isinstance(each, str) and each)
    if len(names) < len(given):
        wrong = next(each for each in given if not (isinstance(each, str) and each))
        raise ConfigurationError(f"{what} must be non-empty strings, not {wrong!r:.60}")
    return names


def is_number(value: object) -> bool:
    """Whether it is an int or a float, and no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def type_finder(names: Iterable[str]) -> Callable[[object], str | None]:
    """Finds the name that an event type has in `names`: itself, or the first with a `*` that it matches."""
    exact = frozenset(names)
    patterns = [
        (each, compiled(translate(each)).match) for each in names if any(sign in each for sign in "*?[")
    ]

    def find(event_type: object) -> str | None:
        if not isinstance(event_type, str):
            return None
        if event_type in exact:
            return event_type
        return next((name for name, match in patterns if match(event_type)), None)

    return find


def user_of(event: dict[str, Any]) -> str:
    """Whom an event counts for: its user, else its device; "" for one that has neither."""
    for field in ("user_id", "device_id"):
        value = event.get(field)
        if value is not None and value != "":
            return f"{field[0]}:{value}"
    return ""


def property_dicts(properties: object) -> Iterator[dict[Any, Any]]:
    """The dicts in which properties lie: the one given, and those of the operations in it."""
    if not isinstance(properties, dict):
        return
    yield properties
    for operation in OPERATIONS:
        held = properties.get(operation)
        if isinstance(held, dict):
            yield held
