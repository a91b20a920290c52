"""Making records survive a power cut: every segment written to since the last time is synced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from antinode._locks import is_owned
from antinode._spool.errors import SpoolBroken
from antinode._spool.segment import INDEX_MASK, PLACE_BITS, Segment
from antinode._spool.writers import OwnSegment, RefusingSegment


class Syncer:
    """Syncs own segments. `lock` is held meanwhile, and by whoever closes their files."""

    def __init__(self, path: str, segments: Mapping[int, Segment]) -> None:
        self.durable = -1
        """The last place up to which all records survive a power cut."""
        # Re-entrant, since a signal handler or destructor that interrupts the holder may log.
        self.lock = threading.RLock()
        self._path = path
        self._segments = segments

    def sync(self, current: OwnSegment | RefusingSegment) -> None:
        """Sync all own segments, of which records are appended to `current`. Raises SpoolBroken."""
        with self.lock:
            self._sync(current)

    def wait(
        self, place: int, current: Callable[[], OwnSegment | RefusingSegment], *, alone: bool = False
    ) -> None:
        """Return once that record is durable, by this thread's sync or another's. Raises SpoolBroken."""
        if alone or is_owned(self.lock):
            # In a signal handler or destructor that interrupted this thread's own sync.
            self._sync_alone(place)
            return
        with self.lock:
            if place > self.durable:  # else the thread that had the lock before has synced for this one
                self._sync(current())

    def _sync_alone(self, place: int) -> None:
        segment = self._segments.get(place >> PLACE_BITS)
        if not isinstance(segment, OwnSegment) or segment.synced > place & INDEX_MASK:
            return
        try:
            segment.sync()
        except OSError as error:
            if not segment.is_settled:  # else another thread has deleted it
                raise SpoolBroken.of(self._path, "be made durable", error) from error

    def _sync(self, current: OwnSegment | RefusingSegment) -> None:
        latest = current.base + current.count - 1
        try:
            for segment in list(self._segments.values()):
                if isinstance(segment, OwnSegment) and segment.synced < segment.count:
                    segment.sync()
        except OSError as error:
            raise SpoolBroken.of(self._path, "be made durable", error) from error
        self.durable = max(self.durable, latest)
