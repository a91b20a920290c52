"""The counts that logging changes: a plain class, or its compiled twin (`native/counts.c`)."""

from __future__ import annotations

from antinode._speedups import compiled


@compiled
class Counts:
    """Of events and of their bytes; `unmade`: of those that lacked memory, until they are settled."""

    __slots__ = ("accepted", "pending", "pending_bytes", "unmade")

    def __init__(self) -> None:
        self.accepted = 0
        self.pending = 0
        self.pending_bytes = 0
        self.unmade = 0
