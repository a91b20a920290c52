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
_ZEROS = bytes(CHUNK)

ReadAt = Callable[[int, int], bytes]
"""(offset, length) -> that many bytes, or fewer where the file ends."""


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


class _Window:
    """The bytes around the place of reading, fetched in chunks."""

    def __init__(self, read_at: ReadAt, offset: int, end: int) -> None:
        self._read_at = read_at
        self.end = end
        self.base = offset
        self.data = b""

    def hold(self, offset: int, length: int) -> int:
        """Have that stretch in `data` (less where the file ends); returns where in `data` it begins."""
        at = offset - self.base
        have = len(self.data) - at
        if at < 0 or have < length:
            kept = self.data[at:] if at >= 0 and have > 0 else b""
            start = offset + len(kept)
            wanted = min(max(length - len(kept), CHUNK), self.end - start)
            self.data = kept + (self._read_at(start, wanted) if wanted > 0 else b"")
            self.base = offset
            at = 0
        return at


def scan(read_at: ReadAt, offset: int, end: int, index: int, salt: int) -> Iterator[Frame | Damage]:
    """Everything from `offset` on, where record `index` should begin, to the zeros after the last record.

    A stretch that is no record is passed over to the next one that is: its magic, an index that fits and its
    checksum tell. Holds about a chunk in memory, or one record if that is larger.
    """
    window = _Window(read_at, offset, end)
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
        resumed = _next_frame(read_at, offset, end, index, salt)
        if resumed is None:
            break
        start, following = resumed
        if start > offset or following > index:
            yield Damage(index, offset, start, following - index, "unreadable")
        offset, index = start, following
        # Afresh: where a living owner writes, what was fetched may be older than what was found.
        data, at = b"", 0
        window.data = b""
    written = _end_of_data(read_at, offset, end)
    if written > offset:
        yield Damage(index, offset, written, 1, "torn or unreadable at the end", is_at_end=True)


def _next_frame(read_at: ReadAt, offset: int, end: int, index: int, salt: int) -> tuple[int, int] | None:
    """The first place from `offset` on where a later record (or this one) can be read, and its index."""
    base = offset
    while base + FRAME_SIZE <= end:
        data = read_at(base, min(CHUNK, end - base))
        if len(data) < FRAME_SIZE:
            return None
        at = -1 if data == _ZEROS[: len(data)] else data.find(FRAME_MAGIC_BYTES, FRAME_MAGIC_AT)
        while at >= 0:
            start = base + at - FRAME_MAGIC_AT
            # A record takes at least its frame's room, so the index cannot have advanced further than this
            # (and one more, for a reader of a growing segment may have been told of a record too late).
            furthest = index + (start - offset) // FRAME_SIZE + 1
            found = _index_at(read_at, start)
            if index <= found <= furthest and _is_whole(read_at, start, end, salt):
                return start, found
            at = data.find(FRAME_MAGIC_BYTES, at + 1)
        # Overlap, so that a magic that lies across two chunks is found.
        base += len(data) - (FRAME_MAGIC_AT + len(FRAME_MAGIC_BYTES)) + 1
    return None


def _index_at(read_at: ReadAt, start: int) -> int:
    """The index that a frame there would have; -1 where the file ends before."""
    head = read_at(start, FRAME_SIZE)
    return int(FRAME.unpack(head)[2]) if len(head) == FRAME_SIZE else -1


def _is_whole(read_at: ReadAt, start: int, end: int, salt: int) -> bool:
    """A frame begins there, and its checksum is right."""
    head = read_at(start, FRAME_SIZE)
    checksum, _, _, length, _ = FRAME.unpack(head)
    if length > end - start - FRAME_SIZE:
        return False
    body = read_at(start + FRAME_SIZE, length)
    return len(body) == length and bool(crc32(body, crc32(head[FRAME_CRC_SIZE:], salt)) == checksum)


def _end_of_data(read_at: ReadAt, offset: int, end: int) -> int:
    """Behind the last byte that is not zero."""
    last = offset
    while offset < end:
        data = read_at(offset, min(CHUNK, end - offset))
        if not data:
            break
        if data != _ZEROS[: len(data)]:
            last = offset + len(data.rstrip(b"\0"))
        offset += len(data)
    return last
