"""Queues of single streams that cannot simply go on: each keeps its records, in order, until they may."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterator

from antinode._delivery.record import Record


class StreamQueue:
    """The records of one stream that wait outside the queue. Later records of the stream join at the end."""

    __slots__ = ("is_ready", "records", "release_at", "stream")

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self.records: deque[Record] = deque()
        self.is_ready = False
        self.release_at: float | None = None
        """When its rate limits let it go on; None if it is ready, or an upload of its stream is under way."""


class StreamQueues:
    """All stream queues, which of them are ready, and when the held ones will be.

    Each is ready (its records may be taken), held until a time (by a rate limit), or busy (an upload holds
    earlier records of its stream). A stream without a queue of its own is free.
    """

    def __init__(self) -> None:
        self.by_stream: dict[int, StreamQueue] = {}
        # Ordered by when each last began to hold records. A plain dict would pass over all its deleted
        # entries for each look at the first one.
        self._filled: OrderedDict[int, StreamQueue] = OrderedDict()
        self._ready: deque[StreamQueue] = deque()
        self._held: list[tuple[float, int, StreamQueue]] = []
        self._tickets = 0
        self.count = 0
        self.ready_count = 0

    def __bool__(self) -> bool:
        return bool(self.by_stream)

    def __len__(self) -> int:
        return len(self.by_stream)

    def __iter__(self) -> Iterator[StreamQueue]:
        return iter(self.by_stream.values())

    @property
    def held(self) -> int:
        """How many streams rate limits hold back at present."""
        return sum(queue.release_at is not None for queue in self.by_stream.values())

    def is_busy_with(self, count: int) -> bool:
        """Whether so many records, or more, wait for uploads of their streams, and not for a rate limit."""
        waiting = self.count - self.ready_count
        if waiting >= count and self._held:
            waiting -= sum(len(queue.records) for queue in self if queue.release_at is not None)
        return waiting >= count

    def get(self, stream: int) -> StreamQueue | None:
        return self.by_stream.get(stream)

    def append(self, stream: int, record: Record) -> StreamQueue:
        """Queue a record behind its stream's earlier ones; the stream queue is busy if it is new."""
        queue = self.by_stream.get(stream)
        if queue is None:
            queue = self.by_stream[stream] = StreamQueue(stream)
        if not queue.records:
            self._filled[stream] = queue
        queue.records.append(record)
        self._counted(queue, 1)
        return queue

    def prepend(self, stream: int, records: list[Record]) -> StreamQueue:
        """Give records back to the front of their stream, in their order."""
        queue = self.by_stream.get(stream)
        if queue is None:
            queue = self.by_stream[stream] = StreamQueue(stream)
        if not queue.records:
            self._filled[stream] = queue
        queue.records.extendleft(reversed(records))
        self._counted(queue, len(records))
        return queue

    def pop(self, queue: StreamQueue) -> Record:
        record = queue.records.popleft()
        self.drained(queue, 1)
        return record

    def drained(self, queue: StreamQueue, count: int) -> None:
        """Count records that were taken from the front of a stream queue."""
        self._counted(queue, -count)
        if count and not queue.records:
            del self._filled[queue.stream]

    def first_filled(self) -> StreamQueue | None:
        """The stream queue that has held records for longest without a break."""
        return next(iter(self._filled.values()), None)

    def recount(self) -> None:
        """Make the counts agree with the records after an exception."""
        queues = self.by_stream.values()
        filled = [queue for queue in self._filled.values() if queue.records]
        self._filled = OrderedDict((queue.stream, queue) for queue in [*filled, *queues] if queue.records)
        self.count = sum(len(queue.records) for queue in queues)
        self.ready_count = sum(len(queue.records) for queue in queues if queue.is_ready)

    def _counted(self, queue: StreamQueue, change: int) -> None:
        self.count += change
        if queue.is_ready:
            self.ready_count += change

    def _set_ready(self, queue: StreamQueue, is_ready: bool) -> None:
        if queue.is_ready is not is_ready:
            queue.is_ready = is_ready
            self.ready_count += len(queue.records) if is_ready else -len(queue.records)

    def next_ready(self) -> StreamQueue | None:
        """The stream queue that has been ready longest; it is busy from here on."""
        while self._ready:
            queue = self._ready.popleft()
            if queue.is_ready:
                self._set_ready(queue, False)
                return queue
        return None

    def make_ready(self, queue: StreamQueue, *, first: bool = False) -> None:
        queue.release_at = None
        if not queue.is_ready:
            self._set_ready(queue, True)
            if first:
                self._ready.appendleft(queue)
            else:
                self._ready.append(queue)

    def hold(self, queue: StreamQueue, until: float) -> None:
        self._set_ready(queue, False)
        queue.release_at = until
        self._tickets += 1
        heapq.heappush(self._held, (until, self._tickets, queue))

    def release_due(self, now: float) -> None:
        """Make those held stream queues ready whose time has come."""
        held = self._held
        while held and held[0][0] <= now:
            until, _, queue = heapq.heappop(held)
            # The entry is void if the stream queue was taken meanwhile, or is held anew, with a later entry.
            if queue.release_at == until and self.by_stream.get(queue.stream) is queue:
                self.make_ready(queue)

    @property
    def next_release(self) -> float | None:
        held = self._held
        while held and held[0][2].release_at != held[0][0]:
            heapq.heappop(held)
        return held[0][0] if held else None

    def discard_empty(self, queue: StreamQueue) -> bool:
        """Forget a stream queue without records, so that its stream is free again."""
        if queue.records:
            return False
        queue.is_ready = False
        queue.release_at = None
        if self.by_stream.get(queue.stream) is queue:
            del self.by_stream[queue.stream]
        return True
