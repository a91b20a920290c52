"""What commands print for machines: JSON on standard output, one value a line."""

from __future__ import annotations

import sys
from typing import Any


def write(value: Any, *, is_indented: bool = False) -> None:
    """Prints `value` (dataclasses, structs, and what they hold) and flushes.

    Raises BrokenPipeError when nobody reads any more; click ends the command then, without a word.
    """
    import msgspec  # noqa: PLC0415 - not for help and completion

    text = msgspec.json.encode(value, enc_hook=str)
    if is_indented:
        text = msgspec.json.format(text, indent=2)
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.buffer.flush()
