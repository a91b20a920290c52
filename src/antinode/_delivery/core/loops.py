"""The loops over all records of an upload, compiled where possible (`native/loops.c`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Mapping

from antinode import _speedups
from antinode._delivery.core.stream_queues import StreamQueue
from antinode._delivery.outcome import Outcome
from antinode._delivery.record import Record
from antinode._speedups import compiled, slot

_LAYOUT = {
    "body": slot(Record, "body"),
    "stream": slot(Record, "stream"),
    "attempts": slot(Record, "attempts"),
    "outcome": slot(Record, "outcome"),
    "callbacks": slot(Record, "callbacks"),
    "queue_records": slot(StreamQueue, "records"),
    "queue_is_ready": slot(StreamQueue, "is_ready"),
}
"""The slots that the compiled loops look into."""

if _speedups.native is not None:
    try:
        _speedups.native.know(Record, StreamQueue, _LAYOUT)
    except TypeError as error:
        # msgspec has changed how records lie in memory.
        _speedups.give_up(error)


@compiled
def sift(
    queue: deque[Record],
    taken: list[Record],
    room: int,
    space: int,
    busy: Container[int],
    stream_queues: Mapping[int, StreamQueue],
    most: int,
) -> tuple[int, int, int, int]:
    """Take records from the queue's front; one whose stream has a queue of its own moves to that queue.

    Takes at most `room` records, of `space` bytes with commas, but one at least. Ends at the first of a busy
    stream that has nothing in a queue of its own, and when `most` were moved to such queues. Returns what is
    left of room and space, how many were moved, and how many of them to queues that are ready.
    """
    moved = ready = 0
    while room > 0 and queue and moved < most:
        record = queue[0]
        size = len(record.body) + 1
        stream_queue = stream_queues.get(record.stream)
        if stream_queue is not None:
            if not stream_queue.records:
                break
            stream_queue.records.append(queue.popleft())
            moved += 1
            ready += stream_queue.is_ready
            continue
        if record.stream in busy or (size > space and taken):
            break
        taken.append(queue.popleft())
        space -= size
        room -= 1
    return room, space, moved, ready


@compiled
def drain(queue: deque[Record], taken: list[Record], room: int, space: int) -> tuple[int, int]:
    """Take records as `sift` does, whatever their stream. Returns what is left of room and space."""
    while room > 0 and queue:
        size = len(queue[0].body) + 1
        if size > space and taken:
            break
        taken.append(queue.popleft())
        space -= size
        room -= 1
    return room, space


@compiled
def fitting(records: list[Record], events: int, size: int) -> int:
    """How many records from the front fit into `events` and `size` bytes, commas included: at least one."""
    end = min(len(records), events)
    taken = 0
    for position in range(end):
        taken += len(records[position].body) + 1
        if taken > size and position:
            return position
    return end


@compiled
def total_size(records: list[Record]) -> int:
    """Bytes of all bodies."""
    return sum([len(record.body) for record in records])


@compiled
def join(head: bytes, records: list[Record], tail: bytes) -> bytes:
    """The bodies with commas between them, `head` before and `tail` behind."""
    return b"".join((head, b",".join([record.body for record in records]), tail))


@compiled
def streams_of(records: list[Record]) -> set[int]:
    """The streams of the records."""
    return {record.stream for record in records}


@compiled
def most_attempts(records: list[Record]) -> int:
    """The attempts of the record that has most."""
    return max([record.attempts for record in records], default=0)


@compiled
def deliver(records: list[Record], outcome: Outcome) -> tuple[list[Record], list[Record]]:
    """Settle the records that were sent for the first time, and let go of the bodies no callback needs.

    Returns the records that were sent before, untouched, and those settled that have callbacks.
    """
    others, asked = [], []
    for record in records:
        if record.attempts:
            others.append(record)
            continue
        record.attempts = 1
        record.outcome = outcome
        # In this order: whoever adds a callback looks for the outcome afterwards.
        if record.callbacks is not None:
            asked.append(record)
        else:
            record.body = b""
    return others, asked
