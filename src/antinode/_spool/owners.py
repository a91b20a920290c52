"""Who may touch a segment: an owner's lock is held by its process for life, or by the one that adopts it.

The lock is the kernel's, on the file `<owner>.lock`: it ends with the process, however that ends, and a
forked child does not have it. POSIX has two traps. A process never conflicts with itself, so what this one
holds is kept in a registry. And closing *any* descriptor of a locked file gives up the lock, so a lock file
that the registry knows is never opened again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from antinode._spool.disk import Disk
from antinode._spool.format import lock_name

if sys.platform == "win32":
    import msvcrt

    # Locked bytes cannot be read by others there, so the lock lies far behind the end of the file.
    _FAR = 1 << 30

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _try_shared(descriptor: int) -> None:
        _lock(descriptor)
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _try_shared(descriptor: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


# (process id, device and inode of the directory, owner): with the process id, a forked child's copy of the
# registry speaks of nobody. setdefault is atomic, which decides between threads.
_Key = tuple[int, int, int, str]
_held: dict[_Key, object] = {}

_Argument = TypeVar("_Argument")


def _key(disk: Disk, directory: str, owner: str) -> _Key:
    status = disk.stat_directory(directory)
    return os.getpid(), status.st_dev, status.st_ino, owner


class OwnerLock:
    """The right to an owner's segments, held until `release`."""

    def __init__(self, disk: Disk, directory: str, owner: str, key: _Key, descriptor: int) -> None:
        self._disk = disk
        self.owner = owner
        self.path = os.path.join(directory, lock_name(owner))
        self._key = key
        self._descriptor = descriptor

    @property
    def is_in_place(self) -> bool:
        """The path still names the locked file: otherwise somebody removed it, and others may lock anew.

        Raises OSError when that cannot be told.
        """
        try:
            named = self._disk.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, self._disk.stat_open(self._descriptor))

    def release(self, *, remove: bool) -> None:
        """Give it up; `remove` the file when no segment of the owner is left, while it is still locked."""
        with suppress(OSError):
            if remove and os.name != "nt" and self.is_in_place:
                self._disk.unlink(self.path)
        self.forget()
        if remove and os.name == "nt":
            _quietly(self._disk.unlink, self.path)

    def forget(self) -> None:
        """Close without touching the file. In a forked child this does not end the parent's lock."""
        _quietly(self._disk.close, self._descriptor)
        _held.pop(self._key, None)


def acquire(disk: Disk, directory: str, owner: str) -> OwnerLock | None:
    """The owner's lock, if nobody living has it, this process included. Raises OSError for anything else."""
    key, claim = _key(disk, directory, owner), object()
    if _held.setdefault(key, claim) is not claim:
        return None
    lock = None
    try:
        descriptor = disk.open_lock(os.path.join(directory, lock_name(owner)))
        lock = OwnerLock(disk, directory, owner, key, descriptor)
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):
            lock.forget()
            return None
        # Between opening and locking, an adopter may have finished with the owner and removed the file.
        if lock.is_in_place:
            return lock
        lock.forget()
        return None
    except BaseException:
        if lock is None:
            _held.pop(key, None)
        else:
            lock.forget()
        raise


def is_held(disk: Disk, directory: str, owner: str) -> bool:
    """Whether a living process, this one included, has the owner's lock. Changes nothing that lasts."""
    key, claim = _key(disk, directory, owner), object()
    if _held.setdefault(key, claim) is not claim:
        return True
    try:
        return _is_locked(disk, os.path.join(directory, lock_name(owner)))
    finally:
        _held.pop(key, None)


def _is_locked(disk: Disk, path: str) -> bool:
    try:
        descriptor = disk.open_to_read(path)
    except OSError:
        return False
    try:
        _try_shared(descriptor)
    except OSError:
        return True
    finally:
        disk.close(descriptor)
    return False


def _quietly(call: Callable[[_Argument], None], argument: _Argument) -> None:
    try:
        call(argument)
    except OSError:
        return
