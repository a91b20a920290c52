"""What orjson does, done by msgspec: the same bytes, but for `1e16`, which orjson writes `1e+16`."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any, Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode

# Below this many digits in a row, no integer is beyond 64 bits.
_LONG: Final = b"0" * 19
_DIGITS: Final = bytes(ord("0") if each in b"0123456789" else ord(" ") for each in range(256))


def dumps(value: Any) -> bytes:
    """The value as text. Raises TypeError for what is no JSON, and for integers beyond 64 bits."""
    if isinstance(value, (datetime, time)):
        # Not by its own method, which a subclass may have replaced.
        text = datetime.isoformat(value) if isinstance(value, datetime) else time.isoformat(value)
        return f'"{text}"'.encode()
    if isinstance(value, str):
        value = str.__str__(value)
    elif isinstance(value, int) and type(value) is not bool:
        value = int.__int__(value)
    try:
        encoded = _encode(value)
    except (UnicodeEncodeError, RecursionError, msgspec.MsgspecError) as error:
        raise TypeError(str(error)) from None
    if _LONG in encoded.translate(_DIGITS) and _has_long(value):
        raise TypeError("an integer exceeds 64 bits")
    return encoded


def loads(text: bytes | str) -> Any:
    """The text as values. Raises ValueError for what is no JSON, or nested too deep."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None


def fragment(text: bytes) -> Any:
    """A text that is JSON already, for a value that holds it."""
    return msgspec.Raw(text)


def _has_long(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_long, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_has_long, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**64
