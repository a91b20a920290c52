"""Reading records back: those of dead owners before own ones, and none before what is older."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from antinode._spool.adoption import Adoption
from antinode._spool.errors import SpoolBroken, SpoolError
from antinode._spool.format import DAMAGED
from antinode._spool.reading import AdoptedReader, OnDamage, OwnReader, Start
from antinode._spool.scanning import Damage, Frame
from antinode._spool.segment import Segment
from antinode._spool.writers import OwnSegment


class Recovered(NamedTuple):
    """A record read back from disk."""

    place: int
    """Where it lies: what `Spool.acknowledge` wants."""
    body: bytes
    logged_at: float
    """On this process's monotonic clock; its age is kept over restarts by wall time."""
    is_own: bool
    """Appended by this spool; False: by a process that has died or closed."""


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
        while len(batch) < max_events and (frame := self._adopted.next()) is not None:
            room -= len(frame.body)
            if room < 0 and batch:
                self._adopted.put_back(frame)
                return batch
            if (adopted := self._adopted.segment) is None:
                break
            adopted.given += 1
            try:
                age = adopted.header.age_of(frame.logged_at, wall)
                batch.append(Recovered(adopted.base + frame.nth, frame.body, clock - age, False))
            except Exception as error:
                self._give_up(adopted, frame, error)
        if self._adoption.has_unread:
            return batch
        while len(batch) < max_events and (frame := self._own.next(buffered, start)) is not None:
            room -= len(frame.body)
            if room < 0 and batch:
                self._own.put_back(frame)
                break
            if (own := self._own.segment) is None:
                break
            try:
                batch.append(Recovered(own.base + frame.nth, frame.body, frame.logged_at, True))
            except Exception as error:
                self._give_up(own, frame, error)
        return batch

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
