"""The system calls of the spool in one place, so that a test can make any of them fail."""

from __future__ import annotations

import errno
import os
import sys
from stat import S_ISREG
from typing import TYPE_CHECKING

from antinode._spool.format import NotASegment

if TYPE_CHECKING:
    import mmap

_BINARY = getattr(os, "O_BINARY", 0)  # Windows only
_NOFOLLOW = getattr(
    os, "O_NOFOLLOW", 0
)  # not on Windows: a link planted in a shared directory is not followed
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # not on Windows: a FIFO would keep the opener waiting
_FLAGS = _BINARY | _NOFOLLOW | _NONBLOCK
_IN_THE_WAY = frozenset({errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR, errno.ENODEV})
"""What open(2) says of links, FIFOs, sockets, directories and devices without a driver."""
PAGE = 4096
LARGE = 32 * 1024 * 1024
"""A segment is not larger, but for one huge record: what is may be a crafted file, most of it a hole."""
_PIECE = 64 * 1024
_MOST_PIECES = 1024
"""Linux takes no more in one call."""
HAS_POSITION = os.name == "nt"
"""Reading and writing at an offset moves the descriptor's position, so that threads may not share one."""


class NotRegular(OSError, NotASegment):
    """A link, FIFO, directory or device has the name of a file of the spool. It is not used."""


class Disk:
    """What the spool asks of the operating system; everything raises OSError as `os` does."""

    has_lost_descriptors = False
    """Whether other code has closed descriptors of the spool's since this was last set to False."""

    def holds(self, descriptor: int, status: os.stat_result) -> bool:
        """Whether the descriptor is still that of the file with this status.

        Other code may have closed it (`os.closerange`, a daemon made after `init`), and have its number by
        now: so this is asked before each use.
        """
        try:
            is_held = os.path.samestat(self.stat_open(descriptor), status)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            is_held = False
        if not is_held:
            self.has_lost_descriptors = True
        return is_held

    def close_own(self, descriptor: int, status: os.stat_result) -> None:
        """Close the descriptor of the file with this status, unless it has become another's."""
        try:
            is_held = self.holds(descriptor, status)
        except OSError:
            is_held = True  # the system does not say that it was closed
        if is_held:
            self.close(descriptor)

    def open(self, path: str) -> int:
        """Open for reading and writing. Raises NotRegular for what is no regular file, as the others do."""
        return _open_regular(path, os.O_RDWR)

    def open_to_read(self, path: str) -> int:
        return _open_regular(path, os.O_RDONLY)

    def create(self, path: str) -> int:
        """Make a new file that only this user may read."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY | _NOFOLLOW, 0o600)

    def open_lock(self, path: str) -> int:
        return _open_regular(path, os.O_RDWR | os.O_CREAT)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    if sys.platform == "win32":

        def read_at(self, descriptor: int, length: int, offset: int) -> bytes:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, length)

        def write_at(self, descriptor: int, data: bytes, offset: int) -> int:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.write(descriptor, data)

    else:

        def read_at(self, descriptor: int, length: int, offset: int) -> bytes:
            return os.pread(descriptor, length, offset)

        def write_at(self, descriptor: int, data: bytes, offset: int) -> int:
            return os.pwrite(descriptor, data, offset)

    def reserve(self, descriptor: int, size: int) -> None:
        """Make the file this long with blocks of its own, so that no later write fails for lack of room."""
        if sys.platform == "win32" or not hasattr(os, "posix_fallocate"):
            os.ftruncate(descriptor, size)
        else:
            os.posix_fallocate(descriptor, 0, size)

    def write_zeros(self, descriptor: int, offset: int, size: int) -> None:
        """Write about so many zeros, as far as the system takes them at once."""
        if sys.platform != "win32" and hasattr(os, "pwritev"):
            os.pwritev(descriptor, [bytes(_PIECE)] * min(size // _PIECE, _MOST_PIECES), offset)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def map(self, descriptor: int, size: int) -> mmap.mmap:
        import mmap  # noqa: PLC0415 - only where files are mapped

        if sys.version_info >= (3, 13):
            return mmap.mmap(descriptor, size, trackfd=False)
        else:  # noqa: RET505 - type checkers look at one of them
            return mmap.mmap(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Write the file to the medium, with pages stored through a map (on Linux they are the file's)."""
        if sys.platform == "darwin":
            import fcntl  # noqa: PLC0415 - not on Windows

            # On macOS fsync leaves the data in the drive's own cache.
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        elif hasattr(os, "fdatasync"):
            os.fdatasync(descriptor)
        else:
            os.fsync(descriptor)

    def sync_directory(self, path: str) -> None:
        """Make new names in the directory survive a power cut."""
        if os.name == "nt":  # directories cannot be opened there, and their entries are journalled
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_directory(self, path: str) -> None:
        """Make a directory, and the parents that it lacks, for this user alone."""
        missing = []
        while not os.path.isdir(path) and path != os.path.dirname(path):
            missing.append(path)
            path = os.path.dirname(path)
        for each in reversed(missing):
            try:
                os.mkdir(each, 0o700)
            except FileExistsError:
                if not os.path.isdir(each):
                    raise

    def next_data(self, descriptor: int, offset: int) -> int:
        """The first place from `offset` on that is in no hole; `offset` itself where that is not told."""
        if not hasattr(os, "SEEK_DATA"):
            return offset
        try:
            return os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            return sys.maxsize if error.errno == errno.ENXIO else offset

    def names(self, path: str) -> list[str]:
        return os.listdir(path)

    def stat(self, path: str) -> os.stat_result:
        return os.stat(path, follow_symlinks=False)

    def stat_directory(self, path: str) -> os.stat_result:
        return os.stat(path)

    def stat_open(self, descriptor: int) -> os.stat_result:
        return os.fstat(descriptor)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new)

    def unlink(self, path: str) -> None:
        os.unlink(path)


