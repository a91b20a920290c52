"""Results that programs read: JSON lines on standard output, whose reader may leave at any time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from antinode.cli import console

_PIECE: Final = 64 * 1024


@contextlib.contextmanager
def unread_is_fine() -> Iterator[None]:
    """A reader such as `head` that has seen enough ends the output, which is no failure."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        console.discard_output()


def write_lines(lines: Iterable[bytes]) -> None:
    """Lines without their ends, as they are. Raises BrokenPipeError when nobody reads any more."""
    out = sys.stdout.buffer
    piece = bytearray()
    for line in lines:
        piece += line
        piece += b"\n"
        if len(piece) >= _PIECE:
            out.write(piece)
            piece.clear()
    out.write(piece)
    out.flush()


def json_lines(facts: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line; as `write_lines`."""
    encode = msgspec.json.Encoder().encode
    write_lines(encode(each) for each in facts)
