"""The queue on disk: what logging threads append is there for whoever opens the directory next."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from antinode._locks import is_owned, let_go
from antinode._speedups import slot
from antinode._spool import fates, owners
from antinode._spool.adoption import MOST_HELD, Adoption
from antinode._spool.directory import SpoolDirectory
from antinode._spool.disk import Disk
from antinode._spool.durability import Syncer
from antinode._spool.errors import (
    SpoolBroken,
    SpoolError,
)
from antinode._spool.filesystems import may_map
from antinode._spool.format import FRAME_SIZE, SMALLEST, size_for
from antinode._spool.inspection.damage import SetAside
from antinode._spool.making import SegmentMaker
from antinode._spool.own_locks import OwnLocks
from antinode._spool.reading import Start
from antinode._spool.recovering import RecordReading, Recovered
from antinode._spool.segment import PLACE_BITS, Segment
from antinode._spool.stats import SpoolRemainder, SpoolStats
from antinode._spool.upkeep import Upkeep
from antinode._spool.writers import MappedSegment, OwnSegment, RefusingSegment

if TYPE_CHECKING:
    from antinode._spool.forgetting import IsMeant, LeftForgotten

Durability = Literal["process", "interval", "strict"]

FIRST_SIZE = 256 * 1024
LARGEST_SIZE = 16 * 1024 * 1024
_RETRY = 1.0
"""Seconds before a spare segment that could not be made is tried again."""
FINGERPRINT_SIZE = 8


class Spool:
    """Segment files in a directory that any number of processes share; each writes its own.

    Threads: `append` under one lock of the caller's; `wait_durable` from any thread; everything else from one
    thread at a time (the coordinator), which may be while another appends; `close` when nobody appends.
    `open`, `append`, `prepare`, `adopt`, `sync` and `wait_durable` raise SpoolError when the disk refuses;
    nothing raises for what lies on it.

    durability: "process" (default) outlives the process, not a power cut; "interval": the caller also calls
    `sync` every so often; "strict": the caller calls `wait_durable` before it lets a record count as logged.
    max_bytes bounds all files in the directory, whoever wrote them. fingerprint: up to 8 bytes that tell API
    keys apart; only segments with the same one are adopted (or those of a spool that called `disown`).
    is_mapped: None (default) maps files into memory where that is safe; False never does. The clocks and
    `disk` are for tests. Raises ValueError for arguments that make no sense; touches no file before `open`.
    """

    # Compiled code finds these where they lie.
    __slots__ = ("__dict__", "__weakref__", "_buffered", "_current", "_taken")

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "process",
        max_bytes: int,
        fingerprint: bytes = b"",
        is_mapped: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        disk: Disk | None = None,
    ) -> None:
        if durability not in ("process", "interval", "strict"):
            raise ValueError(f'durability is {durability!r:.60}; give "process", "interval" or "strict"')
        if max_bytes < SMALLEST:
            raise ValueError(f"max_bytes is {max_bytes!r:.60}; a segment takes at least {SMALLEST:,} bytes")
        if len(fingerprint) > FINGERPRINT_SIZE:
            raise ValueError(f"fingerprint has {len(fingerprint)} bytes; give at most {FINGERPRINT_SIZE}")
        self.path = os.path.abspath(os.fspath(path))
        self.durability: Durability = durability
        self.max_bytes = max_bytes
        self._fingerprint = fingerprint.ljust(FINGERPRINT_SIZE, b"\0")
        self._wants_map = is_mapped
        self._clock = clock
        self._wall = wall
        self._disk = disk or Disk()
        self._begin()

    def _begin(self) -> None:
        # Re-entrant, since a signal handler or destructor that interrupts the holder may log.
        self._making = threading.RLock()
        """Guards: making segments, `_spare`, `_maker`, `_locks`."""
        self._is_open = False
        self._segments: dict[int, Segment] = {}
        self._current: OwnSegment | RefusingSegment = RefusingSegment(
            SpoolBroken(self.path, "take events", 0, "it is not open; call open() first")
        )
        self._spare: OwnSegment | None = None
        self._spare_again_at = 0.0
        self._syncer = Syncer(self.path, self._segments)
        self._syncing = self._syncer.lock
        """Guards: closing the files of own segments."""
        is_synced = self.durability != "process"
        self._directory = SpoolDirectory(self._disk, self.path)
        self._locks = OwnLocks(self._disk, self._directory, self._wall, is_durable=is_synced)
        self._maker = SegmentMaker(
            self._disk,
            self.path,
            self._directory,
            self._segments,
            first_size=FIRST_SIZE,
            largest_size=LARGEST_SIZE,
            max_bytes=self.max_bytes,
            fingerprint=self._fingerprint,
            is_synced=is_synced,
            clock=self._clock,
            wall=self._wall,
        )
        self._aside = SetAside(self._disk, self.path)
        self._adoption = Adoption(self._disk, self.path, self._fingerprint, self._aside, self._clock)
        # Own records that were not kept in memory: how many were appended, and the last Start (both written
        # by `append` alone); how many are read and kept by the caller (written by `read` alone). What makes
        # that safe without a lock is told at OwnReader.
        self._buffered = 0
        self._start: Start | None = None
        self._taken = 0
        self._upkeep = Upkeep(
            self._disk,
            self.path,
            self._segments,
            self._adoption,
            self._aside,
            self._directory,
            self._syncing,
            is_synced=is_synced,
            max_bytes=self.max_bytes,
        )
        self._reading = RecordReading(
            self.path,
            self._adoption,
            self._next_own,
            self._upkeep.set_aside,
            clock=self._clock,
            wall=self._wall,
        )

    # Life.

    def open(self, *, will_adopt: bool = False) -> None:
        """Create the directory (0700) if need be, become an owner, make the first segment. No-op when open.

        How much is done does not depend on how many files there are. will_adopt: `adopt` is going to be
        called; until it has been, what dead owners may have left counts as unread, and comes first.
        Raises SpoolBroken when the directory cannot be used at all. When only a segment cannot be made (no
        room), it is open all the same, so that what is there can be adopted and delivered: `append` raises
        then, and `prepare` tries again.
        """
        if self._is_open:
            return
        with self._making:
            names = self._become_owner()
            self._is_open = True
            if will_adopt:
                self._adoption.expect(names)
            try:
                self._current = self._maker.make(self._locks.current, names=names)
            except SpoolError as error:
                self._current = RefusingSegment(error)

    def _become_owner(self) -> list[str]:
        """Returns the names that were in the directory before."""
        names = self._locks.become_owner()
        if self._locks.current is not None:
            self._adoption.own.add(self._locks.current.owner)
        self._maker.may_map = may_map(self.path) if self._wants_map is None else self._wants_map
        return names

    def close(self) -> SpoolRemainder:
        """Delete what is settled, leave the rest to the next process, give up the locks. May be opened again.

        Not while `append` runs. Raises nothing: what cannot be deleted is left.
        """
        with self._making:
            for own in (self._current, self._spare):
                if isinstance(own, OwnSegment):
                    own.seal()
            self._upkeep.sweep()
            left = []
            for segment in self._segments.values():
                if segment.is_left():
                    left.append(segment)
                self._upkeep.leave(segment)
            result = SpoolRemainder(
                sum(segment.pending for segment in left), sum(segment.header.size for segment in left)
            )
            is_own_left = any(segment.is_own for segment in left)
            self._adoption.release()
            self._locks.release(remove=not is_own_left)
        self._begin()
        return result

    def renew_after_fork(self) -> None:
        """In a forked child: forget what was inherited, touching no file; `open` makes its own segments.

        The parent's locks stay the parent's: an OwnerLock knows whose it is.
        """
        own = [segment for segment in (self._current, self._spare) if isinstance(segment, OwnSegment)]
        for segment in {*self._segments.values(), *own}:
            if isinstance(segment, OwnSegment):
                segment.retire()
            segment.close()
        self._adoption.release()
        self._locks.release(remove=False)
        self._begin()

    def __repr__(self) -> str:
        current = self._current if self._is_open else None
        trouble = current.error if isinstance(current, RefusingSegment) else None
        state = f"trouble: {trouble}" if trouble else "open" if self._is_open else "closed"
        return f"<Spool {self.path!r} {state} | segments: {len(self._segments)}, unread: {self.unread}>"

    # Appending.

    def mapped_layout(self) -> dict[str, Any]:
        """What compiled code uses to append `direct` records itself, where there is nothing to decide."""
        return {
            "spool": self,
            "buffered": slot(Spool, "_buffered"),
            "taken": slot(Spool, "_taken"),
            "current": slot(Spool, "_current"),
            **MappedSegment.layout(),
        }

    def append(self, body: bytes, logged_at: float, *, direct: bool) -> int:
        """Write a record; returns its place. A store into memory, unless a segment is full and none is spare.

        direct: the caller keeps the record in memory itself, `read` will not give it. Raises ValueError when
        own records are unread, for then order demands that this one be read after them.
        """
        buffered = self._buffered
        is_first = buffered == self._taken
        if direct and not is_first:
            raise ValueError("direct=True while own records are unread: it would overtake them")
        segment = self._current
        leaves_start = is_first and not direct
        if leaves_start and isinstance(segment, OwnSegment):
            # Before the record, though it may not come: no signal handler may part it from its count.
            self._start = Start(buffered, segment, segment.end, segment.count)
        try:
            nth = segment.append(body, logged_at)
        except OSError as error:
            raise self._fail(segment, error) from error
        if nth < 0:
            segment, nth = self._append_to_next(body, logged_at)
            if leaves_start:
                self._start = Start(buffered, segment, segment.end - FRAME_SIZE - len(body), nth)
        if not direct:
            self._buffered = buffered + 1
        return segment.base + nth

    def _fail(self, segment: OwnSegment | RefusingSegment, error: OSError) -> SpoolError:
        """Stop appending until `prepare` finds the disk well: it took a record in part, or not at all."""
        broken = SpoolBroken.of(self.path, "be written to", error)
        with self._making:
            if isinstance(segment, OwnSegment):
                segment.seal()
            if self._current is segment:
                self._current = RefusingSegment(broken)
        return broken

    def _append_to_next(self, body: bytes, logged_at: float) -> tuple[OwnSegment, int]:
        """Go on in the spare segment, or in one made now: the current one has no room for this record."""
        if is_owned(self._making):
            # A destructor's record, in the midst of making the next segment: it stays in memory for a moment.
            raise SpoolBroken(self.path, "take events", 0, "the next segment is just being made")
        need = max(size_for(len(body)), SMALLEST)
        with self._making:
            full = self._current
            if isinstance(full, RefusingSegment):
                raise full.again()
            segment, self._spare = self._spare, None
            if segment is not None and (segment.header.size < need or not segment.is_left()):
                segment.seal()  # too small for this record, or cut short; order forbids to use it later
                segment = None
            if segment is None:
                try:
                    segment = self._maker.make(self._locks.current, need)
                except SpoolError as error:
                    if need <= SMALLEST:
                        full.seal()
                        self._current = RefusingSegment(error)
                    raise
            full.seal()
            self._current = segment
        try:
            return segment, segment.append(body, logged_at)
        except OSError as error:
            raise self._fail(segment, error) from error

    @property
    def takes_records(self) -> bool:
        """Whether `append` would try: it is open, and no trouble since `prepare` last returned."""
        return isinstance(self._current, OwnSegment)

    # Reading.

    @property
    def has_unread(self) -> bool:
        """Whether there are records that only the disk holds, own or adopted.

        What `read` gave counts as read from the *next* call of `read` on: until then later records queue up
        behind it on disk, and the caller has time to put the batch into its queue. So: read until `[]` comes.
        """
        return self._buffered != self._taken or self._adoption.has_unread

    @property
    def unread(self) -> int:
        """Own records appended with direct=False that count as not read (see `has_unread`)."""
        return self._buffered - self._taken

    def read(self, max_events: int, max_bytes: int) -> list[Recovered]:
        """The next records, adopted ones first (by owner's age and number), at least one if there is any.

        None come while something older cannot be read, or is still to be adopted: `reads_again_at` says when
        they may. Nothing is given up but what is gone.
        """
        self._taken = self._reading.given_own
        return self._reading.read(max_events, max_bytes, self._buffered, self._start)

    @property
    def reads_again_at(self) -> float:
        """When `read` can go on: always, some time after a refusal, or (infinite) once `adopt` goes on."""
        return self._reading.again_at

    @property
    def adopts_again_at(self) -> float:
        """When `adopt` can go on with the owners it has found; infinite: when some have been delivered."""
        return self._adoption.again_at

    def take_refusals(self) -> list[SpoolError]:
        """What the disk has refused to read or lock since this was last asked, and will be asked again.

        Once, also that what is damaged is not kept any more.
        """
        return [*self._reading.take_refusals(), *self._upkeep.take_findings()]

    def _next_own(self, segment: OwnSegment) -> OwnSegment | None:
        """The segment that was made after this one, and is used."""
        own = [other for other in list(self._segments.values()) if isinstance(other, OwnSegment)]
        later = [other for other in own if other.base > segment.base and other is not self._spare]
        return min(later, key=lambda other: other.base, default=None)

    # Fates.

    def acknowledge(self, places: Iterable[int], code: int) -> None:
        """Note that these records ended (DELIVERED, REJECTED, DROPPED): no process will be given them again.

        Idempotent: the first code stays. Unknown places, and those of segments long deleted, are ignored.
        Raises ValueError for another code.
        """
        fates.acknowledge(self._segments, places, code)

    def lost(self, places: Iterable[int]) -> set[int]:
        """The places, of those given, whose files have been removed, by whomever."""
        return fates.lost(self._segments, places)

    def adopt(self, *, any_fingerprint: bool = False, max_owners: int = MOST_HELD) -> int:
        """Take over the segments of dead owners; returns how many. Each goes to one living process.

        Looks at so many owners at most: call it again when `adopts_again_at` says so.
        """
        if not self._is_open:
            return 0
        try:
            taken = self._adoption.adopt(
                self._maker.next_serial, any_fingerprint=any_fingerprint, max_owners=max_owners
            )
        except OSError as error:
            raise SpoolBroken.of(self.path, "be read", error) from error
        for segment in taken:
            self._segments[segment.base >> PLACE_BITS] = segment
        return len(taken)

    def ends(self) -> dict[int, int]:
        """How far each own segment reaches by now; nobody may append meanwhile."""
        own = [each for each in self._segments.values() if isinstance(each, OwnSegment)]
        return {segment.base: segment.end for segment in own}

    def forget(self, is_meant: IsMeant, held: Container[int], ends: Mapping[int, int]) -> list[Recovered]:
        """End and overwrite the records that are meant; returns those that `read` has not given.

        `held` are places of records that were given and have not ended. Own ones that were not given come
        out of `read` all the same. Raises SpoolBroken.
        """
        from antinode._spool.forgetting import forget_held  # noqa: PLC0415 - seldom called

        try:
            return forget_held(list(self._segments.values()), is_meant, held, ends)
        except OSError as error:
            raise SpoolBroken.of(self.path, "be overwritten", error) from error

    def forget_left(self, is_meant: IsMeant) -> LeftForgotten:
        """The same in what dead processes have left, and this one has not taken over. Raises SpoolBroken."""
        from antinode._spool.forgetting import forget_left  # noqa: PLC0415 - seldom called

        own = {segment.header.owner for segment in self._segments.values()} | self._adoption.own
        try:
            return forget_left(self.path, is_meant, fingerprint=self._fingerprint, own=own)
        except OSError as error:
            raise SpoolBroken.of(self.path, "be overwritten", error) from error

    def disown(self) -> None:
        """The server refused the API key: let whoever opens the directory next adopt these segments."""
        self._maker.is_disowned = True
        for segment in list(self._segments.values()):
            try:
                segment.disown()
            except OSError:
                continue

    # Upkeep.

    def prepare(self) -> None:
        """Make the next segment ahead of need, delete settled ones; cheap when there is nothing to do.

        Notices a directory that has vanished, and after any trouble tries to go on: once it returns without
        raising, `append` takes records again.
        """
        if not self._is_open:
            return
        self._adoption.hold()
        self._upkeep.sweep()
        is_counted = self._count_ahead()
        with self._making:
            current = self._current
            try:
                is_in_place = self._is_in_place(current)
            except OSError as error:
                raise SpoolBroken.of(self.path, "be looked at", error) from error
            if isinstance(current, RefusingSegment):
                if not is_in_place:
                    self._lose_lock()
                    if self._spare is not None:
                        self._spare.seal()  # the former owner's
                        self._spare = None
                if self._locks.current is None:
                    self._become_owner()
                # A spare is older than what would be made now, so that order demands it first.
                spare, self._spare = self._spare, None
                self._current = spare or self._maker.make(self._locks.current, is_counted=is_counted)
            elif not is_in_place:
                raise self._break(
                    SpoolBroken(self.path, "go on", errno.ENOENT, "its files were removed or cut short")
                )
            elif self._wants_segment():
                self._make_spare(is_counted=is_counted)

    def _count_ahead(self) -> bool:
        """Count the directory's bytes if that is due. Returns whether it was done.

        Not while `_making` is held: there may be many files, and logging may need a segment.
        """
        if self._directory.is_counted and not self._wants_segment():
            return False
        try:
            self._maker.count()
        except SpoolError:
            return False  # whoever makes a segment finds out why
        return True

    def _wants_segment(self) -> bool:
        """Whether to make a segment now: none takes records, or the current one will soon be full."""
        current = self._current
        if isinstance(current, RefusingSegment):
            return True
        is_late = self._spare is None and current.free < current.header.size // 2
        return is_late and self._clock() >= self._spare_again_at

    def _is_in_place(self, current: OwnSegment | RefusingSegment) -> bool:
        """Whether lock and segment have their names. Raises OSError when that cannot be told."""
        return self._locks.is_in_place() and (isinstance(current, RefusingSegment) or current.is_whole())

    def _break(self, error: SpoolError) -> SpoolError:
        """Stop appending since the files are gone; what is in the segments at hand can still be read."""
        for segment in (self._current, self._spare):
            if isinstance(segment, OwnSegment):
                segment.seal()
        self._current, self._spare = RefusingSegment(error), None
        self._lose_lock()
        return error

    def _lose_lock(self) -> None:
        segments = list(self._segments.values())
        self._locks.lose(has_segments=any(each.is_own and each.is_left() for each in segments))

    def _make_spare(self, *, is_counted: bool) -> None:
        try:
            self._spare = self._maker.make(self._locks.current, is_counted=is_counted, is_spare=True)
        except SpoolError:
            self._spare_again_at = self._clock() + _RETRY  # `append` says so when the room is needed

    # Durability.

    def sync(self) -> None:
        """Make everything appended so far survive a power cut."""
        self._syncer.sync(self._current)

    def wait_durable(self, place: int, *, alone: bool = False) -> None:
        """Return once the record survives a power cut. Threads that wait together share one sync.

        `alone`: wait for no other thread, as one must that holds what they need to go on.
        """
        if place > self._syncer.durable:
            self._syncer.wait(place, lambda: self._current, alone=alone)

    def recover(self) -> None:
        """Release what an exception left taken, on the thread in which a signal handler raised it."""
        let_go((self._syncing, self._making))
        owners.recover()

    def stats(self) -> SpoolStats:
        segments = list(self._segments.values())
        current = self._current
        return SpoolStats(
            segments=len(segments),
            bytes=sum(segment.header.size for segment in segments),
            pending=sum(segment.pending for segment in segments),
            unread=self.unread,
            unread_adopted=self._adoption.unread,
            adopted=self._adoption.total,
            damaged_records=self._aside.records,
            damaged_bytes=self._aside.bytes,
            directory_bytes=self._directory.bytes,
            limit=self.max_bytes,
            is_mapped=isinstance(current, OwnSegment) and current.is_mapped,
            trouble=str(current.error) if isinstance(current, RefusingSegment) else "",
        )
