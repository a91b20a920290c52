"""What is in a record of Kafka: events of one project, received together, of streams of one partition.

The value, in format 1, with numbers unsigned and big-endian: how many events (4 bytes); for each its stream
(8 bytes); for each the length of its body (4 bytes); the bodies. What holds for all of them is in headers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final, Protocol, TypeVar

import msgspec

FORMAT: Final = 1
MAX_RECORD_BYTES: Final = 900_000
"""A value is no larger, unless one event alone is: what brokers take by default, with room for headers."""
EVENT_OVERHEAD_BYTES: Final = 12

_FORMAT_HEADER: Final = "antinode-format"
_PROJECT_HEADER: Final = "antinode-project"
_RECEIVED_HEADER: Final = "antinode-received"
_PARTITIONS_HEADER: Final = "antinode-partitions"
_WRITER_HEADER: Final = "antinode-writer"
_PROBE_HEADER: Final = "antinode-probe"
_COUNT = struct.Struct(">I")

Headers = Sequence[tuple[str, bytes | None]]
Event = TypeVar("Event", bound="WithBody")


class WithBody(Protocol):
    """What can be put into a record."""

    @property
    def body(self) -> bytes: ...


class UnreadableRecord(ValueError):
    """A record is not one of the relay's, or of a later format."""


PROBE: Final[Sequence[tuple[str, bytes]]] = [(_PROBE_HEADER, b"1")]
"""The headers of a record without events, by which is tried whether the brokers take records."""


def is_probe(headers: Headers | None) -> bool:
    """Whether a record is there for its being taken alone."""
    return any(name == _PROBE_HEADER for name, _ in headers or ())


class RecordHead(msgspec.Struct, frozen=True):
    """What holds for all events of a record."""

    project: str
    """The fingerprint of the project's key."""
    received_ms: int
    """When the relay received them, in milliseconds of Unix time."""
    partitions: int
    """How many partitions the topic had for whoever wrote it: where its streams belong follows from that."""
    writer: str = ""
    """The worker that parked it."""


class RecordEvents(msgspec.Struct, frozen=True):
    """The events of a record, in their order."""

    streams: tuple[int, ...]
    bodies: list[bytes]


def headers_of(head: RecordHead) -> list[tuple[str, bytes]]:
    """The headers of a record."""
    headers = [
        (_FORMAT_HEADER, b"%d" % FORMAT),
        (_PROJECT_HEADER, head.project.encode()),
        (_RECEIVED_HEADER, b"%d" % head.received_ms),
        (_PARTITIONS_HEADER, b"%d" % head.partitions),
    ]
    return [*headers, (_WRITER_HEADER, head.writer.encode())] if head.writer else headers


def read_headers(headers: Headers | None) -> RecordHead:
    """The head of a record. Raises `UnreadableRecord`; other headers do not matter."""
    given = dict(headers or ())
    version = given.get(_FORMAT_HEADER)
    if version != b"%d" % FORMAT:
        raise UnreadableRecord("it has no format" if version is None else "it has a format that is not known")
    try:
        project = (given[_PROJECT_HEADER] or b"").decode("ascii")
        received_ms = int(given[_RECEIVED_HEADER] or b"")
        partitions = int(given[_PARTITIONS_HEADER] or b"")
        writer = (given.get(_WRITER_HEADER) or b"").decode("ascii")
    except (KeyError, ValueError):
        raise UnreadableRecord("a header is missing, or says nothing") from None
    return RecordHead(project, received_ms, partitions, writer)


def pack(streams: Sequence[int], bodies: Sequence[bytes]) -> bytes:
    """The value of a record with these events."""
    count = len(bodies)
    return b"".join(
        (
            struct.pack(f">I{count}Q{count}I", count, *streams, *map(len, bodies)),
            *bodies,
        )
    )


def unpack(value: bytes | None) -> RecordEvents:
    """The events of a value. Raises `UnreadableRecord`."""
    if value is None or len(value) < _COUNT.size:
        raise UnreadableRecord("it is too short")
    (count,) = _COUNT.unpack_from(value)
    start = _COUNT.size + EVENT_OVERHEAD_BYTES * count
    if not count or start > len(value):
        raise UnreadableRecord("it has no events, or not all of what it says it has")
    numbers = struct.unpack_from(f">{count}Q{count}I", value, _COUNT.size)
    ends = accumulate(numbers[count:], initial=start)
    bodies = [value[begin:end] for begin, end in pairwise(ends)]
    if start + sum(numbers[count:]) != len(value):
        raise UnreadableRecord("its events are longer or shorter than it says")
    return RecordEvents(numbers[:count], bodies)


def in_records(events: Iterable[Event], max_bytes: int = MAX_RECORD_BYTES) -> Iterator[list[Event]]:
    """The events in their order, in lists whose values are of `max_bytes` at most, or have one event."""
    together: list[Event] = []
    size = _COUNT.size
    for event in events:
        more = EVENT_OVERHEAD_BYTES + len(event.body)
        if together and size + more > max_bytes:
            yield together
            together, size = [], _COUNT.size
        together.append(event)
        size += more
    if together:
        yield together
