"""The segments that this process appends to, and how they are made."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn
from zlib import crc32

from antinode._speedups import compiled, slot
from antinode._spool.disk import HAS_POSITION, Disk, write_whole
from antinode._spool.errors import SpoolError
from antinode._spool.format import (
    CLAIM_AT,
    CLAIMED,
    FRAME_CRC,
    FRAME_MAGIC,
    FRAME_SIZE,
    FRAME_TAIL,
    GRAIN,
    HEADER_BLOCK,
    UNCLAIMED,
    Header,
    encode_header,
    layout,
    segment_name,
)
from antinode._spool.mapping import Mapping
from antinode._spool.scanning import Frame, scan
from antinode._spool.segment import Segment

if TYPE_CHECKING:
    import mmap

_pack_tail = FRAME_TAIL.pack
_pack_crc = FRAME_CRC.pack

_PIECE = 256 * 1024
"""How many bytes are written anew at a time."""

# What a file system says that cannot reserve blocks, and what a mapping can fail with: written plainly then.
_NOT_SUPPORTED = frozenset(
    {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.ENOMEM, errno.EACCES}
)


@compiled
def store_frame(mapped: mmap.mmap, start: int, salt: int, nth: int, logged_at: float, body: bytes) -> None:
    """Write a record into mapped memory, which has the room."""
    tail = _pack_tail(FRAME_MAGIC, nth, len(body), logged_at) + body
    mapped[start : start + FRAME_SIZE + len(body)] = _pack_crc(crc32(tail, salt)) + tail


class OwnSegment(Segment):
    """One that this process made. `append`, called by one thread at a time, alone moves its end and count.

    So does `native/stored.c`, for segments that are mapped.
    """

    __slots__ = ("_limit", "_salt", "_slots", "count", "end")

    is_own = True
    is_mapped = False

    def __init__(
        self,
        disk: Disk,
        path: str,
        header: Header,
        serial: int,
        status: os.stat_result,
        descriptor: int,
    ) -> None:
        super().__init__(disk, path, header, serial, status, descriptor)
        self.count = 0
        self.end = header.data_start
        self.synced = 0
        """How many records have been made to survive a power cut."""
        self._synced_end = header.data_start
        self._failed_syncs = 0
        self._is_unsure = False
        """A sync has failed. The system tells that once, and takes what it could not write for written."""
        self.is_sealed = False
        """No record will be appended any more."""
        self._limit = header.data_end
        self._slots = header.slots
        self._salt = header.salt

    def append(self, body: bytes, logged_at: float) -> int:
        """Write a record behind the others; returns its nth, -1 when it does not fit."""
        raise NotImplementedError

    @property
    def pending(self) -> int:
        return self.count - self.acked

    @property
    def is_settled(self) -> bool:
        return self.is_sealed and self.acked >= self.count

    @property
    def free(self) -> int:
        return self._limit - self.end

    def is_whole(self) -> bool:
        """It is there and as long as it was made. Raises OSError when that cannot be told.

        To store into a map behind the end of a file that another process has cut short ends the process.
        """
        found = self.found()
        return found is not None and found.st_size >= self.header.size

    def is_left(self) -> bool:
        """It is still there, with the room of all its records, as far as can be told."""
        try:
            return self.is_whole()
        except OSError:
            return True

    def _stored_acks(self) -> bytes:
        return b""

    def seal(self) -> None:
        self.is_sealed = True

    def retire(self) -> None:
        """Free what only appending needs; after `seal`."""

    def sync(self) -> None:
        """Make all records survive a power cut, those that an earlier sync failed for included.

        Raises OSError when that cannot be said, and once when records did not outlive a failed sync.
        """
        count, end, failed = self.count, self.end, self._failed_syncs
        try:
            lost = self._write_anew(count, end) if self._is_unsure else 0
            self.disk.sync(self.opened())
            if failed != self._failed_syncs:
                raise OSError(0, "another thread's sync of the file failed meanwhile")
        except OSError:
            self._failed_syncs += 1
            self._is_unsure = True
            raise
        self._is_unsure = False
        self.synced, self._synced_end = count, end
        if lost:
            events = "1 event is" if lost == 1 else f"{lost:,} events are"
            raise OSError(0, f"{events} no longer on the disk, after what could not be written earlier")

    def _write_anew(self, count: int, end: int) -> int:
        """Write what is not synced once more, as far as it can be read; returns how many records cannot."""
        start, synced = self._synced_end, self.synced
        found = scan(self.read_at, start, end, synced, self._salt)
        whole = sum(1 for item in found if isinstance(item, Frame) and item.nth < count)
        for offset in range(start, end, _PIECE):
            data = self.read_at(offset, min(_PIECE, end - offset))
            write_whole(self.disk, self.opened(), data, offset)
        return count - synced - whole

    def trim(self) -> None:
        """Give the room behind the last record back to the disk; after `retire`. Raises OSError.

        The header goes first, so that at no moment a reader would take the tail for records.
        """
        header = self.header._replace(data_end=self.end)
        block = encode_header(header)
        descriptor = self.opened()
        self.disk.write_at(descriptor, block, 0)
        self.disk.write_at(descriptor, block, header.data_end)
        self.disk.truncate(descriptor, header.size)
        self.header = header


class MappedSegment(OwnSegment):
    """Appended to by storing into mapped memory: no system call, and the interpreter lock is kept."""

    __slots__ = ("_map",)

    is_mapped = True

    def __init__(
        self,
        disk: Disk,
        path: str,
        header: Header,
        serial: int,
        status: os.stat_result,
        descriptor: int,
        mapping: Mapping,
    ) -> None:
        super().__init__(disk, path, header, serial, status, descriptor)
        self._mapping = mapping
        self._map = mapping.memory

    @classmethod
    def layout(cls) -> dict[str, Any]:
        """What the compiled twin of `append` uses."""
        return {
            "mapped_type": cls,
            "map": slot(cls, "_map"),
            "end": slot(cls, "end"),
            "count": slot(cls, "count"),
            "limit": slot(cls, "_limit"),
            "slots": slot(cls, "_slots"),
            "salt": slot(cls, "_salt"),
            "base": slot(cls, "base"),
        }

    def append(self, body: bytes, logged_at: float) -> int:
        start, nth, length = self.end, self.count, len(body)
        end = start + FRAME_SIZE + length
        if end > self._limit or nth >= self._slots:
            return -1
        store_frame(self._map, start, self._salt, nth, logged_at, body)
        self.end = end
        self.count = nth + 1
        return nth

    def retire(self) -> None:
        self._mapping.let_go()

    def close(self) -> None:
        if self.is_sealed:
            self.retire()
        super().close()


class PlainSegment(OwnSegment):
    """Appended to with write calls, where mapping is not safe."""

    def __init__(
        self,
        disk: Disk,
        path: str,
        header: Header,
        serial: int,
        status: os.stat_result,
        descriptor: int,
    ) -> None:
        # Where reading moves the position that writing uses, each has a descriptor.
        super().__init__(disk, path, header, serial, status, -1 if HAS_POSITION else descriptor)
        self._writer = descriptor if HAS_POSITION else -1
        self._inode, self._device = status.st_ino, status.st_dev

    def _opened_to_append(self) -> int:
        if not HAS_POSITION:
            # What `opened` does, with as little as each record can do with.
            try:
                held = self.disk.stat_open(self.descriptor)
            except OSError:
                return self.opened()
            is_ours = held.st_ino == self._inode and held.st_dev == self._device
            return self.descriptor if is_ours else self.opened()
        if self._writer < 0 or not self.disk.holds(self._writer, self._status):
            self._writer = self.open_again()
        return self._writer

    def append(self, body: bytes, logged_at: float) -> int:
        """Raises OSError when the disk refuses; what was written then is overwritten by the next record."""
        start, nth, length = self.end, self.count, len(body)
        end = start + FRAME_SIZE + length
        if end > self._limit or nth >= self._slots:
            return -1
        tail = _pack_tail(FRAME_MAGIC, nth, length, logged_at) + body
        frame = _pack_crc(crc32(tail, self._salt)) + tail
        writer = self._opened_to_append()
        written = self.disk.write_at(writer, frame, start)
        if written < len(frame):
            write_whole(self.disk, writer, frame[written:], start + written)
        self.end = end
        self.count = nth + 1
        return nth

    def retire(self) -> None:
        writer, self._writer = self._writer, -1
        if writer >= 0:
            with suppress(OSError):
                self.disk.close_own(writer, self._status)

    def close(self) -> None:
        """Not what is appended through."""
        if self.is_sealed:
            self.retire()
        if self.is_sealed or HAS_POSITION:
            super().close()


class RefusingSegment:
    """Stands for the current segment while there is none: so that `append` need not ask."""

    base = 0
    end = 0
    count = 0

    def __init__(self, error: SpoolError) -> None:
        self.error = error

    def again(self) -> SpoolError:
        """A new exception each time: one raised by many threads would collect their tracebacks."""
        return type(self.error)(*self.error.args)

    def append(self, body: bytes, logged_at: float) -> NoReturn:  # noqa: ARG002 - a segment's signature
        raise self.again()


def make_segment(
    disk: Disk,
    directory: str,
    serial: int,
    size: int,
    *,
    owner: str,
    number: int,
    wall: float,
    monotonic: float,
    fingerprint: bytes,
    salt: int,
    is_claimed: bool,
    may_map: bool,
    is_synced: bool,
    is_filled: bool = False,
) -> OwnSegment:
    """A new segment file of that size, ready for `append`. Raises OSError, and leaves nothing behind then.

    `is_filled`: if it is mapped, its pages are in memory before the first store. A fault for each page costs
    several times as much.
    It gets its name when its header is written, so that a segment without one is damaged, not unfinished.
    """
    slots, data_start, data_end = layout(size)
    header = Header(owner, number, slots, data_start, data_end, wall, monotonic, fingerprint, salt)
    path = os.path.join(directory, segment_name(owner, number))
    unfinished = f"{path}.new"
    descriptor = disk.create(unfinished)
    try:
        may_map = _take_room(disk, descriptor, size, may_map)
        block = encode_header(header)
        disk.write_at(descriptor, block, 0)
        disk.write_at(descriptor, bytes([CLAIMED if is_claimed else UNCLAIMED]), CLAIM_AT)
        disk.write_at(descriptor, block, size - HEADER_BLOCK)
        if may_map and is_filled:
            with suppress(OSError):
                disk.write_zeros(descriptor, data_start, data_end - data_start)
        mapping = _map(disk, descriptor, size) if may_map else None
        if mapping is None:
            disk.write_at(
                descriptor, bytes(GRAIN), data_start
            )  # on a full disk, better now than with a record
        if is_synced:
            disk.sync(descriptor)
        if HAS_POSITION:  # Windows, where open files cannot be renamed
            disk.close(descriptor)
            disk.rename(unfinished, path)
            descriptor = disk.open(path)
        else:
            disk.rename(unfinished, path)
        if is_synced:
            disk.sync_directory(directory)
        status = disk.stat_open(descriptor)
    except BaseException:
        for name in (unfinished, path):
            try:
                disk.unlink(name)
            except OSError:
                continue
        with suppress(OSError):
            disk.close(descriptor)
        raise
    if mapping is None:
        return PlainSegment(disk, path, header, serial, status, descriptor)
    return MappedSegment(disk, path, header, serial, status, descriptor, mapping)


def _take_room(disk: Disk, descriptor: int, size: int, may_map: bool) -> bool:
    """Make the file that long; whether its blocks are certain to be there when they are stored to."""
    if may_map:
        try:
            disk.reserve(descriptor, size)
        except OSError as error:
            if error.errno not in _NOT_SUPPORTED:
                raise
        else:
            return True
    disk.truncate(descriptor, size)
    return False


def _map(disk: Disk, descriptor: int, size: int) -> Mapping | None:
    try:
        return Mapping(disk, descriptor, size)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in _NOT_SUPPORTED:
            raise
        return None
