"""The JSON of a row: with all digits of its numbers, and with what other writers make of JSON."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson

from antinode._protocol import exact

NAN: Final = "NaN or an infinity, which JSON does not have, was taken as null: write null"
HALF: Final = "half of a character (a lone surrogate) was replaced: text was cut within it"

_NAN: Final = re.compile(rb"\b(?:NaN|Infinity)\b")
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def decoded(text: bytes) -> tuple[Any, str | None]:
    """What a row says, and what its author should know of it. Raises ValueError and RecursionError."""
    try:
        return exact.loads(text), None
    except orjson.JSONDecodeError:
        note = NAN if _NAN.search(text) else HALF if _HALF.search(text) else None
        if note is None:
            raise
        try:
            return json.loads(text.decode(), parse_constant=_nothing), note
        except ValueError:
            pass
        raise


def _nothing(_: str) -> None:
    """What NaN says."""
