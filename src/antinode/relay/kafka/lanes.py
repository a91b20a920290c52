"""The lanes of one parked partition: each stream's events in order, though some streams wait for long.

The partition is read in passes. A lane that has as many events in delivery as it may is passed over, and
where that began is remembered; when it has room, a pass goes back to there, for the lanes that have room
alone. So a stream that is throttled for a day keeps no other from going on, and memory holds a few events of
each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from antinode.relay.kafka.watermark import Watermark

LANE_EVENTS: Final = 1000
"""How many events of one lane may be in delivery at once."""

Key = tuple[str, int]
"""A project's fingerprint, and a stream."""


class ParkedLane:
    """What is parked of one stream."""

    __slots__ = ("given", "is_open", "next_number", "pending", "skipped_at", "unread")

    def __init__(self) -> None:
        self.pending = 0
        """Events that were read and have not ended."""
        self.unread = 0
        """Events that this worker has parked, and that have not been read back."""
        self.given = 0
        """Events in delivery."""
        self.next_number = 0
        """The first event that has not been given."""
        self.skipped_at: int | None = None
        """The record of that event, if the lane was full when it was read."""
        self.is_open = False
        """Whether this pass gives what was passed over."""

    def skip(self, offset: int, number: int) -> None:
        self.skipped_at = offset
        self.next_number = number
        self.is_open = False


class ParkedLanes:
    """Says which events of a parked partition go into delivery, and where to read on. Pure."""

    def __init__(self, watermark: Watermark, scan_until: int, *, lane_events: int = LANE_EVENTS) -> None:
        """`scan_until`: what is before this offset was parked by others."""
        self.watermark = watermark
        self.position = watermark.offset
        """The offset that is read next."""
        self._high = watermark.offset
        """The first offset that has never been read."""
        self._scan_until = scan_until
        self._lane_events = lane_events
        self._lanes: dict[Key, ParkedLane] = {}
        self._given: dict[int, Key] = {}
        """The lane of each event in delivery, by its number."""
        self._skipped: dict[Key, ParkedLane] = {}
        self._open: set[Key] = set()
        """Lanes that this pass is for."""
        self._ready: set[Key] = set()
        """Lanes that were passed over and have room again."""

    @property
    def is_scanned(self) -> bool:
        """Whether everything that others have parked has been read, so that `has` knows all lanes."""
        return self._high >= self._scan_until

    def __len__(self) -> int:
        return len(self._lanes)

    def has(self, key: Key) -> bool:
        """Whether something of this stream is parked, so that what comes later has to be parked, too."""
        return key in self._lanes

    @property
    def pending(self) -> int:
        """How many events are parked, as far as they were read or parked by this worker."""
        return sum(lane.pending + lane.unread for lane in self._lanes.values())

    def park(self, key: Key, count: int) -> None:
        """Hear that this worker parks so many events of a stream."""
        self._lane(key).unread += count

    def _lane(self, key: Key) -> ParkedLane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = ParkedLane()
        return lane

    def read(
        self, offset: int, project: str, streams: Sequence[int], *, is_own: bool
    ) -> list[tuple[int, int]]:
        """Hear that a record is read. Returns which of its events go into delivery: index and number.

        `is_own`: this worker has written it.
        """
        is_new = offset >= self._high
        if is_new:
            self._end_pass()
            first: int | None = self.watermark.take(offset, len(streams))
            self._high = offset + 1
        else:
            first = self.watermark.number_of(offset)
        self.position = offset + 1
        if first is None:
            return []
        ended = {
            number
            for pair in self.watermark.ended_within(first, first + len(streams))
            for number in range(*pair)
        }
        given: list[tuple[int, int]] = []
        for index, stream in enumerate(streams):
            number, key = first + index, (project, stream)
            if is_new:
                self._count(key, is_own=is_own, has_ended=number in ended)
            if number not in ended and self._gives(key, offset, number, is_new=is_new):
                given.append((index, number))
        return given

    def _count(self, key: Key, *, is_own: bool, has_ended: bool) -> None:
        lane = self._lane(key)
        if is_own and lane.unread:
            lane.unread -= 1
        if not has_ended:
            lane.pending += 1
        self._forget_if_empty(key, lane)

    def _gives(self, key: Key, offset: int, number: int, *, is_new: bool) -> bool:
        lane = self._lanes.get(key)
        if lane is None:
            return False
        if lane.skipped_at is None:
            if not is_new:
                return False
        elif not lane.is_open or number < lane.next_number:
            return False
        if lane.given >= self._lane_events:
            lane.skip(offset, number)
            self._skipped[key] = lane
            self._open.discard(key)
            return False
        lane.given += 1
        lane.next_number = number + 1
        self._given[number] = key
        return True

    def _end_pass(self) -> None:
        """Note that this pass has come to what was never read: nothing of its lanes is passed over now."""
        for key in self._open:
            lane = self._skipped.pop(key)
            lane.skipped_at = None
            lane.is_open = False
        self._open.clear()

    def end(self, number: int) -> None:
        """Hear that an event in delivery has ended."""
        key = self._given.pop(number, None)
        if key is None:
            return
        lane = self._lanes[key]
        lane.given -= 1
        lane.pending -= 1
        if lane.skipped_at is not None and not lane.is_open and lane.given * 2 <= self._lane_events:
            self._ready.add(key)
        self._forget_if_empty(key, lane)

    def _forget_if_empty(self, key: Key, lane: ParkedLane) -> None:
        if not lane.pending and not lane.unread:
            del self._lanes[key]
            self._skipped.pop(key, None)
            self._open.discard(key)
            self._ready.discard(key)

    def seek(self) -> int | None:
        """Where to read on, if not with `position`, which is there from then on."""
        if self.position >= self._high:
            self._end_pass()
        elif self._open:
            return None
        if self._ready:
            position = min(self._skipped[key].skipped_at or 0 for key in self._ready)
            for key in self._ready:
                self._skipped[key].is_open = True
            self._open |= self._ready
            self._ready.clear()
        else:
            position = self._high
        if position == self.position:
            return None
        self.position = position
        return position
