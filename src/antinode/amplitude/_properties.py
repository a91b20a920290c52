"""Which values properties may have, and copies of them."""

from __future__ import annotations

import datetime
import enum
import numbers
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
# What the other SDK refuses, with all properties beside it, and antinode writes as JSON.
_SCALARS: Final = (
    *(str, numbers.Real, Decimal, enum.Enum, UUID, PurePath, IPv4Address, IPv6Address),
    *(datetime.date, datetime.time, datetime.timedelta),
)


def is_validate_properties(key: Any, value: Any) -> bool:
    """Whether `value` may be the value of the property `key`."""
    return objection(key, value) is None


def is_validate_object(obj: dict[Any, Any]) -> bool:
    """Whether `obj` may be the properties of an event, or an object in them."""
    return objection_to(obj) is None


def objection_to(properties: dict[Any, Any]) -> str | None:
    """Why these may not be the properties of an event, in words; None if they may."""
    plain = _PLAIN
    for key, value in properties.items():
        if type(value) in plain and type(key) is str:
            continue
        why = objection(key, value)
        if why is not None:
            return why
    return None


def objection(key: Any, value: Any) -> str | None:
    """Why `value` may not be the value of the property `key`, in words; None if it may."""
    if not isinstance(key, str):
        return f"the key {key!r:.60} is {_kind(key)}, not a string"
    if _is_scalar(value):
        return None
    if isinstance(value, dict):
        inner = objection_to(value)
        return None if inner is None else f"in {key!r:.60}, {inner}"
    if not isinstance(value, list | tuple | set | frozenset):
        return f"the value of {key!r:.60} is {_kind(value)}"
    for element in value:
        inner = objection_to(element) if isinstance(element, dict) else None
        if inner is not None:
            return f"in {key!r:.60}, {inner}"
        if not (isinstance(element, dict) or _is_scalar(element)):
            return f"the list {key!r:.60} holds {_kind(element)}"
    return None


def copied(value: Any) -> Any:
    """The value with dicts and lists of its own; what else is in it is shared."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {key: each if type(each) in _PLAIN else copied(each) for key, each in value.items()}
    if kind is list:
        return [each if type(each) in _PLAIN else copied(each) for each in value]
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    return [copied(each) for each in value] if isinstance(value, list) else value


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, _SCALARS) or type(value).__module__ == "numpy"


def _kind(value: Any) -> str:
    return f"of the type {type(value).__name__}"
