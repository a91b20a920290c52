"""Characters that do something, or cannot be seen, written so that they can: for terminals and logs.

A text from outside may hold what a terminal obeys (C0 and C1 controls), what turns the direction of the
writing, and what has no look of its own. All of that is written as in JSON, `\\u009b`, so that a JSON text
stays the same JSON.
"""

from __future__ import annotations

import re
from typing import Final

from antinode._patterns import pattern

_FOREIGN: Final = pattern(r"[^\t\n\x20-\x7e]+")
_FOREIGN_BYTES: Final = pattern(rb"[^\t\n\x20-\x7e]")

_SPACES: Final = frozenset("\xa0\u1680\u202f\u205f\u3000") | frozenset(map(chr, range(0x2000, 0x200B)))
"""Harmless, though Python does not count them as printable."""

_INVISIBLE: Final = pattern(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0d\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""What Unicode ignores by default, though Python counts it as printable: fillers, joiners and selectors; but
for the two by which a sign is shown as a picture or as text."""


def escaped(text: str) -> str:
    """`text` with `\\u…` for what is not plainly seen. Line feeds, tabs and spaces stay as they are.

    What comes out once comes out the same when it goes in again.
    """
    return _FOREIGN().sub(_escaped_run, text)


def escaped_json(text: bytes) -> bytes:
    """JSON in UTF-8 as JSON that says the same and can be printed; of several lines, too.

    What is no UTF-8, and so no JSON, is replaced.
    """
    if not _FOREIGN_BYTES().search(text):
        return text
    # As it stands, a carriage return is white space between two tokens: within a string JSON escapes it.
    return escaped(text.decode("utf-8", "replace").replace("\r", " ")).encode()


def _escaped_run(match: re.Match[str]) -> str:
    run = match[0]
    if run.isprintable() and not _INVISIBLE().search(run):
        return run
    return "".join(each if _is_seen(each) else _as_in_json(each) for each in run)


def _is_seen(character: str) -> bool:
    return (character.isprintable() and not _INVISIBLE().match(character)) or character in _SPACES


def _as_in_json(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
