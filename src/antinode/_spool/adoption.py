"""Taking over the segments of owners that have died, each by exactly one living process."""

from __future__ import annotations

import errno
import os
import sys
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import suppress
from stat import S_ISREG

from antinode._spool.backoff import ReadBackoff
from antinode._spool.disk import LARGE, Disk, NotRegular, bytes_of
from antinode._spool.format import (
    Header,
    Newer,
    NotASegment,
    decode_header,
    lock_name,
    parse_lock_name,
    parse_segment_name,
)
from antinode._spool.inspection.damage import SetAside
from antinode._spool.owners import OwnerLock, acquire
from antinode._spool.ownership import NotOurs, refusal
from antinode._spool.segment import AdoptedSegment, headers_of, is_claimed

if sys.platform != "win32":
    import resource

MOST_HELD = 64
"""Owners adopted at a time: each takes a descriptor until its records have ended."""
SPARE = 8
"""Adopted owners take at most one in so many of the descriptors that the process may have."""
PASSED_OVER_AFTER = 8
"""After so many failed attempts to adopt an owner, those behind it no longer wait."""
FOREIGN_AFTER = 3
"""After so many failed attempts to adopt an owner for lack of permission, those behind it no longer wait."""
_OF_THE_PROCESS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Refusals that say nothing about the owner: the next one would be refused too."""


class Unsuitable(Exception):
    """A segment that is not ours to read: another API key's, or of a later version."""


def read_header(disk: Disk, descriptor: int, size: int) -> Header:
    """From either end of the file. Raises NotReadable or Newer, or OSError."""
    problem = NotASegment("empty")
    # Of a file that no spool has made so large, what it claims counts as far as it is no hole.
    held = size if size <= LARGE else max(LARGE, bytes_of(disk.stat_open(descriptor)))
    for block in headers_of(disk, descriptor, size):
        try:
            return decode_header(block).within(held)
        except NotASegment as error:
            problem = error
    raise problem


