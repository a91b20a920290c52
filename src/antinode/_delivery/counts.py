"""The counts that logging changes: a plain class, or its compiled twin (`native/counts.c`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antinode import _compiled


class Counts:
    """Of events and of their bytes."""

    __slots__ = ("accepted", "pending", "pending_bytes")

    def __init__(self) -> None:
        self.accepted = 0
        self.pending = 0
        self.pending_bytes = 0


if not TYPE_CHECKING and _compiled.native is not None:
    Counts = _compiled.native.Counts
