"""The bytes of a segment file, as docs/spool-format.md describes them. Pure: knows no file."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import NamedTuple
from zlib import crc32

from antinode._patterns import pattern

VERSION = 1

# What an acknowledgement byte says of its record. Any two differ in four bits, so that no flipped bit makes a
# pending record look settled; a byte that is none of these says that the record is pending.
PENDING, DELIVERED, REJECTED, DROPPED = 0x00, 0x0F, 0x33, 0x55
DAMAGED = 0xF0
"""The record could not be read and was set aside."""
CODES = frozenset({DELIVERED, REJECTED, DROPPED})
_VALID = CODES | {DAMAGED}
_READABLE_ACKS = bytes(code if code in _VALID else PENDING for code in range(256))

HEADER_BLOCK = 512
"""The header has a sector to itself at each end of the file, so that one lost sector does not lose it."""
CLAIM_AT = HEADER_BLOCK
"""The offset of the byte that says who may adopt the segment."""
CLAIMED, UNCLAIMED = 0, 1
ACKS_AT = 2 * HEADER_BLOCK
BYTES_PER_ACK = 64
"""A segment has one acknowledgement byte for so many bytes of its size: few events are smaller."""
GRAIN = 4096
"""File sizes are multiples of a memory page."""
SMALLEST = 16 * 1024

_MAGIC = b"antspool"
_HEADER = struct.Struct("<8sHHIIQQdd8sI48s")
_CRC = struct.Struct("<I")

FRAME_MAGIC = 0xF5A5_CB9D
"""Not UTF-8 in any byte order, so that it cannot lie within JSON."""
FRAME_MAGIC_BYTES = FRAME_MAGIC.to_bytes(4, "little")
FRAME_MAGIC_AT = 4
FRAME = struct.Struct("<IIIId")
"""checksum, magic, nth, length, logged_at; the body follows. The checksum is over all that comes after it."""
FRAME_SIZE = FRAME.size
FRAME_TAIL = struct.Struct("<IIId")
FRAME_CRC = _CRC
FRAME_CRC_SIZE = _CRC.size

_NAME = pattern(r"([0-9a-f]{12}-[0-9]{1,10}-[0-9a-f]{8})-([0-9]{8})\.seg")
_OWNER = pattern(r"[0-9a-f]{12}-([0-9]{1,10})-[0-9a-f]{8}")


_EARLIEST = 1_577_836_800.0
"""Unix time of the first second of 2020: a clock that says less was never set."""
_LATEST = 253_402_300_799.0
"""Unix time of the last second of the year 9999."""


class NotASegment(ValueError):
    """A block is not a segment's header: foreign, damaged, or empty."""


class Newer(ValueError):
    """The segment was written by a later version of antinode; it is left to that one."""


class Header(NamedTuple):
    """What a segment says of itself, at both ends of its file."""

    owner: str
    number: int
    slots: int
    """Acknowledgement bytes, and so the most records there can be."""
    data_start: int
    data_end: int
    wall: float
    """Unix time of creation."""
    monotonic: float
    """The owner's monotonic clock at the same moment: frames tell time by it."""
    fingerprint: bytes
    salt: int
    """Starts each frame's checksum, so that a frame of another segment is no frame here."""

    @property
    def size(self) -> int:
        return self.data_end + HEADER_BLOCK

    def wall_of(self, logged_at: float) -> float:
        """Unix time of a frame's clock reading, within the years that a date can have."""
        time = self.wall + (logged_at - self.monotonic)
        return _LATEST if math.isnan(time) else min(max(time, 0.0), _LATEST)

    def age_of(self, logged_at: float, now: float) -> float:
        """Seconds between a frame's clock reading and the Unix time `now`, where the clocks can tell.

        0 where a clock was set in between, for one that had never been set starts in 1970.
        """
        if (self.wall < _EARLIEST) != (now < _EARLIEST):
            return 0.0
        return max(0.0, now - self.wall_of(logged_at))

    def within(self, size: int) -> Header:
        """This header for a file of that size: what it claims costs no more memory than the file has bytes.

        Raises NotReadable where its parts do not follow one another.
        """
        if not ACKS_AT + self.slots <= self.data_start <= self.data_end:
            raise NotASegment("the header's numbers do not fit together")
        return self._replace(slots=min(self.slots, size))

    def of_file(self, name: str) -> Header:
        """This header, for the file of that name: who may touch it goes by its name, its order by the header.

        Raises NotASegment where they do not agree.
        """
        if segment_name(self.owner, self.number) != name:
            raise NotASegment("the header is that of another file")
        return self


