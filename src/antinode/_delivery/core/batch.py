"""What is sent together: a batch, and each request that carries a part of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain

import msgspec

from antinode._delivery.core.loops import fitting, total_size
from antinode._delivery.record import Record
from antinode._protocol.endpoints import Endpoint

# A request of fewer events costs more than the events in it.
SMALLEST_LIMIT_EVENTS = 10
NO_LIMIT = 1 << 30


class Batch:
    """Records that are sent together and stay together until each has settled or has been held back.

    Its `chunks` are sent one at a time, in order: one at first, more after an answer made it necessary to
    cut. While it lives, nothing else of its streams is sent, which is what keeps them in order.
    """

    __slots__ = ("chunks", "endpoint", "flying", "limit", "rounds", "streams")

    def __init__(self, records: list[Record], endpoint: Endpoint) -> None:
        self.chunks: deque[list[Record]] = deque([records])
        self.flying: list[Record] | None = None
        """The chunk in a request at present."""
        self.endpoint = endpoint
        self.rounds = 0
        """Answers after which something of the batch had to be sent again."""
        self.limit = NO_LIMIT
        """Events that one request may carry; smaller where the bad ones lie close together."""
        self.streams: set[int] | None = None
        """The streams of its records; None until they are asked for."""

    @property
    def is_done(self) -> bool:
        return self.flying is None and not self.chunks

    def parts(self) -> list[list[Record]]:
        """The chunk in a request, if any, and those that wait."""
        return [*self.chunks] if self.flying is None else [self.flying, *self.chunks]

    def records(self) -> Iterator[Record]:
        return chain.from_iterable(self.parts())

    def shrink(self, size: int) -> None:
        """Carry at most half of `size` events in a request from now on."""
        self.limit = max(SMALLEST_LIMIT_EVENTS, min(self.limit, size) // 2)

    def grow(self) -> None:
        self.limit = min(NO_LIMIT, self.limit * 2)

    def cut_front(self, events: int, size: int) -> list[Record]:
        """Take the first chunk, or as much of it as `events` and `size` bytes allow: at least one record."""
        chunk = self.chunks[0]
        end = fitting(chunk, events, size)
        self.chunks.popleft()
        if end < len(chunk):
            self.chunks.appendleft(chunk[end:])
            chunk = chunk[:end]
        return chunk

    @property
    def oldest(self) -> Record | None:
        """The first record that waits for a request."""
        return self.chunks[0][0] if self.chunks else None

    def pop_oldest(self) -> None:
        """Take out the record that `oldest` names, and at no moment any other."""
        chunk = self.chunks[0]
        if len(chunk) == 1:
            self.chunks.popleft()
        else:
            del chunk[0]

    def put_back(self, *chunks: list[Record]) -> None:
        """Have these chunks sent next, in this order; empty ones are left out."""
        self.chunks.extendleft(chunk for chunk in reversed(chunks) if chunk)

    def remove(self, is_gone: Callable[[Record], bool]) -> list[Record]:
        """Take out of the chunks that wait the records for which `is_gone` holds."""
        gone: list[Record] = []
        for _ in range(len(self.chunks)):
            chunk = self.chunks.popleft()
            leaving = [record for record in chunk if is_gone(record)]
            if leaving:
                gone += leaving
                chunk = [record for record in chunk if not is_gone(record)]
            if chunk:
                self.chunks.append(chunk)
        return gone

    def pull(self, streams: set[int]) -> dict[int, list[Record]]:
        """Take the records of these streams out of the chunks that wait, each stream in order."""
        pulled: dict[int, list[Record]] = {}
        for _ in range(len(self.chunks)):
            chunk = self.chunks.popleft()
            stays = [record for record in chunk if record.stream not in streams]
            if len(stays) < len(chunk):
                for record in chunk:
                    if record.stream in streams:
                        pulled.setdefault(record.stream, []).append(record)
            if stays:
                self.chunks.append(stays)
        return pulled


class Upload(msgspec.Struct, frozen=True):
    """One request to make; its shell answers with `Core.respond`."""

    number: int
    records: list[Record]
    endpoint: Endpoint
    """Where it goes."""


def halves(records: list[Record]) -> tuple[list[Record], list[Record]]:
    """Cut two records or more into two parts of about the same number of bytes, neither of them empty."""
    total = total_size(records)
    size = cut = 0
    while cut < len(records) - 1 and (cut == 0 or size * 2 < total):
        size += len(records[cut].body)
        cut += 1
    return records[:cut], records[cut:]