class Adoption:
    """The dead owners this process stands in for, and what of theirs is still to be read.

    Owners are adopted from the oldest on, no more than `MOST_HELD` at a time; `is_pending` until all that a
    look at the directory has found are decided on. One that the disk refuses keeps those behind it waiting,
    for order's sake, but not for ever; it is tried again with every look at the directory.
    """

    def __init__(
        self, disk: Disk, directory: str, fingerprint: bytes, aside: SetAside, clock: Callable[[], float]
    ) -> None:
        self._disk = disk
        self._directory = directory
        self._fingerprint = fingerprint
        self._aside = aside
        self._clock = clock
        self._locks: dict[str, OwnerLock] = {}
        self._segments: dict[str, list[AdoptedSegment]] = {}
        self._waiting: dict[str, list[str]] = {}
        """Owners that are not decided on yet, oldest first, with the names of their files."""
        self._is_unlisted = False
        """Whether the directory is still to be listed, so that nobody knows which owners wait."""
        self._names: list[str] | None = None
        """What the directory held when it was listed for another purpose: the next look uses this."""
        self._backoff = ReadBackoff()
        self._failures: dict[str, int] = {}
        self._not_ours: set[str] = set()
        """Files of other users that have been told of already."""
        self.error: OSError | None = None
        """Why an owner could not be adopted, until this is asked for."""
        self.own: set[str] = set()
        """This spool's own owners: not dead, even where other code has closed their locks."""
        self.queue: list[AdoptedSegment] = []
        """Segments not read to their end yet, in the order of reading."""
        self.total = 0

    @property
    def is_pending(self) -> bool:
        """Whether there are owners that may have left records, which come before all that is logged now."""
        # In this order: other threads ask, while a listing turns the one into the other.
        return self._is_unlisted or bool(self._waiting)

    @property
    def has_unread(self) -> bool:
        """Whether there is, or may be, anything of dead owners that has not been read."""
        return self.is_pending or bool(self.queue)

    @property
    def unread(self) -> int:
        """How many segments are not read to their end, with the owners of whom nobody has looked yet."""
        return self.waiting + len(self.queue)

    @property
    def waiting(self) -> int:
        """How many owners, and listings of them, are still to be decided on."""
        return self._is_unlisted + len(self._waiting)

    @property
    def again_at(self) -> float:
        """When `adopt` can go on with those that wait; infinite while there are none, or there is no room."""
        if not self.is_pending or not self._room():
            return float("inf")
        return self._backoff.at

    def _room(self) -> int:
        """How many more owners may be held. Those that only wait to be deleted are hardly counted."""
        most = min(MOST_HELD, max(1, _descriptors() // SPARE))
        active = sum(
            1 for segments in self._segments.values() if not all(segment.is_settled for segment in segments)
        )
        return max(0, min(most - active, 2 * most - len(self._locks)))

    def adopt(
        self, next_serial: Callable[[], int], *, any_fingerprint: bool, max_owners: int
    ) -> list[AdoptedSegment]:
        """Lock dead owners and take their segments; looks at no more than `max_owners`, living ones included.

        Raises OSError if the directory cannot be listed.
        """
        if self.is_pending and self._clock() < self._backoff.at:
            return []
        if not self._waiting:
            self._list()
        room = self._room()
        if (
            not room
            and self._segments
            and all(s.is_settled for each in self._segments.values() for s in each)
        ):
            # Files that cannot even be deleted must not keep the events of living owners waiting.
            self._waiting.clear()
        taken: list[AdoptedSegment] = []
        for owner, lock, names in self._lock_some(room, max_owners, any_fingerprint=any_fingerprint):
            taken += self._take_all(owner, lock, names, next_serial)
        self.total += len(taken)
        return taken

    def expect(self, names: list[str]) -> None:
        """Hear which files were there before this process was an owner: they wait until `adopt` is called."""
        self._names = names
        self._is_unlisted = any(name.endswith((".seg", ".lock")) for name in names)

    def _list(self) -> None:
        names, self._names = self._names, None
        try:
            if names is None:
                names = self._disk.names(self._directory)
            owners = self._owners(names)
        except OSError as error:
            self._is_unlisted = True
            self._backoff.fail(self._clock())
            self.error = error
            raise
        self._backoff.succeed()
        self._not_ours.intersection_update(names)
        passed = self.own.union(self._locks)
        self._waiting = {owner: owners[owner] for owner in sorted(owners) if owner not in passed}
        self._is_unlisted = False
        self._failures = {owner: count for owner, count in self._failures.items() if owner in owners}

    def _files_of(self, wanted: set[str]) -> dict[str, list[str]]:
        """What `_owners` finds of some owners, with little work for the names of all others."""
        names = self._disk.names(self._directory)
        return self._owners([name for name in names if name.rpartition("-")[0] in wanted])

    def _owners(self, names: list[str]) -> dict[str, list[str]]:
        """Owner -> the names of its segments, finished or not."""
        owners: dict[str, list[str]] = {}
        for name in names:
            if parsed := parse_segment_name(name.removesuffix(".new")):
                owners.setdefault(parsed[0], []).append(name)
            elif owner := parse_lock_name(name):
                owners.setdefault(owner, [])
            elif name.endswith(".seg"):
                self._put_away(name, "not the name of a segment")
        return owners

    def _lock_some(
        self, room: int, max_owners: int, *, any_fingerprint: bool
    ) -> Iterator[tuple[str, OwnerLock, list[str]]]:
        """Lock owners in their order. Ends before one that the disk refuses, unless it is passed over."""
        locked: list[tuple[str, OwnerLock]] = []
        for owner in list(self._waiting)[:max_owners]:
            if len(locked) >= room:
                break
            try:
                if any_fingerprint or self._is_ours(self._waiting[owner]):
                    lock = self._acquire(owner)
                    if lock is not None:
                        locked.append((owner, lock))
                        continue
            except OSError as error:
                if not self._is_passed_over(owner, error):
                    break
            del self._waiting[owner]
        if not locked:
            return
        try:
            # Listed again, since owners or other adopters may have gone on until the locks were taken.
            owners = self._files_of({owner for owner, _ in locked})
        except OSError as error:
            for _, lock in locked:
                lock.release(remove=False)
            self._backoff.fail(self._clock())
            self.error = error
            return
        while locked:
            owner, lock = locked.pop(0)
            yield owner, lock, sorted(owners.get(owner, []))
            if owner in self._waiting:  # refused, and those behind it have to wait
                for _, other in locked:
                    other.release(remove=False)
                return

    def _acquire(self, owner: str) -> OwnerLock | None:
        """The lock of an owner, if no living process has it. What is there but no lock is set aside."""
        try:
            return acquire(self._disk, self._directory, owner)
        except NotRegular:
            path = os.path.join(self._directory, lock_name(owner))
            if not self._aside.whole(path, "not a regular file, as a lock has to be"):
                raise
            return acquire(self._disk, self._directory, owner)

    def _is_passed_over(self, owner: str, error: OSError) -> bool:
        """Whether the owners behind this one, which cannot be adopted now, go on without it."""
        count = self._failures[owner] = self._failures.get(owner, 0) + 1
        is_foreign = isinstance(error, PermissionError)  # another user's, most likely
        if count == 1 or not is_foreign:
            self.error = error
        tries = FOREIGN_AFTER if is_foreign else PASSED_OVER_AFTER
        if isinstance(error, NotRegular) or (count >= tries and error.errno not in _OF_THE_PROCESS):
            return True
        self._backoff.fail(self._clock())
        return False

    def _take_all(
        self, owner: str, lock: OwnerLock, names: list[str], next_serial: Callable[[], int]
    ) -> list[AdoptedSegment]:
        taken: list[AdoptedSegment] = []
        is_anything_left = False
        try:
            for name in names:
                if name.endswith(".new"):
                    is_anything_left |= not self._remove(name)
                    continue
                try:
                    taken.append(self._take(name, next_serial))
                except FileNotFoundError:
                    continue
                except NotOurs as error:
                    is_anything_left = True
                    self._tell_not_ours(name, error)
                except (Newer, Unsuitable):
                    is_anything_left = True
        except OSError as error:
            # All of an owner's segments or none: they are in order.
            lock.release(remove=False)
            if self._is_passed_over(owner, error):
                del self._waiting[owner]
            return []
        except BaseException:
            lock.release(remove=False)
            raise
        self._backoff.succeed()
        self._failures.pop(owner, None)
        for segment in taken:
            insort(self.queue, segment, key=lambda each: each.order)
        # Not before they are in the queue: other threads look whether there is anything in either.
        self._waiting.pop(owner, None)
        if not taken:
            lock.release(remove=not is_anything_left)
            return []
        self._locks[owner] = lock
        self._segments[owner] = list(taken)
        return taken

    def _tell_not_ours(self, name: str, error: NotOurs) -> None:
        if name not in self._not_ours:
            self._not_ours.add(name)
            self.error = error

    def _remove(self, name: str) -> bool:
        try:
            self._disk.unlink(os.path.join(self._directory, name))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _is_ours(self, names: list[str]) -> bool:
        """Whether segments may be adopted: asked before locking, so that their process finds them unlocked.

        The segments of an owner have one fingerprint. Without any readable header, anybody may clean up.
        Raises OSError when the disk refuses.
        """
        for name in names:
            try:
                descriptor = self._disk.open_to_read(os.path.join(self._directory, name))
            except (FileNotFoundError, NotASegment):
                continue
            try:
                status = self._disk.stat_open(descriptor)
                if refusal(status):
                    continue
                header = read_header(self._disk, descriptor, status.st_size).of_file(name)
                return header.fingerprint == self._fingerprint or not is_claimed(self._disk, descriptor)
            except (NotASegment, IsADirectoryError):
                continue
            except Newer:
                return False
            finally:
                self._disk.close(descriptor)
        return True

    def _take(self, name: str, next_serial: Callable[[], int]) -> AdoptedSegment:
        """Open it for adoption. Raises OSError, or why it is not ours: Unsuitable, Newer, NotOurs.

        What is no segment is set aside, and gone then.
        """
        path = os.path.join(self._directory, name)
        status = self._disk.stat(path)
        if problem := refusal(status):
            raise NotOurs(f"{problem}: {name}")
        if not S_ISREG(status.st_mode):
            raise self._put_away(name, "not a file")
        descriptor = self._disk.open(path)
        try:
            header = read_header(self._disk, descriptor, status.st_size).of_file(name)
        except NotASegment as error:
            raise self._put_away(name, str(error)) from error
        finally:
            self._disk.close(descriptor)  # there may be more segments than a process may have open files
        return AdoptedSegment(self._disk, path, header, next_serial(), status)

    def _put_away(self, name: str, problem: str) -> Exception:
        """Set it aside; returns what to raise when it was to be adopted."""
        path = os.path.join(self._directory, name)
        try:
            status = self._disk.stat(path)
        except OSError as error:
            return error
        if refusal(status):
            return Unsuitable(problem)
        is_gone = self._aside.whole(path, problem)
        return FileNotFoundError(errno.ENOENT, problem, path) if is_gone else Unsuitable(problem)

    def done(self, segment: AdoptedSegment) -> None:
        """Let go of a segment that is settled and deleted; with the last one its owner's lock goes."""
        owner = segment.header.owner
        if segment not in self._segments.get(owner, []):
            return
        self._segments[owner].remove(segment)
        if not self._segments[owner]:
            del self._segments[owner]
            self._locks.pop(owner).release(remove=True)

    def hold(self) -> None:
        """Lock owners again whose lock files other code has closed.

        One that another process has taken meanwhile is delivered by both: the insert_ids are the same.
        """
        for lock in self._locks.values():
            with suppress(OSError):
                lock.hold()

    def release(self) -> None:
        """Leave what is unsettled to the next process."""
        for lock in self._locks.values():
            lock.release(remove=False)
        self.clear()

    def clear(self) -> None:
        self._locks.clear()
        self._segments.clear()
        self._waiting.clear()
        self._failures.clear()
        self._is_unlisted = False
        self._names = None
        self.queue.clear()


def _descriptors() -> int:
    """How many descriptors this process may have."""
    if sys.platform == "win32":
        return 512
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_HELD * SPARE if soft == resource.RLIM_INFINITY else soft
