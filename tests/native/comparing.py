"""What is compared, and with what."""

from __future__ import annotations

from typing import Any

from antinode import (
    Outcome,
    Status,
    _speedups,
)
from antinode._delivery.core.stream_queues import StreamQueue
from antinode._delivery.outcome import DELIVERED
from antinode._delivery.record import Record
from antinode._encoding.encoder import EventEncoder
from antinode._encoding.refusal import Refused

PYTHON = _speedups.IN_PYTHON
OUTCOME = Outcome(DELIVERED, Status.SUCCESS, "delivered", 200, attempts=1)


def by_python(encoder: EventEncoder, event: dict[str, Any]) -> tuple[bytes, int] | None:
    """What the Python code sends, unless it has anything to say about it."""
    try:
        body, stream, notes = encoder.encode(dict(event))
    except (Refused, RecursionError):
        return None
    return None if notes else (body, stream)


def ordered(value: Any) -> Any:
    """The same with dicts as lists, so that their order counts."""
    if isinstance(value, dict):
        return [(key, ordered(each)) for key, each in value.items()]
    return [ordered(each) for each in value] if isinstance(value, (list, tuple)) else value


def record(body: bytes, stream: int = 1, attempts: int = 0, is_asked: bool = False) -> Record:
    made = Record(body, stream, 0.0)
    made.attempts = attempts
    if is_asked:
        made.callbacks = [print]
    return made


def copies(given: list[Record]) -> list[Record]:
    return [record(each.body, each.stream, each.attempts, each.callbacks is not None) for each in given]


FIRST = record(b"waits already")


def stream_queue_of(stream: int, *, filled: int, is_ready: bool) -> StreamQueue:
    stream_queue = StreamQueue(stream)
    stream_queue.records.extend([FIRST] * filled)
    stream_queue.is_ready = is_ready
    return stream_queue
