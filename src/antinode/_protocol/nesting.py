"""How deep a JSON text is nested, told without decoding it: interpreters differ in how deep they can go."""

from __future__ import annotations

import re
from typing import Final

from antinode._patterns import pattern

MAX_NESTING: Final = 254
"""The most layers of objects and arrays that a text of ours can have: the encoders write no more."""

_TOKENS: Final = pattern(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def is_deep(text: bytes) -> bool:
    """Whether a JSON text has more than MAX_NESTING layers; of another text, whatever comes out."""
    if text.count(b"{") + text.count(b"[") <= MAX_NESTING:
        return False
    layers = 0
    for token in _TOKENS().finditer(text):
        sign = token[0]
        if sign in b"[{":
            layers += 1
            if layers > MAX_NESTING:
                return True
        elif sign in b"]}":
            layers -= 1
    return False
