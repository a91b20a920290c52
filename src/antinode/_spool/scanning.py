"""Finding the records in a segment's bytes, whatever happened to them. Pure: bytes come from a callable."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, islice
from typing import NamedTuple
from zlib import crc32

from antinode._speedups import compiled
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


class Stretch(NamedTuple):
    """Records one behind the other, whose checksums are right."""

    nth: int
    """Of the first of them."""
    offset: int
    end: int
    times: list[float]
    """When each was logged."""
    bodies: list[bytes]

    def frames(self) -> Iterator[Frame]:
        """Each of them."""
        offset = self.offset
        for nth, (logged_at, body) in enumerate(zip(self.times, self.bodies, strict=True), self.nth):
            end = offset + FRAME_SIZE + len(body)
            yield Frame(nth, offset, end, logged_at, body)
            offset = end

    @property
    def size(self) -> int:
        """Of all bodies, in bytes."""
        return self.end - self.offset - len(self.bodies) * FRAME_SIZE

    def fitting(self, most: int, room: int) -> int:
        """How many of the first, at most so many, have no more bytes together than there is room."""
        if len(self.bodies) <= most and self.size <= room:
            return len(self.bodies)
        return bisect_right(list(accumulate(map(len, islice(self.bodies, max(0, most))))), room)

    def part(self, count: int) -> tuple[Stretch, Stretch]:
        """The first so many, and the others."""
        first = self.bodies[:count]
        end = self.offset + sum(map(len, first)) + len(first) * FRAME_SIZE
        return (
            Stretch(self.nth, self.offset, end, self.times[:count], first),
            Stretch(self.nth + count, end, self.end, self.times[count:], self.bodies[count:]),
        )


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


@compiled
def whole_frames(
    data: bytes, start: int, stop: int, nth: int, salt: int
) -> tuple[int, list[float], list[bytes]]:
    """The whole frames one behind the other from `start` to `stop`, the first being the `nth`.

    Returns where they end, when each record was logged, and their bodies.
    """
    times: list[float] = []
    bodies: list[bytes] = []
    while stop - start >= FRAME_SIZE:
        checksum, magic, found, length, logged_at = FRAME.unpack_from(data, start)
        end = start + FRAME_SIZE + length
        if magic != FRAME_MAGIC or found != nth or end > stop:
            break
        tail = data[start + FRAME_CRC_SIZE : end]
        if crc32(tail, salt) != checksum:
            break
        times.append(logged_at)
        bodies.append(tail[FRAME_SIZE - FRAME_CRC_SIZE :])
        start = end
        nth += 1
    return start, times, bodies


def scan(
    read_at: ReadAt, offset: int, end: int, index: int, salt: int, next_data: NextData = _no_hole
) -> Iterator[Frame | Damage]:
    """Everything `scan_stretches` finds, each record by itself."""
    for item in scan_stretches(read_at, offset, end, index, salt, next_data):
        if isinstance(item, Stretch):
            yield from item.frames()
        else:
            yield item


def scan_stretches(
    read_at: ReadAt, offset: int, end: int, index: int, salt: int, next_data: NextData = _no_hole
) -> Iterator[Stretch | Damage]:
    """Everything from `offset` on, where record `index` should begin, to the zeros after the last record.

    A stretch that is no record is passed over to the next one that is: its magic, an index that fits and its
    checksum tell. Holds about a chunk in memory, or one record if that is larger, and a stretch of it.
    """
    window = _ScanWindow(read_at, offset, end)
    search = _RecordSearch(read_at, end, salt, _CHECKS * (end - offset), next_data)
    while end - offset >= FRAME_SIZE:
        at = window.hold(offset, FRAME_SIZE)
        if len(window.data) - at < FRAME_SIZE:
            break
        _, magic, found, length, _ = FRAME.unpack_from(window.data, at)
        if magic == FRAME_MAGIC and found == index and length <= end - offset - FRAME_SIZE:
            at = window.hold(offset, FRAME_SIZE + length)
            stop = min(len(window.data), at + end - offset)
            behind, times, bodies = whole_frames(window.data, at, stop, index, salt)
            if bodies:
                stretch = Stretch(index, offset, offset + behind - at, times, bodies)
                offset = stretch.end
                index += len(bodies)
                yield stretch
                continue
        resumed = search.next_frame(offset, index)
        if resumed is None:
            break
        start, following = resumed
        if start > offset or following > index:
            yield Damage(index, offset, start, following - index, "unreadable")
        offset, index = start, following
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
