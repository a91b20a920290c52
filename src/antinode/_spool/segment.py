"""One segment file: its acknowledgements, and who is done with it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress

from antinode._spool.disk import LARGE, Disk, NotRegular, read_through, read_whole
from antinode._spool.format import ACKS_AT, CLAIM_AT, CLAIMED, HEADER_BLOCK, UNCLAIMED, Header, read_acks

_NEAR = 256
"""Acknowledgements that lie no further apart go to disk in one write."""

PLACE_BITS = 32
"""A place is a segment's serial number and a record's index; later ones of one spool are greater."""
INDEX_MASK = (1 << PLACE_BITS) - 1


class Segment:
    """A segment this process may acknowledge in. The file is opened when needed, and closed when idle."""

    # Compiled code finds `base` where it lies.
    __slots__ = ("__dict__", "__weakref__", "base")

    is_own = False

    def __init__(
        self,
        disk: Disk,
        path: str,
        header: Header,
        serial: int,
        status: os.stat_result,
        descriptor: int = -1,
    ) -> None:
        self.disk = disk
        self.path = path
        self.header = header
        self.base = serial << PLACE_BITS
        self.descriptor = descriptor
        self._status = status
        """The status of the file: another file of the same name is not this segment."""
        self.has_bad_pages = False
        """Whether the disk has refused some pages so often that the rest is read without them."""
        self.is_idle = False
        """Whether the descriptor has not been used since this was last set to True."""
        self.acked = 0
        self._acks: bytearray | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing in it will be needed again."""
        raise NotImplementedError

    @property
    def pending(self) -> int:
        """How many records are known of and not acknowledged."""
        raise NotImplementedError

    def opened(self) -> int:
        """The descriptor. Raises FileNotFoundError when the file is gone, OSError when the disk refuses.

        To be asked for each use: other code of this process may close it at any time.
        """
        self.is_idle = False
        if self.descriptor >= 0 and not self.disk.holds(self.descriptor, self._status):
            self.descriptor = -1
        if self.descriptor < 0:
            self.descriptor = self.open_again()
        return self.descriptor

    def open_again(self) -> int:
        """A new descriptor. Raises as `opened` does."""
        try:
            descriptor = self.disk.open(self.path)
        except NotRegular as error:
            raise FileNotFoundError(errno.ENOENT, str(error), self.path) from error
        try:
            is_same = os.path.samestat(self.disk.stat_open(descriptor), self._status)
        except OSError:
            self._close_quietly(descriptor)
            raise
        if not is_same:
            self._close_quietly(descriptor)
            raise FileNotFoundError(errno.ENOENT, "another file has its name", self.path)
        return descriptor

    def _close_quietly(self, descriptor: int) -> None:
        with suppress(OSError):
            self.disk.close(descriptor)

    def read_at(self, offset: int, length: int) -> bytes:
        """That stretch, or up to the end of the file. Raises OSError, but not for known bad pages."""
        if self.has_bad_pages:
            return read_through(self.disk, self.opened(), offset, length)
        return read_whole(self.disk, self.opened(), offset, length)

    @property
    def acks(self) -> bytearray:
        if self._acks is None:
            stored = self._stored_acks()
            self._acks = bytearray(stored.ljust(self.header.slots, b"\0"))
        return self._acks

    def _stored_acks(self) -> bytes:
        return read_acks(self.read_at(ACKS_AT, self.header.slots))

    def acknowledge(self, nths: Iterable[int], code: int) -> int:
        """Write the code for the records that have none yet. Returns how many those were.

        A failed write is ignored: the record would come again after a restart, with the same insert_id.
        """
        try:
            acks = self.acks
        except OSError:
            return 0
        if isinstance(nths, range) and _are_pending(acks, nths):
            acks[nths.start : nths.stop] = bytes([code]) * len(nths)
            self.acked += len(nths)
            self._store_acks(nths.start, nths.stop - 1)
            return len(nths)
        fresh = []
        for nth in nths:
            if nth < len(acks) and not acks[nth]:
                acks[nth] = code
                fresh.append(nth)
        self.acked += len(fresh)
        if fresh:
            fresh.sort()
            first = last = fresh[0]
            for nth in fresh:
                if nth - last > _NEAR:
                    self._store_acks(first, last)
                    first = nth
                last = nth
            self._store_acks(first, last)
        return len(fresh)

    def _store_acks(self, first: int, last: int) -> None:
        try:
            self.disk.write_at(self.opened(), bytes(self.acks[first : last + 1]), ACKS_AT + first)
        except OSError:
            return

    def disown(self) -> None:
        """Let processes with another fingerprint adopt it. Raises OSError."""
        self.disk.write_at(self.opened(), bytes([UNCLAIMED]), CLAIM_AT)

    def next_data(self, offset: int) -> int:
        """Where reading may go on behind a hole; there are holes only in files too large to be a spool's."""
        return self.disk.next_data(self.opened(), offset) if self._status.st_size > LARGE else offset

    def found(self) -> os.stat_result | None:
        """The status of this segment's file, if it has its name. Raises OSError when that cannot be told."""
        try:
            status = self.disk.stat(self.path)
        except FileNotFoundError:
            return None
        return status if os.path.samestat(status, self._status) else None

    def is_gone(self) -> bool:
        """Whether no file has its name any more, or another one. Raises OSError when that cannot be told."""
        return self.found() is None

    def is_left(self) -> bool:
        """Whether it is still there, as far as can be told."""
        try:
            return not self.is_gone()
        except OSError:
            return True

    def close(self) -> None:
        """Close the file; it is opened again when needed."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                self.disk.close_own(descriptor, self._status)

    def delete(self) -> bool:
        """Remove the file; False when the disk refuses, to be tried again."""
        try:
            if not self.is_gone():
                self.close()
                self.disk.unlink(self.path)
        except FileNotFoundError:
            pass
        except OSError:
            return False
        self.close()
        self._acks = None
        return True


class AdoptedSegment(Segment):
    """A segment of a dead owner, read once from its beginning."""

    def __init__(self, disk: Disk, path: str, header: Header, serial: int, status: os.stat_result) -> None:
        super().__init__(disk, path, header, serial, status)
        self.size = status.st_size
        self.is_read = False
        self.given = 0

    @property
    def order(self) -> tuple[str, int]:
        return self.header.owner, self.header.number

    @property
    def pending(self) -> int:
        return self.given - self.acked

    @property
    def is_settled(self) -> bool:
        return self.is_read and self.acked >= self.given


def _are_pending(acks: bytearray, nths: range) -> bool:
    """Whether these are records one behind the other, and there are some, none of which has ended."""
    return (
        nths.step == 1
        and 0 <= nths.start < nths.stop <= len(acks)
        and acks.count(0, nths.start, nths.stop) == len(nths)
    )


def is_claimed(disk: Disk, descriptor: int) -> bool:
    return disk.read_at(descriptor, 1, CLAIM_AT) in {b"", bytes([CLAIMED])}


def headers_of(disk: Disk, descriptor: int, size: int) -> Iterable[bytes]:
    """The places where a header may be: the beginning and the end of the file.

    Raises OSError, but only behind the blocks that could be read: one of them may do.
    """
    refused: OSError | None = None
    for offset in (0, max(0, size - HEADER_BLOCK)):
        try:
            block = read_whole(disk, descriptor, offset, HEADER_BLOCK)
        except OSError as error:
            refused = error
        else:
            yield block
    if refused is not None:
        raise refused
