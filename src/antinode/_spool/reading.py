"""Giving records back in order: those of dead owners, and own ones that were not kept in memory."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import NamedTuple

from antinode._spool.backoff import ReadBackoff
from antinode._spool.format import DAMAGED
from antinode._spool.scanning import Damage, Frame, Stretch, scan_stretches
from antinode._spool.segment import AdoptedSegment, Segment
from antinode._spool.writers import OwnSegment

OnDamage = Callable[[Segment, Damage], None]

PASSES_OVER_AFTER = 8
"""After so many answers of EIO in a row the disk has bad pages: only what they held is lost."""

_ENDED = bytes(range(1, 256))
"""What an acknowledgement may be that is not pending."""

FAULTS = 3
"""After so many failures in a row that are not the disk's, the rest of a file is given up."""


class Tries:
    """The tries to read a file. Only one that is gone is given up; any other refusal is tried again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._backoff = ReadBackoff()
        self.error: OSError | None = None
        """Why nothing was read last time, until this is asked for."""

    @property
    def again_at(self) -> float:
        return self._backoff.at

    @property
    def is_waiting(self) -> bool:
        return self._clock() < self._backoff.at

    def fail(self, segment: Segment, error: Exception) -> bool:
        """Count a failure. Returns whether to try again: always if the disk refused, else `FAULTS` times.

        A file that cannot be read to its end for another fault is set aside whole.
        """
        self._backoff.fail(self._clock())
        segment.close()
        if not isinstance(error, OSError):
            self.error = OSError(0, f"{type(error).__name__} while it was read")
            segment.has_bad_pages = segment.has_bad_pages or self._backoff.failures >= FAULTS
            return self._backoff.failures < FAULTS
        self.error = error
        if error.errno == errno.EIO and self._backoff.failures >= PASSES_OVER_AFTER:
            segment.has_bad_pages = True
        return True

    def succeed(self) -> None:
        if self._backoff.failures:
            self._backoff.succeed()


class Start(NamedTuple):
    """Where the buffered record of that ordinal lies, the first after a time when all had been read."""

    ordinal: int
    segment: OwnSegment
    offset: int
    nth: int


class OwnReader:
    """Reads the own records that were appended with direct=False, while more are appended.

    `handed` counts those given so far; the appender counts those appended. When reading has caught up,
    records may be appended that must not be given (direct=True); the next one that must be given leaves a
    Start with its ordinal. So: if the record wanted next has a Start, it lies there; else it follows the one
    before. The appender publishes the Start before its count, and only when everything was read, so that
    none can be missed.
    """

    def __init__(
        self,
        next_own: Callable[[OwnSegment], OwnSegment | None],
        on_damage: OnDamage,
        clock: Callable[[], float],
    ) -> None:
        self.handed = 0
        self.tries = Tries(clock)
        self.segment: OwnSegment | None = None
        self._next_own = next_own
        self._on_damage = on_damage
        self._start: Start | None = None
        self._stretch: Stretch | None = None
        """Records that were read, and not given yet."""
        self._found: Iterator[Stretch | Damage] | None = None
        self._offset = self._nth = 0
        """The place and the record at which reading goes on."""
        # How far what is at hand goes: nothing behind it was complete when it was looked.
        self._bound = self._bound_count = 0

    def next(self, buffered: int, start: Start | None, most: int, room: int) -> Stretch | None:
        """The next of `buffered` records in all, at most so many, and no more bytes than there is room.

        None when they are read, cannot be read now, or the next one does not fit.
        """
        if self.handed >= buffered:
            return None
        if start is not None and start.ordinal == self.handed and start is not self._start:
            self._start = start
            self._go_to(start.segment, start.offset, start.nth)
        while self._stretch is None:
            if self.handed >= buffered or self.tries.is_waiting:
                return None
            if self._found is None:
                if not self._look_further():
                    return None
            else:
                try:
                    self._stretch = self._next_stretch()
                except Exception as error:
                    self._found = None  # from where it was, once more
                    if self.segment is None or self.tries.fail(self.segment, error):
                        return None
                    self._lose_rest(self.segment)
                else:
                    if self._stretch is not None:
                        self.tries.succeed()
        count = self._stretch.fitting(min(most, buffered - self.handed), room)
        if not count:
            return None
        given, rest = self._stretch.part(count)
        self._stretch = rest if rest.bodies else None
        self.handed += count
        return given

    def _go_to(self, segment: OwnSegment, offset: int, nth: int) -> None:
        self.segment, self._offset, self._nth = segment, offset, nth
        self._found = self._stretch = None

    def _look_further(self) -> bool:
        segment = self.segment
        if segment is None:
            return False
        # Read in this order: once sealed, the rest does not change; and the count follows the end.
        is_sealed, self._bound_count, self._bound = segment.is_sealed, segment.count, segment.end
        if self._offset < self._bound:
            self._found = scan_stretches(
                segment.read_at, self._offset, self._bound, self._nth, segment.header.salt
            )
            return True
        following = self._next_own(segment) if is_sealed else None
        if following is None:
            return False
        self._go_to(following, following.header.data_start, 0)
        return True

    def _next_stretch(self) -> Stretch | None:
        """The next records at hand; None when they are used up, and what is missing is counted.

        Raises OSError when the disk refuses. What a file held that is gone counts as missing.
        """
        segment, found = self.segment, self._found
        if segment is None or found is None:
            return None
        try:
            for item in found:
                if isinstance(item, Stretch):
                    self._offset, self._nth = item.end, item.nth + len(item.bodies)
                    return item
                if item.end < self._bound:
                    self._lose(segment, item)
        except FileNotFoundError:
            pass
        self._lose_rest(segment)
        return None

    def _lose_rest(self, segment: OwnSegment) -> None:
        """Count as missing what was not found up to the place where it was looked for."""
        self._found = None
        if (missing := self._bound_count - self._nth) > 0:
            self._lose(segment, Damage(self._nth, self._offset, self._bound, missing, "unreadable"))
        self._offset = self._bound

    def _lose(self, segment: OwnSegment, damage: Damage) -> None:
        self._on_damage(segment, damage)
        segment.acknowledge(range(damage.nth, damage.nth + damage.records), DAMAGED)
        self.handed += damage.records
        self._offset, self._nth = damage.end, damage.nth + damage.records


class AdoptedReader:
    """Reads adopted segments one after the other, each to its end, without what was acknowledged before.

    Where the disk refuses, nothing behind is read before it has been tried again, so that order holds.
    """

    def __init__(self, queue: list[AdoptedSegment], on_damage: OnDamage, clock: Callable[[], float]) -> None:
        self.segment: AdoptedSegment | None = None
        self.tries = Tries(clock)
        self._queue = queue
        self._on_damage = on_damage
        self._stretch: Stretch | None = None
        """Records that were read, and not given yet."""
        self._found: Iterator[Stretch | Damage] | None = None
        self._offset = self._nth = 0
        """The place and the record at which reading goes on after a refusal."""

    def next(self, most: int, room: int) -> Stretch | None:
        """The next records, at most so many, and no more bytes than there is room.

        None when all is read, cannot be read now, or the next one does not fit. A segment read to its end
        leaves the queue.
        """
        while (stretch := self._stretch or self._find()) is not None and self.segment is not None:
            # Some may have been forgotten since they were read.
            ended, pending = _fates(self.segment.acks, stretch)
            if ended:
                self._keep(stretch.part(ended)[1])
                continue
            count = stretch.fitting(min(most, pending), room)
            if not count:
                self._keep(stretch)
                return None
            given, rest = stretch.part(count)
            self._keep(rest)
            return given
        return None

    def _keep(self, stretch: Stretch) -> None:
        self._stretch = stretch if stretch.bodies else None

    def _find(self) -> Stretch | None:
        while (self.segment is not None or self._queue) and not self.tries.is_waiting:
            if self.segment is None:
                # Stays in the queue until it is read, though others may be sorted in before it.
                self.segment = self._queue[0]
                self._offset, self._nth = self.segment.header.data_start, 0
            try:
                found = self._next_stretch(self.segment)
            except FileNotFoundError:
                found = None
            except Exception as error:
                self._found = None
                if self.tries.fail(self.segment, error):
                    return None
                found = None
            self.tries.succeed()
            if found is not None:
                return found
            self.segment.is_read = True
            self.segment.close()
            self._queue.remove(self.segment)
            self.segment = self._found = None
        return None

    def _next_stretch(self, segment: AdoptedSegment) -> Stretch | None:
        """None at the end. Raises OSError when the disk refuses, FileNotFoundError when the file is gone."""
        segment.acks  # noqa: B018 - may have to be read
        if self._found is None:
            self._found = scan_adopted_stretches(segment, self._offset, self._nth)
        for item in self._found:
            if isinstance(item, Stretch):
                self._offset, self._nth = item.end, item.nth + len(item.bodies)
                return item
            self._lose(segment, item)
            self._offset, self._nth = item.end, item.nth + item.records
        return None

    def _lose(self, segment: AdoptedSegment, damage: Damage) -> None:
        """Report damage: only records that nobody has acknowledged, and each once."""
        last = damage.nth + damage.records
        missing = sum(1 for code in segment.acks[damage.nth : last] if not code)
        if missing or not damage.records:
            self._on_damage(segment, damage._replace(records=missing))
        segment.given += segment.acknowledge(range(damage.nth, last), DAMAGED)


def _fates(acks: bytearray, stretch: Stretch) -> tuple[int, int]:
    """How many of the first records of a stretch have ended; if the very first has not, how many have not."""
    known = acks[stretch.nth : stretch.nth + len(stretch.bodies)]
    ended = len(known) - len(known.lstrip(_ENDED))
    pending = len(known) - len(known.lstrip(b"\0"))
    return ended, len(stretch.bodies) if pending == len(known) else pending


def scan_adopted(segment: AdoptedSegment, offset: int, nth: int) -> Iterator[Frame | Damage]:
    """What lies from `offset` to the end of a segment that nobody writes to any more."""
    for item in scan_adopted_stretches(segment, offset, nth):
        if isinstance(item, Stretch):
            yield from item.frames()
        else:
            yield item


def scan_adopted_stretches(segment: AdoptedSegment, offset: int, nth: int) -> Iterator[Stretch | Damage]:
    """The same, records that lie one behind the other together."""
    header = segment.header
    end = min(header.data_end, segment.size)
    yield from scan_stretches(segment.read_at, offset, end, nth, header.salt, segment.next_data)
    if segment.size < header.size:
        yield Damage(0, end, end, 0, f"cut short by {header.size - segment.size} bytes")
