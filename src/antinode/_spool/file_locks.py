"""Locks of the kernel that belong to the open file: a second opening conflicts, in the same process, too.

POSIX's own record locks belong to the process, so that its subinterpreters would not keep each other out. On
Linux there are record locks of open files, with which those conflict; elsewhere BSD's `flock` serves.

A forked child shares the open file, and with it the lock, which ends when the last of them has closed it, or
when anyone unlocks it. So whoever owns the lock unlocks, and a child only closes.
"""

from __future__ import annotations

import errno
import os
import sys

if sys.platform == "win32":
    import msvcrt

    # On Windows others cannot read locked bytes, so the lock lies far behind the end of the file.
    _FAR = 1 << 30

    def _locking(descriptor: int, mode: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, mode, 1)

    def _lock(descriptor: int) -> None:
        _locking(descriptor, msvcrt.LK_NBLCK)

    def unlock(descriptor: int) -> None:
        """Give a lock up. Raises OSError."""
        _locking(descriptor, msvcrt.LK_UNLCK)

    def is_locked(descriptor: int) -> bool:
        """Whether the file is locked through another opening. Raises OSError."""
        if not try_lock(descriptor):
            return True
        unlock(descriptor)
        return False

else:
    import fcntl

    def _lock_whole(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock_whole(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _is_whole_locked(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        _unlock_whole(descriptor)
        return False

    if sys.platform == "linux":
        import struct

        # Type, whence, start, length (0: all of the file), process; padded as C does.
        _RECORD_LOCK = struct.Struct("hhqqi0q")

        def _record_lock(descriptor: int, command: int, kind: int) -> int:
            """Call fcntl for the lock. Returns the kind of lock that is in the way, where that was asked."""
            asked = _RECORD_LOCK.pack(kind, os.SEEK_SET, 0, 0, 0)
            return int(_RECORD_LOCK.unpack(fcntl.fcntl(descriptor, command, asked))[0])

        def _lock(descriptor: int) -> None:
            try:
                _record_lock(descriptor, fcntl.F_OFD_SETLK, fcntl.F_WRLCK)
            except OSError as error:
                if error.errno != errno.EINVAL:  # a kernel that does not know the command
                    raise
                _lock_whole(descriptor)

        def unlock(descriptor: int) -> None:
            """Give a lock up, for forked children that share the open file, too. Raises OSError."""
            try:
                _record_lock(descriptor, fcntl.F_OFD_SETLK, fcntl.F_UNLCK)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                _unlock_whole(descriptor)

        def is_locked(descriptor: int) -> bool:
            """Whether the file is locked, through another opening or by a process. Raises OSError."""
            try:
                return _record_lock(descriptor, fcntl.F_OFD_GETLK, fcntl.F_WRLCK) != fcntl.F_UNLCK
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                return _is_whole_locked(descriptor)

    else:
        _lock = _lock_whole
        unlock = _unlock_whole
        is_locked = _is_whole_locked


def try_lock(descriptor: int) -> bool:
    """Lock a file that is open for writing; False when another opening has it. Raises other OSErrors."""
    try:
        _lock(descriptor)
    except (BlockingIOError, PermissionError):
        return False
    return True
