"""An epoch: the events between two flushes, of which each event's record knows its own."""

from __future__ import annotations

import msgspec

from antinode._delivery.outcome import DELIVERED, REJECTED, SPOOLED


# gc=False: the collector then does not track a stored record on account of its epoch.
class Epoch(msgspec.Struct, gc=False, eq=False):
    """The events logged between two flushes, counted by how they ended."""

    index: int
    accepted: int = 0
    delivered: int = 0
    rejected: int = 0
    dropped: int = 0
    spooled: int = 0
    on_disk: int = 0
    """Those of the pending that are in the spool alone."""

    @property
    def pending(self) -> int:
        return self.accepted - self.delivered - self.rejected - self.dropped - self.spooled

    def settle(self, kind: str, count: int) -> None:
        if kind == DELIVERED:
            self.delivered += count
        elif kind == REJECTED:
            self.rejected += count
        elif kind == SPOOLED:
            self.spooled += count
        else:
            self.dropped += count
