"""Streams that cannot simply go on: a lane keeps the records of one of them, in order, until it may."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterator

from antinode._delivery.record import Delivery


class Lane:
    """The records of one stream that wait outside the queue. Later records of the stream join at the end."""

    __slots__ = ("is_ready", "records", "release_at", "stream")

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self.records: deque[Delivery] = deque()
        self.is_ready = False
        self.release_at: float | None = None
        """When a gate opens for it; None while it waits for an upload of its own stream, or is ready."""


class Lanes:
    """All lanes, which of them are ready, and when the held ones will be.

    A lane is ready (its records may be taken), held until a time (a closed gate), or busy (an upload holds
    earlier records of its stream). A stream without a lane is free.
    """

    def __init__(self) -> None:
        self.by_stream: dict[int, Lane] = {}
        # Ordered by when each lane last began to hold records. A plain dict would be walked from its deleted
        # entries on for each look at the first one.
        self._filled: OrderedDict[int, Lane] = OrderedDict()
        self._ready: deque[Lane] = deque()
        self._held: list[tuple[float, int, Lane]] = []
        self._tickets = 0
        self.count = 0
        self.ready_count = 0

    def __bool__(self) -> bool:
        return bool(self.by_stream)

    def __len__(self) -> int:
        return len(self.by_stream)

    def __iter__(self) -> Iterator[Lane]:
        return iter(self.by_stream.values())

    def get(self, stream: int) -> Lane | None:
        return self.by_stream.get(stream)

    def append(self, stream: int, record: Delivery) -> Lane:
        """Queue a record behind its stream's earlier ones; the lane is busy if it is new."""
        lane = self.by_stream.get(stream)
        if lane is None:
            lane = self.by_stream[stream] = Lane(stream)
        if not lane.records:
            self._filled[stream] = lane
        lane.records.append(record)
        self._counted(lane, 1)
        return lane

    def prepend(self, stream: int, records: list[Delivery]) -> Lane:
        """Give records back to the front of their stream, in their order."""
        lane = self.by_stream.get(stream)
        if lane is None:
            lane = self.by_stream[stream] = Lane(stream)
        if not lane.records:
            self._filled[stream] = lane
        lane.records.extendleft(reversed(records))
        self._counted(lane, len(records))
        return lane

    def pop(self, lane: Lane) -> Delivery:
        record = lane.records.popleft()
        self.drained(lane, 1)
        return record

    def drained(self, lane: Lane, count: int) -> None:
        """So many records were taken from the lane's front."""
        self._counted(lane, -count)
        if count and not lane.records:
            del self._filled[lane.stream]

    def first_filled(self) -> Lane | None:
        """The lane that has held records for longest without a break."""
        return next(iter(self._filled.values()), None)

    def recount(self) -> None:
        """Put right what an exception left half done: the records are what counts."""
        lanes = self.by_stream.values()
        filled = [lane for lane in self._filled.values() if lane.records]
        self._filled = OrderedDict((lane.stream, lane) for lane in [*filled, *lanes] if lane.records)
        self.count = sum(len(lane.records) for lane in lanes)
        self.ready_count = sum(len(lane.records) for lane in lanes if lane.is_ready)

    def _counted(self, lane: Lane, change: int) -> None:
        self.count += change
        if lane.is_ready:
            self.ready_count += change

    def _set_ready(self, lane: Lane, is_ready: bool) -> None:
        if lane.is_ready is not is_ready:
            lane.is_ready = is_ready
            self.ready_count += len(lane.records) if is_ready else -len(lane.records)

    def next_ready(self) -> Lane | None:
        """The lane that has been ready longest; it is busy from here on."""
        while self._ready:
            lane = self._ready.popleft()
            if lane.is_ready:
                self._set_ready(lane, False)
                return lane
        return None

    def make_ready(self, lane: Lane, *, first: bool = False) -> None:
        lane.release_at = None
        if not lane.is_ready:
            self._set_ready(lane, True)
            if first:
                self._ready.appendleft(lane)
            else:
                self._ready.append(lane)

    def hold(self, lane: Lane, until: float) -> None:
        self._set_ready(lane, False)
        lane.release_at = until
        self._tickets += 1
        heapq.heappush(self._held, (until, self._tickets, lane))

    def release_due(self, now: float) -> None:
        """Make those held lanes ready whose time has come."""
        held = self._held
        while held and held[0][0] <= now:
            until, _, lane = heapq.heappop(held)
            # A lane held anew, or taken meanwhile, has a later entry or none: this one is void.
            if lane.release_at == until and self.by_stream.get(lane.stream) is lane:
                self.make_ready(lane)

    @property
    def next_release(self) -> float | None:
        held = self._held
        while held and held[0][2].release_at != held[0][0]:
            heapq.heappop(held)
        return held[0][0] if held else None

    def discard_empty(self, lane: Lane) -> bool:
        """Forget a lane without records, so that its stream is free again."""
        if lane.records:
            return False
        lane.is_ready = False
        lane.release_at = None
        if self.by_stream.get(lane.stream) is lane:
            del self.by_stream[lane.stream]
        return True
