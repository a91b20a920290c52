"""Bodies that nobody could read, made fit to be kept and shown."""

from __future__ import annotations

import re
from typing import Final

_LENGTH: Final = 4096


def beginning(body: bytes) -> str:
    """The first 4,096 characters of `body`. What is named an API key, or looks like one, is masked."""
    # No character has more than four bytes.
    return _KEYS.sub(_masked, body[: 4 * _LENGTH].decode("utf-8", "replace")[:_LENGTH])


_KEYS: Final = re.compile(
    r"""
      (["']api[_-]?key["']\s*:\s*["'])[^"']*      # JSON
    | (\b(?:api[_-]?key|client)=)[^&\s]*           # a form
    | (name="(?:api_key|client)"\s+)[^\r\n]*       # a multipart form
    | \b[0-9a-f]{32}\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def _masked(match: re.Match[str]) -> str:
    return f"{match[1] or match[2] or match[3] or ''}…"
