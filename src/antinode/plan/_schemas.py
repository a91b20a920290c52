"""The part of JSON Schema that a plan is written in, and values checked by it.

The vocabulary is closed, so that a plan can also be compared with another, and written as Python types.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from antinode.plan._paths import Trail, written

Code: TypeAlias = Literal[
    "unknown_event", "retired_event", "unknown_property", "missing_property", "wrong_type", "wrong_value"
]

TYPES: Final = ("string", "number", "integer", "boolean", "object", "array", "null")
ANNOTATIONS: Final = ("title", "description", "examples", "default", "deprecated", "format", "$comment")
"""Keywords that say something about a value, and forbid none."""

_TYPE_OF: Final[dict[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    dict: "object",
    list: "array",
    type(None): "null",
}


class Violation(NamedTuple):
    """One way in which an event does not conform to a plan."""

    code: Code
    path: str
    """Where: `total`, `items[].sku`, `user_properties.plan`; empty for the event itself.

    A name that has a dot, a bracket or a quote stands in quotes, as in JSON: `"a.b".c`.
    """
    value: Any = None
    """What is there."""
    expected: str = ""
    """What the plan says, in words."""


class Limit(NamedTuple):
    """A keyword that takes a number; `is_least`: the greater of two leaves less room."""

    types: tuple[str, ...]
    holds: Callable[[Any, Any], bool]
    is_least: bool
    words: str


LIMITS: Final[dict[str, Limit]] = {
    "minimum": Limit(("number",), lambda value, at: bool(value >= at), True, "at least"),
    "maximum": Limit(("number",), lambda value, at: bool(value <= at), False, "at most"),
    "exclusiveMinimum": Limit(("number",), lambda value, at: bool(value > at), True, "more than"),
    "exclusiveMaximum": Limit(("number",), lambda value, at: bool(value < at), False, "less than"),
    "minLength": Limit(("string",), lambda value, at: len(value) >= at, True, "characters, at least"),
    "maxLength": Limit(("string",), lambda value, at: len(value) <= at, False, "characters, at most"),
    "minItems": Limit(("array",), lambda value, at: len(value) >= at, True, "items, at least"),
    "maxItems": Limit(("array",), lambda value, at: len(value) <= at, False, "items, at most"),
}


@dataclass(frozen=True)
class PropertySchema:
    """What a value may be. Everything that is not said is allowed."""

    types: tuple[str, ...] = ()
    """Of `TYPES`; none: any."""
    enum: tuple[Any, ...] | None = None
    """The only values; `const` is one of one."""
    limits: dict[str, float] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None
    items: PropertySchema | None = None
    properties: dict[str, PropertySchema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    takes_others: bool = True
    """`additionalProperties`."""
    is_open: bool = field(default=False, compare=False)
    """Whether that is written, so that others are expected and not merely let through; the same to events."""
    description: str = ""
    examples: tuple[Any, ...] = ()
    is_deprecated: bool = False

    def check(self, value: Any, path: Trail, found: list[Violation]) -> None:
        """Adds to `found` what is wrong with a value, given in JSON's types, which lies at `path`."""
        kind = type_of(value)
        if self.types and not self._takes(kind, value):
            found.append(Violation("wrong_type", written(path), value, " or ".join(self.types)))
            return
        if self.enum is not None and not any(are_equal(value, each) for each in self.enum):
            found.append(Violation("wrong_value", written(path), value, enum_words(self.enum)))
            return
        if self.limits:
            self._check_limits(kind, value, path, found)
        if kind == "object":
            self.check_object(value, path, found)
        elif kind == "array" and self.items is not None:
            for each in value:
                self.items.check(each, (path, 0), found)
        elif kind == "string" and self.pattern is not None and self.pattern.search(value) is None:
            found.append(Violation("wrong_value", written(path), value, pattern_words(self.pattern)))

    def check_object(self, value: dict[Any, Any], path: Trail, found: list[Violation]) -> None:
        """The same for the properties of an object."""
        for name, each in value.items():
            schema = self.properties.get(name)
            if schema is not None:
                schema.check(each, (path, name), found)
            elif not self.takes_others:
                found.append(Violation("unknown_property", written((path, name)), each))
        found.extend(
            Violation("missing_property", written((path, name)))
            for name in self.required
            if name not in value
        )

    def _takes(self, kind: str, value: Any) -> bool:
        if kind in self.types:
            return True
        if kind == "integer":
            return "number" in self.types
        return kind == "number" and "integer" in self.types and value.is_integer()

    def _check_limits(self, kind: str, value: Any, path: Trail, found: list[Violation]) -> None:
        kind = "number" if kind == "integer" else kind
        for name, at in self.limits.items():
            limit = LIMITS[name]
            if kind in limit.types and not limit.holds(value, at):
                found.append(Violation("wrong_value", written(path), value, limit_words(name, at)))


def enum_words(enum: tuple[Any, ...]) -> str:
    """What `enum` expects, as a violation says it."""
    return f"one of {shown_list(enum)}"


def limit_words(name: str, at: float) -> str:
    """The same for one of `LIMITS`."""
    return f"{LIMITS[name].words} {at:g}"


def pattern_words(pattern: re.Pattern[str]) -> str:
    """The same for `pattern`."""
    return f"text that fits {pattern.pattern}"


def type_of(value: Any) -> str:
    """The JSON type of a value; of what is none, the name of its Python type."""
    kind = _TYPE_OF.get(type(value))
    if kind is not None:
        return kind
    if type(value) is float and math.isfinite(value):
        return "number"
    return type(value).__name__


def are_equal(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON, in which 1 is 1.0 and not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(are_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(are_equal(one[key], other[key]) for key in one)
    return bool(one == other)


def shown(value: Any) -> str:
    """A value in a sentence, cut where it is long."""
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    text = (
        {None: "null", True: "true", False: "false"}[value]
        if value is None or value is True or value is False
        else repr(value)
    )
    return text if len(text) <= 60 else f"{text[:59]}…"


def shown_list(values: tuple[Any, ...]) -> str:
    """Some values in a sentence."""
    most = 8
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(map(shown, values[:most])) + more
