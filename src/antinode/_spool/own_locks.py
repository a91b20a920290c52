"""The locks of one spool's own owners: the one it appends as, and those it has been before."""

from __future__ import annotations

import os
from collections.abc import Callable

from antinode._spool.directory import SpoolDirectory
from antinode._spool.disk import Disk
from antinode._spool.errors import SpoolBroken
from antinode._spool.format import new_owner, newest_of
from antinode._spool.owners import OwnerLock, acquire
from antinode._spool.ownership import refusal

_TRIES = 8


class OwnLocks:
    """The locks of a spool's own owners. Called by one thread at a time."""

    def __init__(
        self, disk: Disk, directory: SpoolDirectory, wall: Callable[[], float], *, is_durable: bool
    ) -> None:
        self._disk = disk
        self._directory = directory
        self._path = directory.path
        self._wall = wall
        self._is_durable = is_durable
        self.current: OwnerLock | None = None
        self._former: list[OwnerLock] = []

    def become_owner(self) -> list[str]:
        """Make the directory if need be, and an owner; returns the names that were there before.

        Raises SpoolBroken.
        """
        lock = None
        try:
            self._directory.make(is_durable=self._is_durable)
            if problem := refusal(self._disk.stat_directory(self._path)):
                raise SpoolBroken(self._path, "be opened", 0, problem)
            names = self._directory.names()
            # Later than all owners there, even if the wall clock was set back: order goes by owner.
            newest = newest_of(names)
            for attempt in range(_TRIES):  # whoever looks whether the owner lives may have it for an instant
                created = max(int(self._wall() * 1000), newest + 1) + attempt
                owner = new_owner(created, os.getpid(), int.from_bytes(os.urandom(4), "little"))
                if (lock := acquire(self._disk, self._path, owner)) is not None:
                    break
        except OSError as error:
            raise SpoolBroken.of(self._path, "be opened", error) from error
        if lock is None:
            raise SpoolBroken(self._path, "be opened", 0, "its lock files cannot be locked")
        self.current = lock
        return names

    def is_in_place(self) -> bool:
        """Whether the lock file has its name, and is locked. Raises OSError when that cannot be told."""
        return self.current is not None and self.current.is_in_place and self.current.hold()

    def lose(self, *, has_segments: bool) -> None:
        """Stop being an owner; where only the lock file was removed, keep others from the segments."""
        lock, self.current = self.current, None
        if lock is None:
            return
        lock.release(remove=not has_segments)
        if has_segments:
            self._lock_again(lock.owner)

    def _lock_again(self, owner: str) -> None:
        """Lock an owner again whose lock file was removed, if it is not too late."""
        try:
            lock = acquire(self._disk, self._path, owner)
        except OSError:
            return
        if lock is not None:
            self._former.append(lock)

    def release(self, *, remove: bool) -> None:
        """Give up all locks; `remove` their files when no segment is left."""
        for lock in [*self._former, *filter(None, [self.current])]:
            lock.release(remove=remove)
