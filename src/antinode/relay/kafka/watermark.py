"""How far the events of one partition have ended, though they end in any order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence


class Watermark:
    """Numbers a partition's events in the order in which they are read, and hears of their ends.

    The numbers begin with 0 at the first event of the record at `offset`. `ended` are ranges of numbers, in
    order and apart, that ended before this began.
    """

    def __init__(self, offset: int, ended: Sequence[tuple[int, int]] = ()) -> None:
        self.offset = offset
        """The first record that has not ended as a whole: what is to be committed."""
        self._base = 0
        """The number of its first event."""
        self._low = 0
        """The first number that has not ended."""
        self._starts = [start for start, _ in ended]
        self._stops = [stop for _, stop in ended]
        self._records: deque[tuple[int, int]] = deque()
        """Of each record from `offset` on, its offset and the number behind its last event."""
        self._next = 0
        self._advance()

    @property
    def next_number(self) -> int:
        """The number of the next event that is read."""
        return self._next

    @property
    def lag(self) -> int:
        """How many events have been read from the first one on that has not ended."""
        return max(0, self._next - self._low)

    @property
    def has_pending(self) -> bool:
        """Whether an event that was read has not ended."""
        return self._low < self._next

    def take(self, offset: int, count: int) -> int:
        """Hear that a record of `count` events is read. Returns the number of its first."""
        if not self._next and offset != self.offset:
            # Records are gone, and what is known of their events' ends is of no use for others.
            self._starts.clear()
            self._stops.clear()
            self._low = 0
            self.offset = offset
        first = self._next
        self._next += count
        self._records.append((offset, self._next))
        self._pass_records()
        return first

    def ended_within(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The ranges between these numbers that have ended."""
        found = [(start, min(stop, self._low))] if start < self._low else []
        for at in range(bisect_right(self._stops, start), len(self._starts)):
            if self._starts[at] >= stop:
                break
            found.append((max(start, self._starts[at]), min(stop, self._stops[at])))
        return found

    def end(self, start: int, stop: int) -> None:
        """Hear that the events of these numbers, `stop` not among them, have ended; twice does no harm."""
        start = max(start, self._low)
        if start >= stop:
            return
        starts, stops = self._starts, self._stops
        left, right = bisect_left(stops, start), bisect_right(starts, stop)
        if left < right:
            start, stop = min(start, starts[left]), max(stop, stops[right - 1])
        starts[left:right] = [start]
        stops[left:right] = [stop]
        self._advance()

    def offset_of(self, number: int) -> int:
        """The offset of the record that has this event, which has not ended."""
        at = bisect_right(self._records, number, key=lambda record: record[1])
        return self._records[at][0]

    def number_of(self, offset: int) -> int | None:
        """The number of the first event of a record that was read; None if it has ended as a whole."""
        at = bisect_left(self._records, offset, key=lambda record: record[0])
        if at == len(self._records) or self._records[at][0] != offset:
            return None
        return self._base if at == 0 else self._records[at - 1][1]

    def _advance(self) -> None:
        if self._starts and self._starts[0] <= self._low:
            self._low = self._stops[0]
            del self._starts[0], self._stops[0]
        self._pass_records()

    def _pass_records(self) -> None:
        records = self._records
        while records and records[0][1] <= self._low:
            offset, self._base = records.popleft()
            self.offset = offset + 1

    def ended_beyond(self) -> Iterator[tuple[int, int]]:
        """The ranges that have ended from the record at `offset` on, counted from its first event."""
        if self._low > self._base:
            yield 0, self._low - self._base
        for start, stop in zip(self._starts, self._stops, strict=True):
            yield start - self._base, stop - self._base
