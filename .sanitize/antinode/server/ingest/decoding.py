"""Bodies out of their gzip encoding, within bounds (reference, section 12)."""

from __future__ import annotations

import zlib
from typing import Final

_MAX_MEMBERS: Final = 16
"""Members of a gzip body. One is the rule; thousands of tiny ones would cost much time for few bytes."""


def decoded(body: bytes, encoding: str, limit: int) -> bytes | None:
    """`body` without its `Content-Encoding`; None if it is encoded otherwise, or as the APIs do not take it.

    Never more than one byte over `limit` is inflated, so a small body cannot fill the memory.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        return None
    made = b""
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        try:
            made += member.decompress(body, limit + 1 - len(made))
        except zlib.error:
            return None
        if len(made) > limit:
            return made
        if not member.eof:
            return None
        body = member.unused_data
        if not body:
            return made
    return None
