"""What could not be read is kept apart: in `damaged/`, with a report beside it, for a person to look at."""

from __future__ import annotations

import json
import os

from antinode._spool.disk import Disk
from antinode._spool.scanning import ReadAt

DIRECTORY = "damaged"
_PIECE = 256 * 1024


class SetAside:
    """Moves damage out of the way and counts it. Raises nothing when the disk refuses: the count remains."""

    def __init__(self, disk: Disk, spool: str) -> None:
        self._disk = disk
        self._spool = spool
        self.directory = os.path.join(spool, DIRECTORY)
        self.records = 0
        self.bytes = 0

    def stretch(
        self, read_at: ReadAt, segment: str, offset: int, end: int, *, records: int, problem: str, room: int
    ) -> None:
        """Copy a part of a segment, up to `room` bytes of it."""
        self.records += records
        self.bytes += end - offset
        stem = os.path.join(self.directory, f"{os.path.basename(segment).removesuffix('.seg')}-{offset}")
        kept = max(0, min(end - offset, room))
        try:
            self._disk.make_directory(self.directory)
            self._report(stem, segment, problem=problem, offset=offset, length=end - offset, records=records)
            descriptor = self._disk.create(f"{stem}.bin")
        except OSError:
            return  # set aside before, or not possible
        try:
            for start in range(offset, offset + kept, _PIECE):
                data = read_at(start, min(_PIECE, offset + kept - start))
                self._disk.write_at(descriptor, data, start - offset)
        except OSError:
            return
        finally:
            self._disk.close(descriptor)

    def whole(self, path: str, size: int, problem: str) -> bool:
        """Move a file that is no segment; False when it could not be moved."""
        stem = os.path.join(self.directory, os.path.basename(path))
        try:
            self._disk.make_directory(self.directory)
            self._disk.rename(path, stem)
        except OSError:
            return False
        self.bytes += size
        try:
            self._report(stem, path, problem=problem, offset=0, length=size, records=0)
        except OSError:
            return True
        return True

    def _report(
        self, stem: str, segment: str, *, problem: str, offset: int, length: int, records: int
    ) -> None:
        report = {
            "segment": os.path.basename(segment),
            "problem": problem,
            "offset": offset,
            "length": length,
            "records_missing": records,
        }
        descriptor = self._disk.create(f"{stem}.json")
        try:
            self._disk.write_at(descriptor, (json.dumps(report, indent=2) + "\n").encode(), 0)
        finally:
            self._disk.close(descriptor)