def _open_regular(path: str, flags: int) -> int:
    try:
        descriptor = os.open(path, flags | _FLAGS, 0o600)
    except OSError as error:
        if error.errno in _IN_THE_WAY:
            raise NotRegular(error.errno, "not a regular file", path) from error
        raise
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(errno.EINVAL, "not a regular file", path)
    return descriptor


def bytes_of(status: os.stat_result) -> int:
    """The bytes that a file takes on disk: the holes of a sparse one take none."""
    blocks = getattr(status, "st_blocks", None)  # not on Windows
    return status.st_size if blocks is None else min(status.st_size, int(blocks) * 512)


def read_whole(disk: Disk, descriptor: int, offset: int, length: int) -> bytes:
    """Read `length` bytes, or up to the end of the file. Raises OSError."""
    data = disk.read_at(descriptor, length, offset)
    while 0 < len(data) < length and (
        more := disk.read_at(descriptor, length - len(data), offset + len(data))
    ):
        data += more
    return data


def write_whole(disk: Disk, descriptor: int, data: bytes, offset: int) -> None:
    """Write all of `data`, in as many pieces as the system takes. Raises OSError."""
    written = 0
    while written < len(data):
        more = disk.write_at(descriptor, data[written:], offset + written)
        if more == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += more


def read_through(disk: Disk, descriptor: int, offset: int, length: int) -> bytes:
    """Read `length` bytes, or up to the end; pages that the disk refuses are 0xFF, which is no record."""
    try:
        return read_whole(disk, descriptor, offset, length)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        if offset % PAGE + length <= PAGE:
            end = disk.stat_open(descriptor).st_size
            return b"\xff" * max(0, min(length, end - offset))
    pieces = []
    while length > 0:
        size = min(length, PAGE - offset % PAGE)
        piece = read_through(disk, descriptor, offset, size)
        pieces.append(piece)
        if len(piece) < size:
            break
        offset += size
        length -= size
    return b"".join(pieces)
