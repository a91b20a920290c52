"""Results that programs read: JSON on standard output, a value a line, whose reader may leave at any time."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

from antinode.cli.ui import console

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
    """Lines of JSON without their ends. Raises BrokenPipeError when nobody reads any more.

    What a terminal would obey or not show is written as an escape of JSON, so that they say the same.
    """
    from antinode._protocol.escaping import escaped_json  # noqa: PLC0415 - not for help and completion

    out = sys.stdout.buffer
    piece = bytearray()
    for line in lines:
        piece += escaped_json(line)
        piece += b"\n"
        if len(piece) >= _PIECE:
            out.write(piece)
            piece.clear()
    out.write(piece)
    out.flush()


def write_text(text: str) -> None:
    """Text of several lines, `escaped` but for their ends. Raises BrokenPipeError as above."""
    from antinode._protocol.escaping import escaped  # noqa: PLC0415 - not for help and completion

    sys.stdout.buffer.write("\n".join(map(escaped, text.split("\n"))).encode("utf-8"))
    sys.stdout.buffer.flush()


def write_json(*values: Any) -> None:
    """Each value (dictionaries, dataclasses, structs, and what they hold) on a line; as `write_lines`."""
    write_lines(map(_json, values))


def write_indented(value: Any) -> None:
    """Write a value as `write_json` does, but over several lines, so that people can read it as well."""
    import msgspec  # noqa: PLC0415 - as below

    write_lines([msgspec.json.format(_json(value), indent=2)])


def _json(value: Any) -> bytes:
    import msgspec  # noqa: PLC0415 - not for help and completion

    try:
        return msgspec.json.encode(value, enc_hook=str)
    except UnicodeEncodeError:  # the name of a file need not be text
        return json.dumps(msgspec.to_builtins(value, enc_hook=str)).encode()
