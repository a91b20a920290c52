"""Taking over the segments of owners that have died, each by exactly one living process."""

from __future__ import annotations

import os
from collections.abc import Callable
from stat import S_ISREG

from antinode._spool.disk import Disk
from antinode._spool.format import (
    Header,
    Newer,
    NotReadable,
    decode_header,
    parse_lock_name,
    parse_segment_name,
)
from antinode._spool.inspection.damage import SetAside
from antinode._spool.owners import OwnerLock, acquire
from antinode._spool.segment import AdoptedSegment, headers_of, is_claimed


class Unsuitable(Exception):
    """A segment that is not ours to read: another API key's, or of a later version."""


def read_header(disk: Disk, descriptor: int, size: int) -> Header:
    """From either end of the file. Raises NotReadable or Newer."""
    problem = NotReadable("empty")
    for block in headers_of(disk, descriptor, size):
        try:
            return decode_header(block).within(size)
        except NotReadable as error:
            problem = error
    raise problem


class Adoption:
    """The dead owners this process stands in for, and what of theirs is still to be read."""

    def __init__(self, disk: Disk, directory: str, fingerprint: bytes, aside: SetAside) -> None:
        self._disk = disk
        self._directory = directory
        self._fingerprint = fingerprint
        self._aside = aside
        self._locks: dict[str, OwnerLock] = {}
        self._segments: dict[str, list[AdoptedSegment]] = {}
        self.queue: list[AdoptedSegment] = []
        """Not read to their end yet, in the order of reading."""
        self.total = 0

    def adopt(self, next_serial: Callable[[], int], *, any_fingerprint: bool) -> list[AdoptedSegment]:
        """Lock every dead owner and take its segments. Raises OSError if the directory cannot be listed."""
        taken: list[AdoptedSegment] = []
        for owner, names in sorted(self._owners().items()):
            if owner in self._locks:
                continue
            try:
                taken += self._adopt_owner(owner, names, next_serial, any_fingerprint=any_fingerprint)
            except (OSError, Unsuitable):
                continue  # another user's, another key's, or just being removed: left alone
        self.queue += taken
        self.queue.sort(key=lambda segment: segment.order)
        self.total += len(taken)
        return taken

    def _owners(self) -> dict[str, list[str]]:
        """Owner -> the names of its segments, finished or not."""
        owners: dict[str, list[str]] = {}
        for name in self._disk.names(self._directory):
            if parsed := parse_segment_name(name.removesuffix(".new")):
                owners.setdefault(parsed[0], []).append(name)
            elif owner := parse_lock_name(name):
                owners.setdefault(owner, [])
            elif name.endswith(".seg"):
                self._put_away(name, "not the name of a segment")
        return owners

    def _adopt_owner(
        self, owner: str, names: list[str], next_serial: Callable[[], int], *, any_fingerprint: bool
    ) -> list[AdoptedSegment]:
        if any_fingerprint or self._is_ours(names):
            lock = acquire(self._disk, self._directory, owner)
        else:
            raise Unsuitable
        if lock is None:
            return []
        taken: list[AdoptedSegment] = []
        try:
            # Listed again: until the lock was had, the owner or another adopter may have gone on.
            for name in sorted(self._owners().get(owner, [])):
                if name.endswith(".new"):
                    self._disk.unlink(os.path.join(self._directory, name))
                    continue
                if (segment := self._take(name, next_serial)) is not None:
                    taken.append(segment)
        except BaseException:
            for segment in taken:
                segment.close()
            lock.release(remove=False)
            raise
        if not taken:
            lock.release(remove=not self._owners().get(owner))
            return []
        self._locks[owner] = lock
        self._segments[owner] = list(taken)
        return taken

    def _is_ours(self, names: list[str]) -> bool:
        """Judged before locking, so that the process whose segments they are never finds them locked.

        The segments of an owner have one fingerprint. Without any readable header, anybody may clean up.
        """
        for name in names:
            try:
                descriptor = self._disk.open_to_read(os.path.join(self._directory, name))
            except (FileNotFoundError, NotReadable):
                continue
            try:
                header = read_header(self._disk, descriptor, self._disk.stat_open(descriptor).st_size)
                return header.fingerprint == self._fingerprint or not is_claimed(self._disk, descriptor)
            except NotReadable:
                continue
            except (Newer, OSError):
                return False
            finally:
                self._disk.close(descriptor)
        return True

    def _take(self, name: str, next_serial: Callable[[], int]) -> AdoptedSegment | None:
        """Open it for adoption; set it aside if it is no segment. None: it is not ours, or not there."""
        path = os.path.join(self._directory, name)
        try:
            status = self._disk.stat(path)
            if not S_ISREG(status.st_mode):
                self._put_away(name, "not a file")
                return None
            descriptor = self._disk.open(path)
        except OSError:
            return None
        try:
            header = read_header(self._disk, descriptor, status.st_size)
        except NotReadable as error:
            self._put_away(name, str(error))
            return None
        except (Newer, OSError):
            return None
        finally:
            self._disk.close(descriptor)  # there may be more segments than a process may have open files
        return AdoptedSegment(self._disk, path, header, next_serial(), status.st_size)

    def _put_away(self, name: str, problem: str) -> None:
        path = os.path.join(self._directory, name)
        try:
            size = self._disk.stat(path).st_size
        except OSError:
            return
        self._aside.whole(path, size, problem)

    def done(self, segment: AdoptedSegment) -> None:
        """The segment is settled and deleted; with the last one its owner's lock goes."""
        owner = next((owner for owner, held in self._segments.items() if segment in held), None)
        if owner is None:
            return
        self._segments[owner].remove(segment)
        if not self._segments[owner]:
            del self._segments[owner]
            self._locks.pop(owner).release(remove=True)

    def release(self) -> None:
        """Leave what is unsettled to the next process."""
        for lock in self._locks.values():
            lock.release(remove=False)
        self.clear()

    def forget(self) -> None:
        """In a forked child."""
        for lock in self._locks.values():
            lock.forget()
        self.clear()

    def clear(self) -> None:
        self._locks.clear()
        self._segments.clear()
        self.queue.clear()
