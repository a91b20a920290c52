"""How the API reads a `user_id` or `device_id`, and which values it refuses (reference, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from antinode._protocol.limits import DEFAULT_MIN_ID_LENGTH

INVALID_IDS: Final = frozenset(
    {
        "anonymous",
        "nil",
        "none",
        "null",
        "n/a",
        "na",
        "undefined",
        "unknown",
        "",  # the document prints two quote characters, which may mean the empty string: both are refused
        '""',
        "00000000-0000-0000-0000-000000000000",
        "{}",
        "lmy47d",
        "0",
        "-1",
    }
)
"""Placeholders that would throw many people together under one id, in lower case."""


STREAM_BITS: Final = 60
"""How much of the hash tells streams apart: an int of no more bits takes 16 bytes less, in every record."""

_STREAM_MASK = (1 << STREAM_BITS) - 1


def stream_of(user_id: str | None, device_id: str | None) -> int:
    """The number of the stream, the unit of order, that events of this user and device are in."""
    return hash((user_id, device_id)) & _STREAM_MASK


def is_invalid_id(value: str) -> bool:
    """Whether `value`, stripped and in lower case, is one of the ids the API refuses."""
    return value.strip().lower() in INVALID_IDS


def is_good_id(value: str, min_id_length: int = DEFAULT_MIN_ID_LENGTH) -> bool:
    """Whether the API takes `value` as an id.

    The length counts code points and spaces at the ends: the server measures before it trims.
    """
    return len(value) >= min_id_length and not is_invalid_id(value)


def as_text(value: str | float) -> str:
    """How the server reads a number where it expects a string. Users' ids come out of pandas as floats."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return str(value)


def has_lost_digits(value: Any) -> bool:
    """Whether `value`, or one in it, is a float beyond 2**53, of which only the first digits are known."""
    if isinstance(value, float):
        return abs(value) >= 2**53
    if isinstance(value, Mapping):
        return any(map(has_lost_digits, value.values()))
    return isinstance(value, list) and any(isinstance(each, float) and abs(each) >= 2**53 for each in value)
