"""The spooler of a store on disk: opens it, adopts what dead processes left, makes room, syncs, and mends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NoReturn

from antinode._delivery.core.forgetting import FORGOTTEN, IsMeant, TakenOut
from antinode._delivery.core.response_handler import Note
from antinode._delivery.shell.keeper import Ends
from antinode._delivery.storage import DiskStore, Stored, is_full
from antinode._interruptions import is_interruption
from antinode._locks import let_go
from antinode._protocol.words import agreeing, counted

if TYPE_CHECKING:
    from antinode._delivery.core.core import Core

# How often to look for what processes that died meanwhile have left.
ADOPT_EVERY_SECONDS = 10.0
# How many owners of files one turn of the coordinator looks at.
OWNERS_PER_TURN = 64
# After trouble the disk is tried again after the first of these, which doubles up to the other.
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
# To make room in a full store, records are dropped so many together, and so many times.
DROPPED_TOGETHER = 500
MOST_DROPS = 400
# How long the end waits for a disk that hangs. What is there stays for the next process.
HANGING_DISK_SECONDS = 5.0
# How long room is made at the end.
LAST_ROOM_SECONDS = 1.0
NOT_SYNCED = "events are not synced to disk: {}"


class Spooler:
    """Keeps one process's store. `append` is called under the guard, `wait_durable` by any thread.

    Everything else is the coordinator's, or at the end that of the thread which closes: `_tending` keeps the
    two apart. Locks are taken in the order `_tending`, the sender's `_deciding`, guard.

    It is the store that a core knows, so that a forked child opens files of its own with its first event.
    """

    def __init__(
        self,
        disk: DiskStore,
        *,
        codes: Mapping[str, int],
        sync_every: float | None,
        clock: Callable[[], float],
    ) -> None:
        self._disk = disk
        self._codes = codes
        """What the store writes down for a record that has ended, by the kind of its outcome."""
        self._sync_every = sync_every
        """Seconds between two syncs; None: never here."""
        self._clock = clock
        self._take_ends: Callable[[], Ends] = list
        self.notes: list[Note] = []
        self.is_open = False
        self._renew()

    def _renew(self) -> None:
        self._tending = threading.RLock()
        self.append = self._append_first
        self.is_open = False
        self._adopt_at = self._sync_at = float("-inf")
        self._synced = 0
        self._trouble: Exception | None = None
        self._is_unstored = False
        """Whether it has been noted that the trouble keeps events from being stored."""
        self._mend_at = float("-inf")
        self._wait = FIRST_WAIT_SECONDS
        self._is_disowned = False
        self._is_reading = False
        """Whether records have been read that are not counted yet."""

    def hear_of_ends(self, take_ends: Callable[[], Ends]) -> None:
        """Have `take_ends` give the records that have ended, of which whoever has to hear has heard."""
        self._take_ends = take_ends

    def renew_after_fork(self) -> None:
        """In a forked child: leave what is open to the parent."""
        self._disk.renew_after_fork()
        self.notes.clear()
        self._renew()

    # The store, as the core knows it.

    def open(self) -> None:
        """Open the store; what dead processes left comes first, once it is adopted. Trouble is noted."""
        with self._tending:
            try:
                self._open(will_adopt=True)
            except Exception as error:
                if is_interruption(error):
                    raise
                self._note_trouble(error, None, self._clock())

    def _open(self, *, will_adopt: bool = False) -> None:
        self._disk.open(will_adopt=will_adopt)
        self.is_open = True
        self.append = self._disk.append

    def _append_first(self, body: bytes, logged_at: float, *, direct: bool) -> int:
        self._open()
        return self._disk.append(body, logged_at, direct=direct)

    def _append_in_trouble(self, body: bytes, logged_at: float, *, direct: bool) -> NoReturn:  # noqa: ARG002
        """Refuse a record at once: while the store cannot be opened, logging does not try with each event."""
        raise OSError(f"{self._trouble}")

    def mapped_layout(self) -> dict[str, Any] | None:
        # While `append` is another method than the disk's, the disk has no segment to append to.
        return self._disk.mapped_layout()

    @property
    def has_unread(self) -> bool:
        return self._disk.has_unread

    @property
    def unread_files(self) -> int:
        """How many files of dead processes are not read to their end, or not even looked at."""
        return max(self._disk.stats().unread_adopted, self._is_reading) if self.is_open else 0

    @property
    def has_left(self) -> bool:
        """Whether something of a dead process is unread."""
        return self.unread_files > 0

    def read(self, max_events: int, max_bytes: int) -> Sequence[Stored]:
        return self._disk.read(max_events, max_bytes)

    def lost(self, places: Iterable[int]) -> set[int]:
        return self._disk.lost(places)

    def _acknowledge(self) -> bool:
        """Tell the store what has ended. Returns whether anything has."""
        ended = self._take_ends()
        for kind, places in ended:
            try:
                self._disk.acknowledge(places, self._codes[kind])
            except Exception as error:
                if is_interruption(error):
                    raise
                self._acknowledge_each(places, self._codes[kind])
        return bool(ended)

    def _acknowledge_each(self, places: Sequence[int], code: int) -> None:
        """Tell the store one record after the other. One that fails comes again after a restart."""
        for place in places:
            try:
                self._disk.acknowledge([place], code)
            except Exception as error:
                if is_interruption(error):
                    raise
                text = f"an event that has ended may be sent again after a restart: {type(error).__name__}"
                self.notes.append(Note("WARNING", "spool ends", text))

    def make_durable(self, place: int) -> None:
        """Return once the record survives a power cut. Raises what the disk does."""
        self._disk.wait_durable(place)

    @property
    def trouble(self) -> Exception | None:
        """Why the store takes no records, as far as is known."""
        if self._is_unstored or not self.is_open:
            return self._trouble
        return None

    def wait_durable(self, place: int, *, alone: bool) -> None:
        """Return once the record survives a power cut; at once if the disk refuses, which is noted later.

        `alone`: waits for no other thread.
        """
        try:
            self._disk.wait_durable(place, alone=alone)
        except Exception as error:
            if is_interruption(error):
                raise
            self.notes.append(Note("WARNING", "spool", NOT_SYNCED.format(error)))

    def recover(self) -> None:
        """Release the locks that an exception left taken, on the thread in which it was raised."""
        let_go((self._tending,))
        self._disk.recover()

    # What the coordinator does for it.

    def tend(self, core: Core, now: float, deciding: AbstractContextManager[object]) -> float:
        """Do everything that is due. Returns when to come again."""
        with self._tending:
            try:
                return self._tend(core, now, deciding)
            except Exception as error:
                if is_interruption(error):
                    raise
                # Whatever it was, uploads go on, and so do those who wait for them.
                self._note_trouble(error, core, now)
                return now + self._wait

    def _tend(self, core: Core, now: float, deciding: AbstractContextManager[object]) -> float:
        spooled = core.spooled
        if spooled is None:
            return float("inf")
        if self._acknowledge() and is_full(self._trouble):
            self._mend_at = now
        failure = spooled.take_failure()
        if failure is not None and not self._is_unstored:
            self._note_trouble(failure, core, now, is_unstored=True)
        if self.is_open or self._trouble is not None:
            self._mend(core, now, deciding)
        if self.is_open and self._trouble is None:
            self._look_after(core, now)
        spooled.find()
        if spooled.rear and self._trouble is None:
            spooled.put_away()
        spooled.is_held_up = self._disk.reads_again_at > now
        wanted = spooled.wanted
        if wanted:
            self._is_reading = True
            items = self._disk.read(wanted, spooled.wanted_bytes)
            with deciding:
                core.refill(items)
                self._is_reading = False
            spooled.is_held_up = self._disk.reads_again_at > now
        self._tell_refusals()
        return self._next_time(core, now)

    def _tell_refusals(self) -> None:
        for refusal in self._disk.take_refusals():
            self.notes.append(Note("WARNING", "spool read", f"{refusal}; {refusal.consequence}"))

    def _look_after(self, core: Core, now: float) -> None:
        """Do what is due from time to time while all is well."""
        if core.link.is_faulted and not self._is_disowned:
            self._is_disowned = True
            self._disk.disown()
        try:
            if now >= min(self._adopt_at, self._disk.adopts_again_at):
                self._adopt(now, OWNERS_PER_TURN)
            self._sync(core, now)
        except Exception as error:
            if is_interruption(error):
                raise
            self._note_trouble(error, core, now)

    def _mend(self, core: Core, now: float, deciding: AbstractContextManager[object]) -> None:
        if self._trouble is not None and now < self._mend_at:
            return
        try:
            if not self.is_open:
                self._open()
            self._disk.prepare()
        except Exception as error:
            if is_interruption(error):
                raise
            self._note_trouble(error, core, now)
            if is_full(error) and not core.config.waits_for_room and self._drop_oldest(core, deciding):
                self._end_trouble(core, deciding)
            return
        if self._trouble is not None:
            if self._is_unstored and not is_full(self._trouble):
                self.notes.append(Note("WARNING", "spool recovered", "the spool takes events again"))
            self._end_trouble(core, deciding)

    def _drop_oldest(self, core: Core, deciding: AbstractContextManager[object]) -> bool:
        """Make room in a full store; False if it is full of records that are not this process's to drop."""
        spooled = core.spooled
        assert spooled is not None  # noqa: S101 - there is a store
        for _ in range(MOST_DROPS):
            items = self._disk.read(DROPPED_TOGETHER, spooled.wanted_bytes)
            with deciding:
                if items:
                    spooled.drop(items)
                elif not spooled.drop_from_queue():
                    return False
            self._acknowledge()
            try:
                self._disk.prepare()
            except Exception as error:
                if is_interruption(error):
                    raise
                if not is_full(error):
                    return False
            else:
                return True
        return False

    def _adopt(self, now: float, max_owners: int) -> None:
        self._adopt_at = now + ADOPT_EVERY_SECONDS
        adopted = self._disk.adopt(max_owners=max_owners)
        if adopted:
            files = f"{counted(adopted, 'spool file')} of ended processes {agreeing(adopted, 'is', 'are')}"
            self.notes.append(Note("INFO", "adopted", f"{files} taken over"))

    def _sync(self, core: Core, now: float) -> None:
        if self._sync_every is None or now < self._sync_at or core.ledger.accepted == self._synced:
            return
        accepted = core.ledger.accepted
        self._sync_at = now + self._sync_every
        self._disk.sync()
        self._synced = accepted

    def _note_trouble(
        self, error: Exception, core: Core | None, now: float, *, is_unstored: bool = False
    ) -> None:
        """Note trouble with the disk, which is tried again at once the first time, then after growing waits.

        `is_unstored`: an event was not stored, whether or not the next ones are.
        """
        is_new, self._trouble = self._trouble is None, error
        if not self.is_open:
            self.append = self._append_in_trouble
        if is_new:
            self._mend_at = now
        else:
            self._mend_at = now + self._wait
            self._wait = min(LONGEST_WAIT_SECONDS, self._wait * 2)
        if self._disk.takes_records and not is_unstored:
            if is_new:
                text = f"{error}; new events are written to it all the same, and it is tried again"
                self.notes.append(Note("WARNING", "spool upkeep", text))
            return
        if self._is_unstored:
            return
        self._is_unstored = True
        consequence = "events are kept in memory alone until it can be used again"
        if core is not None and core.config.needs_store:
            consequence = "new events are refused until it can be used again"
        elif is_full(error) and core is not None:
            consequence = (
                "new events have to wait, or are dropped"
                if core.config.waits_for_room
                else "the oldest events are dropped"
            )
        self.notes.append(Note("WARNING", "spool", f"{error}; {consequence}"))

    def _end_trouble(self, core: Core, deciding: AbstractContextManager[object]) -> None:
        self._trouble = None
        self._is_unstored = False
        self._wait = FIRST_WAIT_SECONDS
        if core.spooled is not None:
            core.spooled.is_mended()
            if not self._disk.has_unread:
                with deciding:
                    core.spooled.store_anew(core.pending_records())

    def _next_time(self, core: Core, now: float) -> float:
        times: list[float] = []
        if self.is_open:
            times = [self._adopt_at, self._disk.adopts_again_at]
            if self._disk.has_unread:
                times.append(self._reads_at(core))
        if self._trouble is not None:
            times.append(self._mend_at)
        elif self._sync_every is not None and not core.is_idle:
            if core.ledger.accepted != self._synced:
                times.append(self._sync_at)
            else:
                # In an outage, logging wakes nobody.
                times.append(now + self._sync_every)
        return max(now, min(times, default=float("inf")))

    def _reads_at(self, core: Core) -> float:
        """When the store has something to give again; if it is now, the core says whether it wants it."""
        is_held_up = core.spooled is not None and core.spooled.is_held_up
        return self._disk.reads_again_at if is_held_up else float("inf")

    # Users who want to be forgotten.

    def forget(
        self, core: Core, is_meant: IsMeant, deciding: AbstractContextManager[object]
    ) -> tuple[TakenOut, int]:
        """Take out what is meant, in memory and on disk. Returns also how many of it living processes hold.

        Raises what the disk does.
        """
        spooled = core.spooled
        assert spooled is not None  # noqa: S101 - there is a store
        with self._tending:
            with deciding:
                with core.settlement.guard:
                    ends = self._disk.ends()
                    held = {record.place for record in core.pending_records()}
                taken = core.forgetting.take_out(is_meant)
            if not self.is_open:
                return taken, 0
            unread = self._disk.forget(is_meant, held, ends)
            with deciding:
                spooled.forget([item for item in unread if item.is_own], FORGOTTEN)
            self._acknowledge()
            left, in_use = self._disk.forget_left(is_meant)
        return taken._replace(stored=len(unread) + left), in_use

    # The end.

    def make_last_room(self, core: Core, deciding: AbstractContextManager[object]) -> None:
        """Before the end, store what a full store left in memory alone, in the place of the oldest."""
        spooled = core.spooled
        if spooled is None or not self._tending.acquire(timeout=HANGING_DISK_SECONDS):
            return
        try:
            self._acknowledge()
            end = self._clock() + LAST_ROOM_SECONDS
            while (now := self._clock()) < end:
                failure = spooled.take_failure()
                if failure is not None and not self._is_unstored:
                    self._note_trouble(failure, core, now, is_unstored=True)
                if self._trouble is None:
                    return
                self._mend_at = now
                self._mend(core, now, deciding)
                if self._trouble is not None:
                    return
        finally:
            self._tending.release()

    def _sync_last(self) -> None:
        """Sync, and once more if that fails, since the second sync writes anew what the first could not."""
        if self._sync_every is None:
            return
        for is_last in (False, True):
            try:
                self._disk.sync()
            except Exception as error:
                if is_interruption(error):
                    raise
                if is_last:
                    self.notes.append(Note("WARNING", "spool", NOT_SYNCED.format(error)))
            else:
                return

    def close(self, core: Core) -> None:
        """Write down what has ended, and leave the rest to the next process."""
        if not self._tending.acquire(timeout=HANGING_DISK_SECONDS):
            return
        try:
            self._acknowledge()
            if self.is_open:
                self._sync_last()
            # Nobody may append meanwhile.
            with core.settlement.guard:
                if self.is_open:
                    self.is_open = self._is_disowned = False
                    self._disk.close()
                self.append = self._append_first
                if core.spooled is not None:
                    core.spooled.begin_again()
        finally:
            self._tending.release()
