"""Who may touch a segment: an owner's lock is held by its process for life, or by the one that adopts it.

The lock is the kernel's, on the open file `<owner>.lock`: it ends with the process, however that ends, and
keeps out every other opening, by whichever process, thread or subinterpreter. A forked child shares it until
it closes the file, which it does at once: else it would keep the lock of a parent that has died.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress

from antinode._locks import is_owned, let_go
from antinode._spool.disk import Disk
from antinode._spool.file_locks import is_locked, try_lock, unlock
from antinode._spool.format import NotASegment, lock_name

_opening = threading.RLock()
"""Held while a lock file is open that `_open` does not list yet, so that no fork happens meanwhile."""
_PATIENCE = 1.0
"""Seconds that a fork waits for `_opening`: a disk that hangs must not keep a process from forking."""

_TRIES = 20
_BETWEEN_TRIES = 0.001
"""Seconds between attempts to lock a file again whose descriptor other code is closing."""


class OwnerLock:
    """The right to an owner's segments, held until `release`."""

    def __init__(self, disk: Disk, directory: str, owner: str) -> None:
        """Opens the file; does not lock it yet. Raises OSError."""
        self._disk = disk
        self.owner = owner
        self.path = os.path.join(directory, lock_name(owner))
        notice_fork()
        self._open()

    def _open(self) -> None:
        with _opening:
            self._descriptor = self._disk.open_lock(self.path)
            try:
                self._status = self._disk.stat_open(self._descriptor)
            except BaseException:
                with suppress(OSError):
                    self._disk.close(self._descriptor)
                raise
            _open.add(self)

    def take(self) -> bool:
        """Lock it; False when another has it, or the path names another file by now. Raises OSError."""
        # Between opening and locking, an adopter may have finished with the owner and removed the file.
        return try_lock(self._descriptor) and self.is_in_place

    @property
    def is_in_place(self) -> bool:
        """Whether the path still names the locked file: else somebody removed it, and others may lock anew.

        Raises OSError when that cannot be told.
        """
        try:
            named = self._disk.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, self._status)

    def hold(self) -> bool:
        """Lock the file again if other code has closed it, which ended the lock.

        False when another process was quicker, or it is gone. Raises OSError.
        """
        if self._disk.holds(self._descriptor, self._status):
            return True
        former = self._status
        _open.discard(self)
        self._open()
        if os.path.samestat(former, self._status) and self._take_again():
            return True
        self._close()
        return False

    def _take_again(self) -> bool:
        """Lock what was locked until its descriptor was closed: the system may give it up a moment later."""
        for _ in range(_TRIES):
            if self.take():
                return True
            if not self.is_in_place:
                return False
            time.sleep(_BETWEEN_TRIES)
        return self.take()

    def release(self, *, remove: bool) -> None:
        """Give the lock up; `remove` the file, still locked, when no segment of the owner is left.

        Does nothing in a forked child: the lock is its parent's.
        """
        notice_fork()
        if self not in _open:
            return
        if not self._is_held_to_release(remove=remove):
            _open.discard(self)
            return
        with suppress(OSError):
            if remove and os.name != "nt" and self.is_in_place:
                self._disk.unlink(self.path)
        with suppress(OSError):
            # Closing alone would leave the lock to a child that is being forked.
            unlock(self._descriptor)
        self._close()
        if remove and os.name == "nt":
            with suppress(OSError):
                self._disk.unlink(self.path)

    def _is_held_to_release(self, *, remove: bool) -> bool:
        """Whether it is locked. Without its descriptor it is not, and is locked again to remove the file."""
        try:
            if self._disk.holds(self._descriptor, self._status):
                return True
        except OSError:
            return True  # the system does not say that it was closed
        try:
            return remove and self.hold()
        except OSError:
            return False

    def _close(self) -> None:
        with _opening:
            _open.discard(self)
            with suppress(OSError):
                self._disk.close(self._descriptor)

    def close_inherited(self) -> None:
        """In a forked child: close the file, by the system itself, whatever the disk is."""
        with suppress(OSError):
            if os.path.samestat(os.fstat(self._descriptor), self._status):
                os.close(self._descriptor)


_open: set[OwnerLock] = set()
"""The locks whose files are open in the process `_pid`: a forked child closes them."""
_pid = os.getpid()


def notice_fork() -> None:
    """In a forked child: close what it shares with its parent, touching neither files nor locks.

    Called by Python's fork hook; after a fork made in C, by whoever comes first.
    """
    global _opening, _pid
    if os.getpid() == _pid:
        return
    _pid = os.getpid()
    _opening = threading.RLock()
    for lock in _open:
        lock.close_inherited()
    _open.clear()


def recover() -> None:
    """Release what an exception left taken, on the thread in which a signal handler raised it."""
    let_go((_opening,))


def _before_fork() -> None:
    _opening.acquire(timeout=_PATIENCE)


def _after_fork_in_parent() -> None:
    if is_owned(_opening):
        _opening.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=notice_fork
    )


def acquire(disk: Disk, directory: str, owner: str) -> OwnerLock | None:
    """The owner's lock, if nobody living has it, this process included. Raises OSError for anything else."""
    lock = OwnerLock(disk, directory, owner)
    is_taken = False
    try:
        is_taken = lock.take()
    finally:
        if not is_taken:
            lock.release(remove=False)
    return lock if is_taken else None


def is_held(disk: Disk, directory: str, owner: str) -> bool:
    """Whether a living process, this one included, has the owner's lock. Changes nothing that lasts."""
    try:
        descriptor = disk.open_to_read(os.path.join(directory, lock_name(owner)))
    except (FileNotFoundError, NotASegment):
        return False
    except OSError:
        return True  # in doubt the owner lives
    try:
        return is_locked(descriptor)
    except OSError:
        return True
    finally:
        with suppress(OSError):
            disk.close(descriptor)
