"""Values of others inside of our messages."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 60


def quoted(value: object) -> str:
    """`value` as Python writes it, cut to 60 characters."""
    shown = repr(value)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