class Layout(NamedTuple):
    """How a file of a given size is divided."""

    slots: int
    data_start: int
    data_end: int


def layout(size: int) -> Layout:
    slots = size // BYTES_PER_ACK
    return Layout(slots, ACKS_AT + slots, size - HEADER_BLOCK)


def size_for(body: int) -> int:
    """The least file size whose records area takes one record of so many bytes."""
    need = ACKS_AT + HEADER_BLOCK + FRAME_SIZE + body
    size = need * BYTES_PER_ACK // (BYTES_PER_ACK - 1) + GRAIN
    return size - size % GRAIN


def encode_header(header: Header) -> bytes:
    packed = _HEADER.pack(
        _MAGIC,
        VERSION,
        HEADER_BLOCK,
        header.number,
        header.slots,
        header.data_start,
        header.data_end,
        header.wall,
        header.monotonic,
        header.fingerprint,
        header.salt,
        header.owner.encode("ascii"),
    )
    block = packed.ljust(HEADER_BLOCK - FRAME_CRC_SIZE, b"\0")
    return block + _CRC.pack(crc32(block))


def decode_header(block: bytes) -> Header:
    """The header in a block. Raises NotReadable or Newer. Magic, version and checksum never move."""
    if len(block) != HEADER_BLOCK or not block.startswith(_MAGIC):
        raise NotASegment("no segment begins or ends here")
    if _CRC.unpack_from(block, HEADER_BLOCK - FRAME_CRC_SIZE)[0] != crc32(block[:-FRAME_CRC_SIZE]):
        raise NotASegment("the header's checksum is wrong")
    _, version, _, number, slots, start, end, wall, monotonic, fingerprint, salt, owner = _HEADER.unpack_from(
        block
    )
    if version > VERSION:
        raise Newer(f"written in version {version} of the format; this antinode reads up to {VERSION}")
    return Header(
        owner.rstrip(b"\0").decode("ascii", "replace"),
        number,
        slots,
        start,
        end,
        wall,
        monotonic,
        fingerprint,
        salt,
    )


def read_acks(stored: bytes) -> bytes:
    """Acknowledgement bytes, each as one of the codes."""
    return stored.translate(_READABLE_ACKS)


def encode_frame(index: int, logged_at: float, body: bytes, salt: int) -> bytes:
    tail = FRAME_TAIL.pack(FRAME_MAGIC, index, len(body), logged_at) + body
    return _CRC.pack(crc32(tail, salt)) + tail


def new_owner(milliseconds: int, pid: int, random: int) -> str:
    """A name for an owner. Names sort by the time of creation."""
    return f"{min(milliseconds, 0xFFFFFFFFFFFF):012x}-{pid}-{random & 0xFFFFFFFF:08x}"


def pid_of(owner: str) -> int:
    """The process id in an owner's name; 0 when it is no such name."""
    match = _OWNER().fullmatch(owner)
    return int(match[1]) if match else 0


def created_of(name: str) -> int:
    """The milliseconds in the name of an owner's file; 0 when it is no such name."""
    owner = _OWNER().match(name)
    return int(owner[0][:12], 16) if owner else 0


def newest_of(names: Iterable[str]) -> int:
    """The latest milliseconds in the names of owners' files; 0 when there are none."""
    likely = [name for name in names if name[12:13] == "-"]
    # Such names sort by time, so that one look at the last will do, unless that is none.
    return created_of(max(likely, default="")) or max(map(created_of, likely), default=0)


def segment_name(owner: str, number: int) -> str:
    return f"{owner}-{number:08d}.seg"


def parse_segment_name(name: str) -> tuple[str, int] | None:
    match = _NAME().fullmatch(name)
    return (match[1], int(match[2])) if match else None


def lock_name(owner: str) -> str:
    return f"{owner}.lock"


def parse_lock_name(name: str) -> str | None:
    owner = name.removesuffix(".lock")
    return owner if owner != name and _OWNER().fullmatch(owner) else None
