"""Text as bytes: which encodings there are, and text in UTF-8 made of any."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import chain
from typing import Final

from antinode._importing.errors import BadMapping

_UTF8_MARK: Final = codecs.BOM_UTF8
_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_REJECTED: Final = b'{"_rejected"'
"""How the files begin that hold rejected rows, which are always UTF-8."""


def check_encoding(name: str) -> str:
    """The name, if it is one of an encoding of text. Raises `BadMapping`."""
    try:
        if codecs.lookup(name)._is_text_encoding:
            return name
    except LookupError:
        pass
    raise BadMapping(
        f"there is no encoding {name!r:.60}: "
        "write a name such as windows-1252, iso-8859-1, shift_jis or utf-16"
    )


def as_utf8(blocks: Iterator[bytes], encoding: str | None = None) -> Iterator[bytes]:
    """Text in UTF-8 without a byte order mark; what has `encoding`, or the mark of UTF-16, is converted.

    What is not text in that encoding stays as it is, to be found out in its row.
    """
    blocks = iter(blocks)
    start = b""
    for block in blocks:
        start += block
        if len(start) >= len(_REJECTED):
            break
    found = _UTF16.get(start[:2], encoding)
    if found is None or start.startswith((_UTF8_MARK, _REJECTED)):
        yield start.removeprefix(_UTF8_MARK)
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(found)(errors=_handling(found))
    for block in chain((start,), blocks):
        yield decoder.decode(block).encode("utf-8", "surrogateescape")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")


def _handling(encoding: str) -> str:
    """The error handler that keeps bytes which an encoding cannot decode, where it can keep single bytes."""
    try:
        bytes(range(256)).decode(encoding, "surrogateescape")
    except UnicodeError:
        return "replace"
    return "surrogateescape"
