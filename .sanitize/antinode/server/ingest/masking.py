"""Bodies that nobody could read, made fit to be kept and shown."""

from __future__ import annotations

import re
from typing import Final

from antinode._protocol.secrets import EQUALS, HEX_KEY, KEY_NAME, QUOTE, cut

_LENGTH: Final = 4096


def beginning(body: bytes) -> str:
    """The first 4,096 characters of `body`. What is named an API key, or looks like one, is masked."""
    # No character has more than four bytes.
    return _KEYS.sub(_masked, cut(body[: 4 * _LENGTH + 4].decode("utf-8", "replace"), _LENGTH))


_KEYS: Final = re.compile(
    rf"""
      ({KEY_NAME}{QUOTE}{EQUALS}{QUOTE})(?:(?!%(?:25)*2[27])[^"'`\\])*        # JSON, maybe percent-encoded
    | ((?:{KEY_NAME}|\bclient){EQUALS}){QUOTE}?(?:(?!%(?:25)*26)[^&\s"'`])*   # a form
    | (name="(?:api_key|client)"\s+)[^\r\n]*                                 # a multipart form
    | {HEX_KEY}
    """,
    re.IGNORECASE | re.VERBOSE,
)


def _masked(match: re.Match[str]) -> str:
    return f"{match[1] or match[2] or match[3] or ''}…"
