"""Making own segments: how large each may be, given what all processes have in the directory."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable

from antinode._spool.directory import COUNTED_AT_ONCE, SpoolDirectory
from antinode._spool.disk import Disk
from antinode._spool.errors import SpoolBroken, SpoolFull
from antinode._spool.format import GRAIN, SMALLEST
from antinode._spool.owners import OwnerLock
from antinode._spool.segment import Segment
from antinode._spool.writers import OwnSegment, make_segment

GROWTH = 4
_SHARE = 8
"""A segment takes at most this fraction of max_bytes, so that several processes fit."""
_FILLED_WITHIN = 20.0
"""Seconds. Linux writes to the medium what was written so long ago, or a little longer."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class SegmentMaker:
    """Makes the segments of one spool, each larger than the one before; called by one thread at a time."""

    def __init__(
        self,
        disk: Disk,
        path: str,
        directory: SpoolDirectory,
        segments: dict[int, Segment],
        *,
        first_size: int,
        largest_size: int,
        max_bytes: int,
        fingerprint: bytes,
        is_synced: bool,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._disk = disk
        self._path = path
        self._directory = directory
        self._segments = segments
        self._largest_size = largest_size
        self._max_bytes = max_bytes
        self._fingerprint = fingerprint
        self._is_synced = is_synced
        self._clock = clock
        self._wall = wall
        self.may_map = False
        self.is_disowned = False
        """Whether processes with another fingerprint may adopt what is made."""
        self._size = first_size
        self._made_at = float("-inf")
        self._made_size = first_size
        self._number = 0
        self._serials = itertools.count(1)

    def next_serial(self) -> int:
        """A serial number for a segment that is made or adopted; later ones are greater."""
        return next(self._serials)

    def make(
        self,
        lock: OwnerLock | None,
        at_least: int = 0,
        *,
        names: list[str] | None = None,
        is_counted: bool = False,
        is_spare: bool = False,
    ) -> OwnSegment:
        """Make a segment of this owner's, of the size that is due, or smaller if there is no room for that.

        `names` are those of the directory, just listed. Unless `is_counted`, its files are counted here if
        they are few. `is_spare`: nobody waits for it, so that its pages are brought into memory where it will
        be used soon. Raises SpoolError.
        """
        if lock is None:
            raise SpoolBroken(self._path, "take events", 0, "it is not open; call open() first")
        if not is_counted:
            self.count(names, at_most=COUNTED_AT_ONCE)
        preferred = max(self._size, at_least) if self._directory.is_counted else at_least
        at_least = max(at_least, SMALLEST)
        room = self._max_bytes - self._directory.bytes
        share = max(self._max_bytes // _SHARE, at_least)
        size = max(min(preferred, share - share % SMALLEST), at_least)
        while True:
            if size > room and size <= at_least:
                raise SpoolFull(self._path, self._max_bytes)
            if size <= room:
                try:
                    segment = self._make_sized(
                        lock.owner, size, is_filled=is_spare and self._fills_soon(size)
                    )
                    break
                except OSError as error:
                    if error.errno not in _NO_ROOM or size <= at_least:
                        raise SpoolBroken.of(self._path, "make a segment", error) from error
            smaller = size // GROWTH
            size = max(smaller - smaller % GRAIN, at_least)
        self._made_at, self._made_size = self._clock(), size
        self._directory.bytes += size
        self._size = min(max(size, self._size) * GROWTH, self._largest_size)
        return segment

    def count(self, names: list[str] | None = None, *, at_most: int | None = None) -> None:
        """Count the directory's bytes anew, as `SpoolDirectory.count` does. Raises SpoolBroken."""
        try:
            self._directory.count(names, at_most=at_most)
        except OSError as error:
            raise SpoolBroken.of(self._path, "be read", error) from error

    def _fills_soon(self, size: int) -> bool:
        """Whether records come so fast that what is written now is not on the medium before they are.

        Where it would be, each page would be written twice; and where everything is synced, by that.
        """
        took = self._clock() - self._made_at
        return not self._is_synced and took * size <= _FILLED_WITHIN * self._made_size

    def _make_sized(self, owner: str, size: int, *, is_filled: bool) -> OwnSegment:
        self._number += 1
        serial = self.next_serial()
        segment = make_segment(
            self._disk,
            self._path,
            serial,
            size,
            owner=owner,
            number=self._number,
            wall=self._wall(),
            monotonic=self._clock(),
            fingerprint=self._fingerprint,
            salt=int.from_bytes(os.urandom(4), "little"),
            is_claimed=not self.is_disowned,
            may_map=self.may_map,
            is_synced=self._is_synced,
            is_filled=is_filled,
        )
        self._segments[serial] = segment
        return segment
