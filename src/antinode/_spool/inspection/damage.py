"""What could not be read is kept apart: in `damaged/`, with a report beside it, for a person to look at."""

from __future__ import annotations

import errno
import json
import os
from stat import S_ISDIR

from antinode._spool.disk import Disk, bytes_of
from antinode._spool.scanning import ReadAt

DIRECTORY = "damaged"
MOST_FILES = 2000
"""In `damaged/`, reports included. What is damaged beyond that is counted and told, and stays where it is."""
MOST_BYTES = 64 * 1024 * 1024
"""On disk, of the files in `damaged/`, reports included."""
_PIECE = 256 * 1024
_FILES_EACH = 2
"""What was damaged, and the report beside it."""


class SetAside:
    """Moves damage out of the way and counts it. Raises nothing when the disk refuses: the count remains."""

    def __init__(self, disk: Disk, spool: str) -> None:
        self._disk = disk
        self._spool = spool
        self.directory = os.path.join(spool, DIRECTORY)
        self.records = 0
        self.bytes = 0
        self.is_full = False
        """Something was not kept, since `damaged/` holds as much as it may."""
        self._files = -1
        """In the directory, as this process knows; negative: not counted yet."""
        self._kept = 0

    def stretch(
        self, read_at: ReadAt, segment: str, offset: int, end: int, *, records: int, problem: str, room: int
    ) -> None:
        """Copy a part of a segment, up to `room` bytes of it."""
        self.records += records
        self.bytes += end - offset
        stem = os.path.join(self.directory, f"{os.path.basename(segment).removesuffix('.seg')}-{offset}")
        kept = max(0, min(end - offset, room))
        try:
            if not self._take_room(kept):
                return
        except OSError:
            return
        try:
            self._report(stem, segment, problem=problem, offset=offset, length=end - offset, records=records)
            descriptor = self._disk.create(f"{stem}.bin")
        except OSError:
            self._give_back(kept)
            return  # set aside before, or not possible
        try:
            for start in range(offset, offset + kept, _PIECE):
                data = read_at(start, min(_PIECE, offset + kept - start))
                self._disk.write_at(descriptor, data, start - offset)
        except OSError:
            return
        finally:
            self._disk.close(descriptor)

    def whole(self, path: str, problem: str) -> bool:
        """Move a file that is no segment; False when it could not be moved, and is not counted."""
        stem = os.path.join(self.directory, os.path.basename(path))
        try:
            status = self._disk.stat(path)
            if not self._take_room(bytes_of(status)):
                return False
        except OSError:
            return False
        try:
            self._disk.rename(path, stem)
        except OSError:
            self._give_back(bytes_of(status))
            return False
        self.bytes += status.st_size
        try:
            self._report(stem, path, problem=problem, offset=0, length=status.st_size, records=0)
        except OSError:
            return True
        return True

    def _take_room(self, size: int) -> bool:
        """Whether so many bytes may be kept; they count then. Raises OSError."""
        if self._files < 0:
            self._count()
        if self._files + _FILES_EACH > MOST_FILES or self._kept + size > MOST_BYTES:
            self.is_full = True
            return False
        self._files += _FILES_EACH
        self._kept += size
        return True

    def _give_back(self, size: int) -> None:
        self._files -= _FILES_EACH
        self._kept -= size

    def _count(self) -> None:
        """Once: what other processes add meanwhile counts with them. Raises OSError."""
        self._disk.make_directory(self.directory)
        if not S_ISDIR(self._disk.stat(self.directory).st_mode):
            raise OSError(errno.ENOTDIR, "a link is in the place of the directory", self.directory)
        names = self._disk.names(self.directory)
        # Beyond the bound, what they hold makes no difference.
        self._kept = sum(self._size_of(name) for name in names[:MOST_FILES])
        self._files = len(names)

    def _size_of(self, name: str) -> int:
        try:
            return bytes_of(self._disk.stat(os.path.join(self.directory, name)))
        except OSError:
            return 0

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
