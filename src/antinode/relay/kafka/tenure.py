"""A worker's time with one partition, of the events' topic or of the parked one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from antinode.relay.kafka.client import PartitionOffset
from antinode.relay.kafka.lanes import ParkedLanes
from antinode.relay.kafka.progress import Figures, write_progress
from antinode.relay.kafka.watermark import Watermark

# A place is the number of the tenure, and behind it that of the event.
_NUMBER_BITS = 44
_NUMBER_MASK = (1 << _NUMBER_BITS) - 1


class Tenure:
    """What a worker knows of a partition for as long as it has it. Guarded by its owner."""

    def __init__(self, number: int, topic: str, partition: int, watermark: Watermark) -> None:
        self.number = number
        self.topic = topic
        self.partition = partition
        self.watermark = watermark
        self.lanes: ParkedLanes | None = None
        """Of a parked partition: its lanes."""
        self.parked: Tenure | None = None
        """Of a partition of events: the parked partition of the same number."""
        self.is_over = False
        """Whether the partition is another worker's by now, or about to be."""
        self.committed: PartitionOffset | None = None
        """What was last committed of it."""
        self.commit_anew_at = float("inf")
        self.held_at: dict[int, float] = {}
        """Throttled streams, and when each was last found waiting in memory."""

    @property
    def first_place(self) -> int:
        return self.number << _NUMBER_BITS

    def end(self, start: int, stop: int) -> None:
        """Hear that the events between these places have ended."""
        start &= _NUMBER_MASK
        stop = ((stop - 1) & _NUMBER_MASK) + 1
        self.watermark.end(start, stop)
        if self.lanes is not None:
            for number in range(start, stop):
                self.lanes.end(number)

    def offset_of(self, place: int) -> int:
        """The offset of the record that has the event of this place, which has not ended."""
        return self.watermark.offset_of(place & _NUMBER_MASK)

    def _figures(self) -> Figures:
        if self.lanes is not None:
            return Figures(self.lanes.pending, len(self.lanes))
        return Figures(self.watermark.lag, len(self.held_at))

    def forget_held(self, before: float) -> None:
        """Leave out streams that have not been held back since then."""
        for stream in [each for each, at in self.held_at.items() if at < before]:
            del self.held_at[stream]

    def position(self, *, is_released: bool = False) -> PartitionOffset:
        """What is to be committed of it."""
        figures = None if is_released else self._figures()
        offset = self.watermark.offset
        text = write_progress(
            self.watermark.ended_beyond(), is_released=is_released, figures=figures, offset=offset
        )
        return PartitionOffset(self.topic, self.partition, offset, text)


def tenure_of(place: int) -> int:
    """The number of the tenure that a place is in."""
    return place >> _NUMBER_BITS


def runs_of(places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The places as ranges without gaps, in order."""
    if isinstance(places, range):
        if places:
            yield places.start, places.stop
        return
    start = stop = -1
    for place in sorted(places):
        if place != stop:
            if start >= 0:
                yield start, stop
            start = place
        stop = place + 1
    if start >= 0:
        yield start, stop
