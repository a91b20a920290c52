"""What a server said, made fit for a message: one short line, without markup and without the API key."""

from __future__ import annotations

import re
from typing import Final

from antinode._patterns import pattern
from antinode._protocol.escaping import escaped
from antinode._protocol.secrets import cut, without_secrets

_LONGEST_TEXT: Final = 4096
_LONGEST_LINE: Final = 200

_TITLE: Final = pattern(r"<title[^<>]*>([^<>]*)<", re.IGNORECASE)
_MARKUP: Final = pattern(r"</[a-z]|<!doctype|<html", re.IGNORECASE)
_HIDDEN: Final = pattern(r"<(script|style)\b[^<]*(?:<(?!/\1)[^<]*)*", re.IGNORECASE)
_TAG: Final = pattern(r"<[^<>]*>")


def one_line(text: str | bytes) -> str:
    """`text` as a message may quote it: at most 200 characters, of a page its title, any secret masked."""
    if isinstance(text, bytes):
        text = text[: 4 * _LONGEST_TEXT + 4].decode("utf-8", "replace")
    start = cut(text, _LONGEST_TEXT)
    title = _TITLE().search(start)
    if title and title[1].strip():
        start = title[1]
    elif _MARKUP().search(start):
        start = _TAG().sub(" ", _HIDDEN().sub(" ", start))
    printable = "".join(each if each.isprintable() else " " for each in start)
    line = escaped(without_secrets(" ".join(printable.split())))
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"
