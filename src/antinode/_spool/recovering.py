"""Reading records back: those of dead owners before own ones, and none before what is older."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat

import msgspec

from antinode._spool.adoption import Adoption
from antinode._spool.errors import SpoolBroken, SpoolError
from antinode._spool.format import DAMAGED, Header
from antinode._spool.reading import AdoptedReader, OnDamage, OwnReader, Start
from antinode._spool.scanning import Damage, Frame, Stretch
from antinode._spool.segment import Segment
from antinode._spool.writers import OwnSegment


# gc=False: reading back calls no collector, which would look at all that the application has.
class Recovered(msgspec.Struct, frozen=True, gc=False):
    """A record read back from disk."""

    place: int
    """Where it lies: what `Spool.acknowledge` wants."""
    body: bytes
    logged_at: float
    """On this process's monotonic clock; its age is kept over restarts by wall time."""
    is_own: bool
    """Appended by this spool; False: by a process that has died or closed."""


def _recovered(
    first: int, bodies: Sequence[bytes], times: Sequence[float], *, is_own: bool
) -> list[Recovered]:
    """Records one behind the other, from the place of the first on."""
    places = range(first, first + len(bodies))
    return list(map(Recovered, places, bodies, times, repeat(is_own)))


def _times_here(header: Header, clock: float, wall: float, times: list[float]) -> list[float]:
    """Clock readings of a segment's owner as this process's clock, which reads `clock`, would have them."""
    here = {time: clock - header.age_of(time, wall) for time in set(times)}
    return [here[time] for time in times]


_Times = Callable[[list[float]], list[float]]
"""Makes clock readings of a segment's owner those of this process."""


class RecordReading:
    """Reads adopted segments, then own ones; see `Spool.read`."""

    def __init__(
        self,
        path: str,
        adoption: Adoption,
        next_own: Callable[[OwnSegment], OwnSegment | None],
        on_damage: OnDamage,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._path = path
        self._adoption = adoption
        self._clock = clock
        self._wall = wall
        self._on_damage = on_damage
        self._own = OwnReader(next_own, on_damage, clock)
        self._adopted = AdoptedReader(adoption.queue, on_damage, clock)

    @property
    def given_own(self) -> int:
        """How many own records were given so far."""
        return self._own.handed

    def read(self, max_events: int, max_bytes: int, buffered: int, start: Start | None) -> list[Recovered]:
        """The next records; `buffered` own ones were appended, `start` is the appender's last one."""
        batch: list[Recovered] = []
        clock, wall = self._clock(), self._wall()
        room = max_bytes
        # The first record is given however large it is.
        while len(batch) < max_events:
            stretch = self._adopted.next(max_events - len(batch), room) or (
                None if batch else self._adopted.next(1, sys.maxsize)
            )
            if stretch is None or (adopted := self._adopted.segment) is None:
                break
            room -= stretch.size
            adopted.given += len(stretch.bodies)
            batch += self._given(adopted, stretch, partial(_times_here, adopted.header, clock, wall))
        if self._adoption.has_unread:
            return batch
        while len(batch) < max_events:
            stretch = self._own.next(buffered, start, max_events - len(batch), room) or (
                None if batch else self._own.next(buffered, start, 1, sys.maxsize)
            )
            if stretch is None or (own := self._own.segment) is None:
                break
            room -= stretch.size
            batch += self._given(own, stretch, list)
        return batch

    def _given(self, segment: Segment, stretch: Stretch, times: _Times) -> list[Recovered]:
        """A stretch's records."""
        first = segment.base + stretch.nth
        try:
            return _recovered(first, stretch.bodies, times(stretch.times), is_own=segment.is_own)
        except Exception:
            return [each for frame in stretch.frames() for each in self._alone(segment, frame, times)]

    def _alone(self, segment: Segment, frame: Frame, times: _Times) -> list[Recovered]:
        try:
            (logged_at,) = times([frame.logged_at])
            return [Recovered(segment.base + frame.nth, frame.body, logged_at, segment.is_own)]
        except Exception as error:
            self._give_up(segment, frame, error)
            return []

    def _give_up(self, segment: Segment, frame: Frame, error: Exception) -> None:
        """Set aside, like a damaged one, a record that fails in a way that nobody has foreseen."""
        problem = f"cannot be used: {type(error).__name__}"
        self._on_damage(segment, Damage(frame.nth, frame.offset, frame.end, 1, problem))
        segment.acknowledge([frame.nth], DAMAGED)

    @property
    def again_at(self) -> float:
        """When `read` can go on; infinite once `adopt` has to."""
        if self._adoption.queue:
            return self._adopted.tries.again_at
        return float("inf") if self._adoption.is_pending else self._own.tries.again_at

    def take_refusals(self) -> list[SpoolError]:
        """What the disk has refused to read or lock since this was last asked."""
        refusals: list[SpoolError] = []
        for part, doing in (
            (self._adopted.tries, "be read"),
            (self._own.tries, "be read"),
            (self._adoption, "be taken over from an ended process"),
        ):
            error, part.error = part.error, None
            if error is not None:
                refusals.append(SpoolBroken.of(self._path, doing, error))
        return refusals
