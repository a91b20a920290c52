"""What a commit says beside the offset: what ended beyond it, and whether its owner has let go.

Kafka keeps a text with each committed offset, of 4,096 bytes at most unless the brokers are told otherwise.
What does not fit is delivered again by the next owner, under the same insert_ids.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from typing import Final
from zlib import crc32

import msgspec

MAX_TEXT: Final = 4096
_VERSION: Final = "1"
_RELEASED, _OWNED = "r", "o"
_CHECK_BYTES: Final = 4
# Before each figure; Base64 has no use for it.
_BETWEEN: Final = "."
_FIGURES_TEXT: Final = 42
"""Characters for two numbers of 64 bits, and a dot before each."""
# Base64 makes 4 characters of 3 bytes; two characters are the version and the owner's state.
_MAX_BYTES: Final = (MAX_TEXT - 2 - _FIGURES_TEXT) // 4 * 3 - _CHECK_BYTES


class Figures(msgspec.Struct, frozen=True):
    """How the owner stands with a partition, for those who look at it."""

    events: int
    """Events that were read and have not ended; of a parked partition, those that are known of."""
    streams: int
    """Throttled streams that wait in memory; of a parked partition, those with events there."""


class Progress(msgspec.Struct, frozen=True):
    """What the last owner of a partition left with its offset."""

    ended: Sequence[tuple[int, int]] = ()
    """Ranges of events, counted from the first one of the record at the offset, that have ended."""
    is_released: bool = False
    """Whether it let go: no request with an event of the partition is under way."""
    figures: Figures | None = None


UNKNOWN: Final = Progress()
"""Nothing is known: the owner may be sending still."""


def write_progress(
    ended: Iterable[tuple[int, int]], *, is_released: bool, figures: Figures | None = None, offset: int = 0
) -> str:
    """The text for a commit of this offset.

    `ended` is in order and apart; the last ranges are left out if need be.
    """
    runs = bytearray()
    at = 0
    for start, stop in ended:
        run = _varint(start - at) + _varint(stop - start)
        if len(runs) + len(run) > _MAX_BYTES:
            break
        runs += run
        at = stop
    check = _check(runs, offset)
    text = _VERSION + (_RELEASED if is_released else _OWNED) + b64encode(check + runs).decode()
    return text if figures is None else f"{text}{_BETWEEN}{figures.events}{_BETWEEN}{figures.streams}"


def read_progress(text: str | None, offset: int = 0) -> Progress:
    """What the text of a commit of this offset says.

    What is not the relay's, or damaged, or was written for another offset, says nothing.
    """
    if not text or text[0] != _VERSION or text[1:2] not in {_RELEASED, _OWNED}:
        return UNKNOWN
    coded, *told = text[2:].split(_BETWEEN)
    try:
        content = b64decode(coded, validate=True)
    except (Base64Error, ValueError):
        return UNKNOWN
    check, runs = content[:_CHECK_BYTES], content[_CHECK_BYTES:]
    if _check(runs, offset) != check:
        return UNKNOWN
    ended: list[tuple[int, int]] = []
    numbers = _numbers(runs)
    at = 0
    for gap, length in zip(numbers[::2], numbers[1::2], strict=False):
        ended.append((at + gap, at + gap + length))
        at += gap + length
    return Progress(ended, text[1] == _RELEASED, _figures(told))


def _check(runs: bytes | bytearray, offset: int) -> bytes:
    # A tool that copies a group's offsets to another cluster counts them anew, but copies the texts.
    return crc32(runs, offset & 0xFFFFFFFF).to_bytes(_CHECK_BYTES, "big")


def _figures(told: Sequence[str]) -> Figures | None:
    try:
        events, streams = map(int, told)
    except ValueError:
        return None
    return Figures(events, streams)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _numbers(runs: bytes) -> list[int]:
    numbers: list[int] = []
    number = shift = 0
    for byte in runs:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
    return numbers
