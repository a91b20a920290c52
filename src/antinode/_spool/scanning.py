"""Finding the records in a segment's bytes, whatever happened to them. Pure: bytes come from a callable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple
from zlib import crc32

from antinode._spool.format import (
    FRAME,
    FRAME_CRC_SIZE,
    FRAME_MAGIC,
    FRAME_MAGIC_AT,
    FRAME_MAGIC_BYTES,
    FRAME_SIZE,
)

CHUNK = 256 * 1024
_FIRST_CHUNK = 1024
"""How much is read first behind damage, then twice as much: small damages must not cost a chunk each."""
_SHORT = 4096
"""Records up to this size are looked for behind damage however many there seem to be."""
_CHECKS = 4
"""Longer ones, until so many times the bytes of the area have been checked: frames that only look like it,
each inside the one before, would take quadratic time."""
_ZEROS = bytes(CHUNK)

ReadAt = Callable[[int, int], bytes]
"""(offset, length) -> that many bytes, or fewer where the file ends."""
NextData = Callable[[int], int]
"""offset -> the first place from there on that may hold anything but zeros."""


class Frame(NamedTuple):
    """A record whose checksum is right."""

    nth: int
    offset: int
    end: int
    logged_at: float
    body: bytes


class Damage(NamedTuple):
    """A stretch without readable records. `records` of them are missing, at least; the first is the `nth`."""

    nth: int
    offset: int
    end: int
    records: int
    problem: str
    is_at_end: bool = False
    """No readable record follows: a record that was being written when its process died looks like this."""


class _ScanWindow:
    """The bytes around the place of reading, fetched in chunks."""

    def __init__(self, read_at: ReadAt, offset: int, end: int) -> None:
        self._read_at = read_at
        self.end = end
        self.base = offset
        self.data = b""
        self._chunk = CHUNK

    def restart(self) -> None:
        """Fetch afresh: where a living owner writes, what was fetched may be older than what was found."""
        self.data = b""
        self._chunk = _FIRST_CHUNK

    def hold(self, offset: int, length: int) -> int:
        """Have that stretch in `data` (less where the file ends); returns where in `data` it begins."""
        at = offset - self.base
        have = len(self.data) - at
        if at < 0 or have < length:
            kept = self.data[at:] if at >= 0 and have > 0 else b""
            start = offset + len(kept)
            wanted = min(max(length - len(kept), self._chunk), self.end - start)
            self._chunk = min(self._chunk * 2, CHUNK)
            self.data = kept + (self._read_at(start, wanted) if wanted > 0 else b"")
            self.base = offset
            at = 0
        return at


def _no_hole(offset: int) -> int:
    return offset


def scan(
    read_at: ReadAt, offset: int, end: int, index: int, salt: int, next_data: NextData = _no_hole
) -> Iterator[Frame | Damage]:
    """Everything from `offset` on, where record `index` should begin, to the zeros after the last record.

    A stretch that is no record is passed over to the next one that is: its magic, an index that fits and its
    checksum tell. Holds about a chunk in memory, or one record if that is larger.
    """
    window = _ScanWindow(read_at, offset, end)
    search = _RecordSearch(read_at, end, salt, _CHECKS * (end - offset), next_data)
    hold, unpack = window.hold, FRAME.unpack_from
    data, at = b"", 0
    while end - offset >= FRAME_SIZE:
        if len(data) - at < FRAME_SIZE:
            at = hold(offset, FRAME_SIZE)
            data = window.data
            if len(data) - at < FRAME_SIZE:
                break
        checksum, magic, found, length, logged_at = unpack(data, at)
        if magic == FRAME_MAGIC and found == index and length <= end - offset - FRAME_SIZE:
            size = FRAME_SIZE + length
            if len(data) - at < size:
                at = hold(offset, size)
                data = window.data
            tail = data[at + FRAME_CRC_SIZE : at + size]
            if crc32(tail, salt) == checksum and len(tail) == size - FRAME_CRC_SIZE:
                yield Frame(index, offset, offset + size, logged_at, tail[FRAME_SIZE - FRAME_CRC_SIZE :])
                offset += size
                at += size
                index += 1
                continue
        resumed = search.next_frame(offset, index)
        if resumed is None:
            break
        start, following = resumed
        if start > offset or following > index:
            yield Damage(index, offset, start, following - index, "unreadable")
        offset, index = start, following
        data, at = b"", 0
        window.restart()
    written = _end_of_data(read_at, offset, end, next_data)
    if written > offset:
        yield Damage(index, offset, written, 1, "torn or unreadable at the end", is_at_end=True)


class _RecordSearch:
    """Looks behind damage for the next record, within bounds over the whole of a scan."""

    def __init__(self, read_at: ReadAt, end: int, salt: int, budget: int, next_data: NextData) -> None:
        self._read_at = read_at
        self._next_data = next_data
        self._end = end
        self._salt = salt
        self._budget = budget

    def next_frame(self, offset: int, index: int) -> tuple[int, int] | None:
        """The first place from `offset` on where a later record (or this one) can be read, and its index."""
        base, chunk = offset, _FIRST_CHUNK
        while base + FRAME_SIZE <= self._end:
            data = self._read_at(base, min(chunk, self._end - base))
            if len(data) < FRAME_SIZE:
                return None
            is_empty = data == _ZEROS[: len(data)]
            at = -1 if is_empty else data.find(FRAME_MAGIC_BYTES, FRAME_MAGIC_AT)
            while at >= 0:
                start = base + at - FRAME_MAGIC_AT
                # A record takes at least its frame's room, so the index cannot have advanced further than
                # this (and one more, for a reader of a growing segment may have been told of it too late).
                furthest = index + (start - offset) // FRAME_SIZE + 1
                found = self._index_of_frame(start, index, furthest)
                if found is not None:
                    return start, found
                at = data.find(FRAME_MAGIC_BYTES, at + 1)
            # Overlap, so that a magic that lies across two chunks is found.
            overlap = FRAME_MAGIC_AT + len(FRAME_MAGIC_BYTES) - 1
            base += len(data) - overlap
            if is_empty:
                base = max(base, self._next_data(base + overlap) - overlap)
            chunk = min(chunk * 2, CHUNK)
        return None

    def _index_of_frame(self, start: int, least: int, most: int) -> int | None:
        """The index of the frame there; None where none is whole, or its index does not fit."""
        head = self._read_at(start, FRAME_SIZE)
        if len(head) < FRAME_SIZE:
            return None
        checksum, _, found, length, _ = FRAME.unpack(head)
        if not least <= found <= most or length > self._end - start - FRAME_SIZE:
            return None
        if length > max(_SHORT, self._budget):
            return None
        self._budget -= length
        body = self._read_at(start + FRAME_SIZE, length)
        if len(body) != length or crc32(body, crc32(head[FRAME_CRC_SIZE:], self._salt)) != checksum:
            return None
        return int(found)


def _end_of_data(read_at: ReadAt, offset: int, end: int, next_data: NextData) -> int:
    """Behind the last byte that is not zero."""
    last = offset
    while offset < end:
        data = read_at(offset, min(CHUNK, end - offset))
        if not data:
            break
        is_empty = data == _ZEROS[: len(data)]
        if not is_empty:
            last = offset + len(data.rstrip(b"\0"))
        offset += len(data)
        if is_empty:
            offset = max(offset, next_data(offset))
    return last
