"""What a server said, made fit for a message: one short line, without markup and without the API key."""

from __future__ import annotations

import re
from typing import Final

_LONGEST_TEXT: Final = 4096
_LONGEST_LINE: Final = 200

_TITLE: Final = re.compile(r"<title[^<>]*>([^<>]*)<", re.IGNORECASE)
_MARKUP: Final = re.compile(r"</[a-z]|<!doctype|<html", re.IGNORECASE)
_HIDDEN: Final = re.compile(r"<(script|style)\b[^<]*(?:<(?!/\1)[^<]*)*", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]*>")

# The server repeats the key it was sent, and a wrong key is often another system's secret.
_NAMED_KEY: Final = re.compile(
    r"""(invalid\ api\ key\W{1,4}|api[\ _-]?key["']?\s*[:=]\s*["']?)(.+)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_BARE_KEY: Final = re.compile(r"()\b([0-9a-f]{32})\b", re.IGNORECASE)


def one_line(text: str | bytes) -> str:
    """`text` as a message may quote it: at most 200 characters, of a page its title, any key masked."""
    start = text[:_LONGEST_TEXT]
    if isinstance(start, bytes):
        start = start.decode("utf-8", "replace")
    title = _TITLE.search(start)
    if title and title[1].strip():
        start = title[1]
    elif _MARKUP.search(start):
        start = _TAG.sub(" ", _HIDDEN.sub(" ", start))
    printable = "".join(each if each.isprintable() else " " for each in start)
    line = without_keys(" ".join(printable.split()))
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"


def without_keys(text: str) -> str:
    """`text` with what follows "API key", and what looks like a key, masked but for the last four."""
    return _BARE_KEY.sub(_mask, _NAMED_KEY.sub(_mask, text))


def _mask(match: re.Match[str]) -> str:
    lead, key = match[1], match[2]
    return f"{lead}…{key[-4:] if len(key) > 8 else ''}"
