"""One segment file: its acknowledgements, and who is done with it."""

from __future__ import annotations

import os
from collections.abc import Iterable

from antinode._spool.disk import Disk, read_through
from antinode._spool.format import ACKS_AT, CLAIM_AT, CLAIMED, HEADER_BLOCK, UNCLAIMED, Header, read_acks

_NEAR = 256
"""Acknowledgements that lie no further apart go to disk in one write."""

PLACE_BITS = 32
"""A place is a segment's serial number and a record's index; later ones of one spool are greater."""
INDEX_MASK = (1 << PLACE_BITS) - 1


class Segment:
    """A segment this process may acknowledge in. The file is opened when needed, and closed when idle."""

    is_own = False

    def __init__(self, disk: Disk, path: str, header: Header, serial: int, descriptor: int = -1) -> None:
        self.disk = disk
        self.path = path
        self.header = header
        self.base = serial << PLACE_BITS
        self.descriptor = descriptor
        self.is_idle = False
        """Nothing used the descriptor since this was last set."""
        self.acked = 0
        self._acks: bytearray | None = None

    @property
    def is_settled(self) -> bool:
        """Nothing in it will be needed again."""
        raise NotImplementedError

    @property
    def pending(self) -> int:
        """Records known of and not acknowledged."""
        raise NotImplementedError

    def opened(self) -> int:
        """The descriptor. Raises OSError when the file cannot be opened any more."""
        self.is_idle = False
        if self.descriptor < 0:
            self.descriptor = self.disk.open(self.path)
        return self.descriptor

    def read_at(self, offset: int, length: int) -> bytes:
        return read_through(self.disk, self.opened(), offset, length)

    @property
    def acks(self) -> bytearray:
        if self._acks is None:
            stored = self._stored_acks()
            self._acks = bytearray(stored.ljust(self.header.slots, b"\0"))
        return self._acks

    def _stored_acks(self) -> bytes:
        return read_acks(self.read_at(ACKS_AT, self.header.slots))

    def acknowledge(self, nths: Iterable[int], code: int) -> int:
        """Write the code for those that have none yet; returns how many those were.

        A failed write is let be: the record would come again after a restart, with the same insert_id.
        """
        try:
            acks = self.acks
        except OSError:
            return 0
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

    def is_in_place(self) -> bool:
        """The path still names this file (as far as it is open)."""
        try:
            named = self.disk.stat(self.path)
            return self.descriptor < 0 or os.path.samestat(named, self.disk.stat_open(self.descriptor))
        except OSError:
            return False

    def close(self) -> None:
        """Close the file; it is opened again when needed."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            try:
                self.disk.close(descriptor)
            except OSError:
                return

    def delete(self) -> bool:
        """Remove the file; False when the disk refuses, to be tried again."""
        try:
            if self.is_in_place():
                self.close()
                self.disk.unlink(self.path)
        except OSError:
            return False
        self.close()
        self._acks = None
        return True


class AdoptedSegment(Segment):
    """A segment of a dead owner, read once from its beginning."""

    def __init__(self, disk: Disk, path: str, header: Header, serial: int, size: int) -> None:
        super().__init__(disk, path, header, serial)
        self.size = size
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


def is_claimed(disk: Disk, descriptor: int) -> bool:
    return disk.read_at(descriptor, 1, CLAIM_AT) in {b"", bytes([CLAIMED])}


def headers_of(disk: Disk, descriptor: int, size: int) -> Iterable[bytes]:
    """The places where a header may be: the beginning and the end of the file."""
    yield read_through(disk, descriptor, 0, HEADER_BLOCK)
    yield read_through(disk, descriptor, max(0, size - HEADER_BLOCK), HEADER_BLOCK)
