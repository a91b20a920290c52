"""What becomes of segment files: settled ones are deleted, full ones rest, the others are left at the end."""

from __future__ import annotations

from contextlib import AbstractContextManager

from antinode._spool.adoption import Adoption
from antinode._spool.directory import SpoolDirectory
from antinode._spool.disk import Disk
from antinode._spool.errors import DamagedFull, DescriptorsLost, RecordsDamaged, SpoolError
from antinode._spool.inspection.damage import SetAside
from antinode._spool.scanning import Damage
from antinode._spool.segment import AdoptedSegment, Segment
from antinode._spool.writers import OwnSegment

_DAMAGE_KEPT = 16 * 1024 * 1024
"""Bytes of one damaged stretch that are set aside."""


class Upkeep:
    """Looks after the segments at hand. `syncing` is held by whoever syncs their files, or closes them."""

    def __init__(
        self,
        disk: Disk,
        path: str,
        segments: dict[int, Segment],
        adoption: Adoption,
        aside: SetAside,
        directory: SpoolDirectory,
        syncing: AbstractContextManager[object],
        *,
        is_synced: bool,
        max_bytes: int,
    ) -> None:
        self._disk = disk
        self._path = path
        self._segments = segments
        self._adoption = adoption
        self._aside = aside
        self._directory = directory
        self._syncing = syncing
        self._is_synced = is_synced
        self._max_bytes = max_bytes
        self._lost_records = 0
        """Found damaged so far, and not told of yet."""
        self._has_told_full = False

    def sweep(self) -> None:
        """Delete settled segments; free what the others do not need."""
        for serial, segment in list(self._segments.items()):
            if segment.is_settled:
                with self._syncing:
                    is_deleted = self._put_away(segment) if segment.has_bad_pages else segment.delete()
                if is_deleted:
                    del self._segments[serial]
                    if isinstance(segment, AdoptedSegment):
                        self._adoption.done(segment)
            elif not isinstance(segment, OwnSegment) or segment.is_sealed:
                self._rest(segment)

    def _put_away(self, segment: Segment) -> bool:
        """What was not read to its end is not deleted: another day, or another tool, may read it."""
        if segment.is_left():
            segment.close()
            if not self._aside.whole(segment.path, "the disk could not read all of it"):
                return not segment.is_left()
        segment.close()
        return True

    def _rest(self, segment: Segment) -> None:
        """Unmap a full segment; close its file if nothing has used it since last time."""
        with self._syncing:
            if isinstance(segment, OwnSegment):
                if self._is_synced and segment.synced < segment.count:
                    return  # its file stays open to be synced
                segment.retire()
            if segment.is_idle:
                segment.close()
            segment.is_idle = True

    def leave(self, segment: Segment) -> None:
        """Close a segment that stays, without the room it did not use."""
        with self._syncing:
            try:
                if isinstance(segment, OwnSegment):
                    segment.retire()
                    segment.trim()
                    if self._is_synced:
                        segment.sync()
            except OSError:
                return  # the next process reads it as after a crash
            finally:
                segment.close()

    def set_aside(self, segment: Segment, damage: Damage) -> None:
        """Copy a damaged stretch to where a person may look at it, as far as there is room."""
        if not damage.is_at_end:  # what was being written when its process died had not been logged
            self._lost_records += damage.records
        self._aside.stretch(
            segment.read_at,
            segment.path,
            damage.offset,
            damage.end,
            records=damage.records,
            problem=damage.problem,
            room=min(_DAMAGE_KEPT, self._max_bytes - self._directory.bytes),
        )

    def take_findings(self) -> list[SpoolError]:
        """What was found damaged, lost or full since this was last asked."""
        found: list[SpoolError] = []
        lost, self._lost_records = self._lost_records, 0
        if lost:
            found.append(RecordsDamaged(self._path, lost))
        if self._disk.has_lost_descriptors:
            self._disk.has_lost_descriptors = False
            found.append(DescriptorsLost(self._path))
        if self._aside.is_full and not self._has_told_full:
            self._has_told_full = True
            found.append(DamagedFull(self._aside.directory))
        return found
