"""What Amplitude would object to in an event, as the server would find it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from antinode._protocol.fields import (
    FIELDS,
    GROUP_IDENTIFY,
    ID_FIELDS,
    PROPERTY_FIELDS,
    RESERVED_EVENT_TYPES,
    FieldKind,
)
from antinode._protocol.ids import as_text, has_lost_digits, is_invalid_id
from antinode._protocol.limits import DEFAULT_MIN_ID_LENGTH, MAX_DEPTH
from antinode._protocol.unknown_keys import meant_key
from antinode._protocol.values import depth, describe
from antinode._protocol.words import counted

ProblemKind = Literal["missing", "invalid", "id_length"]
"""Which of the server's maps would name the event: missing fields, invalid fields, or id lengths."""


class Problem(msgspec.Struct, frozen=True):
    """Why Amplitude would refuse an event, or why it cannot be sent. `str()` gives the message."""

    field: str
    """The event's key; `event` if the event as a whole is at fault."""
    kind: ProblemKind
    message: str
    """What is wrong, with which value, and what to write instead."""

    def __str__(self) -> str:
        return self.message


ESSENTIAL: Final = frozenset({"event", "event_type", *ID_FIELDS})
"""Without these, or with a wrong one, an event cannot be sent."""


def problems(event: Mapping[str, Any], min_id_length: int = DEFAULT_MIN_ID_LENGTH) -> list[Problem]:
    """What Amplitude would object to in `event`, a mapping of JSON values, in the order of its checks.

    None counts as absent, and so does an empty string, except as `event_type` (reference, sections 3, 13.8).
    """
    return [*_missing(event), *_invalid(event, min_id_length), *_id_lengths(event, min_id_length)]


def _missing(event: Mapping[str, Any]) -> list[Problem]:
    found = []
    if event.get("event_type") is None:
        message = f"`event_type` is missing: {_meant(event, 'event_type') or 'write what happened, in words'}"
        found.append(Problem("event_type", "missing", message))
    has_id = any(event.get(field) not in (None, "") for field in ID_FIELDS)
    if not has_id and event.get("event_type") != GROUP_IDENTIFY:
        remedy = _meant(event, *ID_FIELDS) or "write at least one of them"
        message = f"there is neither a `user_id` nor a `device_id`: {remedy}"
        found.append(Problem("device_id", "missing", message))
    return found


def _meant(event: Mapping[str, Any], *fields: str) -> str:
    """Which key of the event was probably meant to be one of `fields`, if any was."""
    for key in event:
        if key not in FIELDS and (field := meant_key(key)) in fields:
            return f"write `{field}` in the place of `{label_of(key)}`"
    return ""


def _invalid(event: Mapping[str, Any], min_id_length: int) -> list[Problem]:
    found = []
    for field, kind in FIELDS.items():
        value = event.get(field)
        if value is None:
            continue
        message = _objection(field, kind, value, min_id_length)
        if message:
            found.append(Problem(field, "invalid", message))
    return found


def _objection(field: str, kind: FieldKind, value: Any, min_id_length: int) -> str | None:
    if not fits_kind(kind, value):
        return f"`{field}` must be {kind.value}, not {describe(value)}: {remedy_for(field, kind)}"
    if field == "event_type":
        if isinstance(value, str) and not value.strip():
            return "`event_type` is blank: write what happened, in words"
        if value in RESERVED_EVENT_TYPES:
            return f"`event_type` {value!r} is reserved by Amplitude: choose another name"
    if field in IDENTIFYING and has_lost_digits(value):
        return (
            f"`{field}` holds a number that has lost digits, so that different ones become one: "
            "write it as text where it comes from"
        )
    if field in ID_FIELDS:
        text = as_text(value)
        # For a placeholder that is too short as well, the server's complaint is the length.
        if text and len(text) >= min_id_length and is_invalid_id(text):
            return (
                f"`{field}` {text[:60]!r} is a placeholder that Amplitude refuses: "
                "write a real id, or leave it out and write the other one"
            )
    if field in PROPERTY_FIELDS and depth(value) > MAX_DEPTH:
        return f"`{field}` is nested more than {MAX_DEPTH} layers deep: flatten it"
    return None


def _id_lengths(event: Mapping[str, Any], min_id_length: int) -> list[Problem]:
    found = []
    for field in ID_FIELDS:
        value = event.get(field)
        if value in (None, "") or not fits_kind(FieldKind.STRING, value):
            continue
        text = as_text(value)
        if len(text) < min_id_length:
            message = (
                f"`{field}` {text!r:.60} is shorter than {counted(min_id_length, 'character')}: "
                "write a longer id, or lower min_id_length"
            )
            found.append(Problem(field, "id_length", message))
    return found


def fits_kind(kind: FieldKind, value: Any) -> bool:
    if kind is FieldKind.ANY:
        return True
    if kind is FieldKind.BOOLEAN:
        return isinstance(value, bool)
    if kind is FieldKind.OBJECT:
        return isinstance(value, Mapping)
    if isinstance(value, bool):
        return False
    if kind is FieldKind.INTEGER:
        if isinstance(value, float):
            value = int(value) if value.is_integer() else None
        return isinstance(value, int) and fits_64_bits(value)
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return True
    return kind is FieldKind.STRING and isinstance(value, str)


def fits_64_bits(value: int) -> bool:
    return -(2**63) <= value < 2**63


IDENTIFYING: Final = (*ID_FIELDS, "insert_id", "groups")
"""Fields whose values tell one thing from another."""


def remedy_for(field: str, kind: FieldKind) -> str:
    if field == "time":
        return "write milliseconds since 1970, such as int(time.time() * 1000)"
    if field == "session_id":
        return "write the start of the session in milliseconds since 1970"
    return _REMEDIES[kind]


_REMEDIES: Final[Mapping[FieldKind, str]] = {
    FieldKind.STRING: "write text",
    FieldKind.INTEGER: "write an int",
    FieldKind.NUMBER: "write an int or a float, without quotes",
    FieldKind.BOOLEAN: "write one of the two",
    FieldKind.OBJECT: "write keys and values, such as {'title': 'Blue in Green'}",
}


def label_of(field: str) -> str:
    """A field's name, as much of it as can be read."""
    return field if len(field) <= 60 else field[:59] + "…"
