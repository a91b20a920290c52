"""gzip on the wire: request bodies out, answers in."""

from __future__ import annotations

import importlib
import zlib
from typing import Any

# Measured on bodies of 200 and 1,900 events of 250 bytes: ISA-L at 1 takes 0.5 µs an event and makes 50 bytes
# of it, zlib takes 2.5 µs at 1 for 55 bytes, 2.8 at 2 for 52, and 5 at 5 for 45.
_ISAL_LEVEL = 1
_ZLIB_LEVEL = 2
_MOST_OF_ISAL = 3
"""From the next level on, zlib makes less of the same: then size is asked for, and not time."""

_GZIP = 16 + zlib.MAX_WBITS  # zlib's own way to say "with a gzip header"; its time stamp is then 0


# One member is the rule. Thousands of empty ones would take much time, and yield nothing to be bounded.
_MAX_MEMBERS = 16


class DamagedGzip(ValueError):
    """The bytes are no gzip stream, end before it does, or are one of an unreasonable number of members."""


class Compressor:
    """Makes gzip, at a level from 1, the quickest, to 9, the smallest; None is what costs little time.

    With ISA-L (`antinode[fast]`) the levels up to 3 are its own, several times as quick as zlib's.
    """

    def __init__(self, level: int | None = None) -> None:
        self._library: Any = zlib
        self._level = _ZLIB_LEVEL if level is None else level
        isal = _isal() if level is None or level <= _MOST_OF_ISAL else None
        if isal is not None:
            self._library, self._level = isal, _ISAL_LEVEL if level is None else level

    @property
    def name(self) -> str:
        """The library and the level."""
        return f"{'zlib' if self._library is zlib else 'ISA-L'} at level {self._level}"

    def __call__(self, body: bytes) -> bytes:
        """`body` as gzip: the same bytes for the same body. Runs without the interpreter lock."""
        stream = self._library.compressobj(self._level, zlib.DEFLATED, _GZIP)
        compressed: bytes = stream.compress(body) + stream.flush()
        return compressed


def _isal() -> Any:
    """The module of ISA-L, or None where it is not installed or does not load."""
    try:
        return importlib.import_module("isal.isal_zlib")
    except ImportError:
        return None


def decompress(data: bytes, limit: int, *, was_cut: bool = False) -> bytes:
    """The first `limit` bytes of what `data` holds.

    Raises `DamagedGzip` when the stream is invalid, has more than 16 members or, unless `was_cut`, is
    incomplete. Time and memory are bounded by the length of `data` and the limit, whatever `data` holds.
    """
    parts: list[bytes] = []
    room = limit
    while data and room > 0:
        if len(parts) == _MAX_MEMBERS:
            raise DamagedGzip("gzip of too many members")
        stream = zlib.decompressobj(_GZIP)
        try:
            part = stream.decompress(data, room)
        except zlib.error as error:
            raise DamagedGzip("invalid gzip") from error
        parts.append(part)
        room -= len(part)
        if not stream.eof and room > 0 and not was_cut:
            raise DamagedGzip("incomplete gzip")
        data = stream.unused_data  # a gzip file may have several members
    return b"".join(parts)
