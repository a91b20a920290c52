"""Values that the JSON encoder reads without running code of anybody's.

It looks into containers with nothing but the interpreter's lock to keep them from changing. An enum's
property, a time zone or a finaliser that runs meanwhile may change the very container, or let another thread
do so, and the encoder reads memory that is free. It is given what is inert, or a copy that nobody else has.
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from antinode import _json
from antinode._protocol.values import from_decimal
from antinode._speedups import compiled

# A time zone's offset is an object that the collector looks at, so a datetime that has one is not among them.
_INERT: Final = frozenset((str, int, float, bool, type(None), date, UUID))


_RESERVE: Final = 32 * 1024


@compiled
def reserve(value: object) -> None:  # noqa: ARG001 - the compiled twin looks at how large it is
    """Raise `MemoryError` unless there is memory to encode this: the encoder would end the process."""
    bytes(_RESERVE)


def is_inert(value: Any) -> bool:
    """Whether encoding runs no code. Raises `RuntimeError` for what changes meanwhile or holds itself."""
    kind = type(value)
    if kind in _INERT:
        return True
    if kind is dict:
        for key, each in value.items():
            if type(key) is not str or not (type(each) in _INERT or is_inert(each)):
                return False
        return True
    if kind is list or kind is tuple:
        return all(type(each) in _INERT or is_inert(each) for each in value)
    return (kind is datetime or kind is time) and value.tzinfo is None


def inert_copy(value: Any) -> Any:
    """A copy of `value` for the encoder, in containers that nobody else can change.

    Raises `TypeError` for what the encoder does not know by itself, `RecursionError` for what holds itself.
    """
    kind = type(value)
    if kind in _INERT:
        return value
    if isinstance(value, dict):
        return {_text(key): inert_copy(each) for key, each in dict(value).items()}
    if kind is tuple or isinstance(value, list):
        return [inert_copy(each) for each in tuple(value)]
    if kind is Decimal:
        return from_decimal(value)
    if isinstance(value, Enum):
        return inert_copy(value.value)
    if isinstance(value, (str, int, datetime, time)):
        # Dumped alone, the value is in no container that could change meanwhile.
        return _json.fragment(_json.dumps(value))
    raise TypeError(f"{kind.__name__} is left to the checks")


def _text(key: Any) -> str:
    if type(key) is not str:
        raise TypeError("a key is no text")
    return key
