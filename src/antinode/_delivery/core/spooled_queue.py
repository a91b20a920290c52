"""Records that a store keeps: which of them are in memory too, and which are read back when their turn comes.

Every record is in the store from the moment it is logged. The queue in memory holds only the next few of
them: while it is full, or while older ones are unread, new ones go to the store alone. Its order is the
order of logging, so streams stay in order. A record that the store cannot take stays in memory: in the queue,
or in `rear` if older ones are unread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from antinode._delivery.core.backlog import Backlog
from antinode._delivery.core.handles import Handles
from antinode._delivery.core.loops import total_size
from antinode._delivery.core.pending import Pending
from antinode._delivery.core.recovered import is_sound, records_of
from antinode._delivery.core.settlement import SPOOL_FULL, Settlement
from antinode._delivery.epoch import Epoch
from antinode._delivery.ledger import Ledger
from antinode._delivery.outcome import DROPPED, Outcome
from antinode._delivery.record import NOT_STORED, Record, anchor
from antinode._delivery.storage import KeepingStore, Stored, is_full
from antinode._interruptions import is_interruption
from antinode._protocol.status import Status
from antinode._speedups import slot

# The guard, which logging threads wait for, is released after so many records.
SLICE_RECORDS = 500

INVALID = Outcome(
    DROPPED, Status.INVALID, "unreadable", message="the spool gave what is not one JSON object with valid ids"
)
UNREADABLE = Outcome(
    DROPPED, Status.FAILED, "unreadable", message="the spool could not be read where this event was kept"
)


class SpooledQueue:
    """The part of a queue that is in a store. Guarded like the backlog's end; see `Core`."""

    # Compiled code finds these where they lie.
    __slots__ = ("__dict__", "_interrupting", "_is_admitting", "has_ended", "is_behind", "rear")

    def __init__(
        self,
        store: KeepingStore,
        settlement: Settlement,
        backlog: Backlog,
        pending: Pending,
        *,
        max_events: int,
        max_bytes: int,
        memory_events: int,
        memory_bytes: int,
        waits_for_room: bool,
        needs_store: bool = False,
    ) -> None:
        self._store = store
        self._settlement = settlement
        self._backlog = backlog
        self._pending = pending
        self._queued = backlog.fresh
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._waits_for_room = waits_for_room
        self._needs_store = needs_store
        self._queue_events = min(memory_events, max_events)
        self._queue_bytes = min(memory_bytes, max_bytes)
        self._forgotten: set[int] = set()
        """Places of records that have ended, and that the store gives all the same."""
        self._handles = Handles()
        self.is_behind = False
        """Whether there is anything in the store that has not been read into the queue."""
        self.rear: deque[Record] = deque()
        """Records that the store did not take, behind those that are unread."""
        self.failure: Exception | None = None
        """Why the store did not take a record, until this is asked for; the first reason since then."""
        self.is_failing = False
        """Whether the store takes no records, as far as is known."""
        self.is_full = False
        """Whether the store takes no records because there is no room."""
        self.is_held_up = False
        """Whether the store has nothing to give just now, though there is something unread."""
        self.has_ended = False
        """Whether the store is left to the next process: nothing is read until it is opened anew."""
        self._is_admitting = False
        self._interrupting: deque[Record] = deque()
        """Logged by a signal handler or destructor in the middle of logging: no store takes records then."""
        settlement.is_stored = True

    def layout(self, record_type: type[Record]) -> dict[str, Any]:
        """What the compiled path uses of this, to put records into the store itself."""
        return {
            "spooled": self,
            "append": self._append_direct,
            "admit_late": self._admit_late,
            "memory_events": self._queue_events,
            "memory_bytes": self._queue_bytes,
            "record_place": slot(record_type, "place"),
            "on_disk": slot(Ledger, "on_disk"),
            "on_disk_bytes": slot(Ledger, "on_disk_bytes"),
            "epoch_on_disk": slot(Epoch, "on_disk"),
            "recent": self._handles.recent,
            "look": self._handles.look,
            "is_admitting": slot(SpooledQueue, "_is_admitting"),
            "is_behind": slot(SpooledQueue, "is_behind"),
            "rear": slot(SpooledQueue, "rear"),
            "has_ended": slot(SpooledQueue, "has_ended"),
            "interrupting": slot(SpooledQueue, "_interrupting"),
            "mapped": self._store.mapped_layout(),
        }

    def admit(self, record: Record) -> bool:
        """Take a record, or return False and change nothing when there is no room for it; as `Core.admit`."""
        with self._settlement.guard:
            if self._is_admitting:
                self._interrupting.append(record)
                return True
            self._is_admitting = True
            try:
                if self._interrupting:
                    self._admit_interrupting()
                return self._admit(record)
            finally:
                if self._interrupting:
                    self._admit_interrupting()
                self._is_admitting = False
                if self._interrupting:
                    self._admit_late()

    def _admit(self, record: Record) -> bool:
        ledger = self._settlement.ledger
        body = record.body
        size = len(body)
        in_memory = ledger.pending - ledger.on_disk
        memory = ledger.pending_bytes - ledger.on_disk_bytes
        is_direct = not self.is_behind and in_memory < self._queue_events and memory < self._queue_bytes
        place = NOT_STORED
        if not self.rear:
            try:
                place = self._store.append(body, record.logged_at, direct=is_direct and not self.has_ended)
            except Exception as error:
                if is_interruption(error):
                    raise
                self._fail(error)
                if self._needs_store or (self._waits_for_room and is_full(error)):
                    return False
        if place == NOT_STORED and (in_memory >= self._max_events or memory + size > self._max_bytes):
            return False
        # No call from here to where the counts and the queue agree, as in `Core.admit`.
        record.place = place
        epoch = record.epoch = ledger.epoch
        epoch.accepted += 1
        ledger.accepted += 1
        ledger.pending += 1
        ledger.pending_bytes += size
        if is_direct:
            self._queued.append(record)
            return True
        self.is_behind = True
        if place == NOT_STORED:
            self.rear.append(record)
        else:
            epoch.on_disk += 1
            ledger.on_disk += 1
            ledger.on_disk_bytes += size
            self._handles.add(record)
        return True

    def _append_direct(self, body: bytes, logged_at: float) -> int:
        """Append by the store's method of the moment; a store in trouble or not open yet has another."""
        return self._store.append(body, logged_at, direct=True)

    def _admit_interrupting(self) -> None:
        """Take, before later ones, the records that were logged in the middle of logging, which is over."""
        while self._interrupting:
            record = self._interrupting.popleft()
            if not self._admit(record):
                self._settlement.refuse(record, SPOOL_FULL, is_kept=True)

    def _admit_late(self) -> None:
        """Take the records that were logged in the instant before `_is_admitting` became false."""
        while self._interrupting:
            self._is_admitting = True
            try:
                self._admit_interrupting()
            finally:
                self._is_admitting = False

    def find(self) -> None:
        """Notice records of dead processes in the store: they come before what is logged from now on."""
        # What is logged meanwhile notices by itself: the guard, which it waits for, is not taken in vain.
        if self._store.has_unread:
            with self._settlement.guard:
                if not self.has_ended and self._store.has_unread:
                    self.is_behind = True

    @property
    def wanted(self) -> int:
        """How many records should be read into the queue now."""
        if not self.is_behind or self.has_ended or self.is_held_up:
            return 0
        ledger = self._settlement.ledger
        room = self._queue_events - self._backlog.available
        if room < max(1, self._queue_events // 2):
            return 0
        if self._backlog.stream_queues.is_busy_with(self._queue_events):
            return 0  # what comes next would wait behind them, or take as much memory again
        room = min(room, self._max_events - (ledger.pending - ledger.on_disk))
        return max(0, room) if ledger.pending_bytes - ledger.on_disk_bytes < self._max_bytes else 0

    @property
    def wanted_bytes(self) -> int:
        return self._queue_bytes // 2

    def refill(self, items: Sequence[Stored]) -> float:
        """Take in records that were read from the store; none means that it has no more to give.

        Returns when the oldest of them was logged. A record that is no event, or fails, is given up alone.
        """
        oldest = float("inf")
        if self.has_ended:
            return oldest  # and counted as left there
        items = self._without_forgotten(items)
        for start in range(0, len(items), SLICE_RECORDS):
            records, invalid = self._taken_in(items[start : start + SLICE_RECORDS])
            self._queued.extend(records)
            oldest = min(oldest, min([record.logged_at for record in records], default=oldest))
            # By itself: in a request with others it would cost them, or pass for several.
            for record in invalid:
                self._settlement.settle_alone(record, INVALID)
        with self._settlement.guard:
            self.is_behind = self._store.has_unread
            if self.is_behind:
                return oldest
            if self._settlement.ledger.on_disk:
                # The store should have had more records of this process: their bytes were damaged meanwhile.
                self._settle_unread(UNREADABLE)
            for _ in range(min(len(self.rear), self._queue_events)):
                self._queued.append(self.rear.popleft())
            self.is_behind = bool(self.rear)
        return oldest

    def put_away(self) -> None:
        """Store the records that the store did not take earlier, as far as it takes them now."""
        ledger = self._settlement.ledger
        with self._settlement.guard:
            while self.rear:
                record = self.rear[0]
                try:
                    place = self._store.append(record.body, record.logged_at, direct=False)
                except Exception as error:
                    if is_interruption(error):
                        raise
                    self._fail(error)
                    return
                self.rear.popleft()
                record.place = place
                anchor(record)
                if record.epoch is not None:
                    record.epoch.on_disk += 1
                ledger.on_disk += 1
                ledger.on_disk_bytes += len(record.body)
                self._handles.add(record)

    def store_anew(self, records: Sequence[Record]) -> None:
        """Store records that are in memory alone, or whose files have vanished, as far as they are taken.

        Their order on disk is that of logging, unless something older is still unread there.
        """
        with self._settlement.guard:
            lost = self._store.lost([record.place for record in records if record.place != NOT_STORED])
            self._settlement.end(DROPPED, lost)
            for record in records:
                if record.place in lost:
                    record.place = NOT_STORED
            for record in records:
                if record.place == NOT_STORED:
                    try:
                        is_direct = not self._store.has_unread
                        record.place = self._store.append(record.body, record.logged_at, direct=is_direct)
                    except Exception as error:
                        if is_interruption(error):
                            raise
                        self._fail(error)
                        return
                    anchor(record)

    def _fail(self, error: Exception) -> None:
        if not self.is_failing:
            self.is_failing = True
            self.is_full = is_full(error)
            self.failure = error

    def is_mended(self) -> None:
        """Hear that the store takes records again."""
        self.is_failing = self.is_full = False

    def take_failure(self) -> Exception | None:
        failure, self.failure = self.failure, None
        return failure

    def give_up(self, outcome: Outcome) -> list[Record]:
        """Settle what is in the store alone; returns what is behind it in memory, for others to settle."""
        with self._settlement.guard:
            rear = list(self.rear)
            self.rear.clear()
            self.is_behind = False
            self.has_ended = True
            self._settle_unread(outcome)
        return rear

    def begin_again(self) -> None:
        """Hear that the store is closed; it may be opened once more for what is logged even later."""
        self.has_ended = False
        self._forgotten.clear()

    def forget(self, items: Sequence[Stored], outcome: Outcome) -> None:
        """Settle records of this process that are in the store alone, and that it is still going to give."""
        for start in range(0, len(items), SLICE_RECORDS):
            records = self._all_taken_in(items[start : start + SLICE_RECORDS])
            self._forgotten.update(record.place for record in records)
            self._settlement.settle(records, outcome)
            for record in records:
                record.body = b""

    def _without_forgotten(self, items: Sequence[Stored]) -> Sequence[Stored]:
        if not self._forgotten:
            return items
        kept = [item for item in items if item.place not in self._forgotten]
        self._forgotten.difference_update(item.place for item in items)
        return kept

    def drop(self, items: Sequence[Stored]) -> None:
        """Drop what was read from the store, to make room in it."""
        if self.has_ended:
            return
        items = self._without_forgotten(items)
        for start in range(0, len(items), SLICE_RECORDS):
            self._settlement.settle(self._all_taken_in(items[start : start + SLICE_RECORDS]), SPOOL_FULL)

    def drop_from_queue(self) -> int:
        """Drop the oldest records that are in memory and in the store; returns how many.

        Those in memory alone, which would make no room, and those in requests stay.
        """
        with self._settlement.guard:
            dropped = self._pending.take_stored(SLICE_RECORDS)
        self._settlement.settle(dropped, SPOOL_FULL)
        return len(dropped)

    def recover(self) -> None:
        """Go on after an exception in the midst of `admit`: what was logged meanwhile gets in."""
        self._is_admitting = False
        if self._interrupting:
            self._admit_late()

    def _all_taken_in(self, items: Sequence[Stored]) -> list[Record]:
        """The same, sound or not."""
        sound, invalid = self._taken_in(items)
        return sound + invalid

    def _taken_in(self, items: Sequence[Stored]) -> tuple[list[Record], list[Record]]:
        """Records, with the application's handles where it has some, counted as in memory from now on.

        First those that are events, then the others.
        """
        read, unsure = records_of(items)
        own = sum([item.is_own for item in items])
        if not unsure and own in (0, len(items)):
            try:
                return self._taken_in_together(read, is_own=own > 0), []
            except Exception as error:
                if is_interruption(error):
                    raise
                # Nothing was counted: what can fail comes before.
        return self._taken_in_singly(items, read)

    def _taken_in_together(self, records: list[Record], *, is_own: bool) -> list[Record]:
        with self._settlement.guard:
            size = total_size(records)
            if not is_own:
                self._recover(records, size)
                return records
            if self._handles:
                records = [self._handles.take(record.place) or record for record in records]
            self._return(records, size)
            return records

    def _taken_in_singly(
        self, items: Sequence[Stored], read: Sequence[Record]
    ) -> tuple[list[Record], list[Record]]:
        """The same, of records of which any may fail in whatever is done with it."""
        records: list[Record] = []
        with self._settlement.guard:
            for item, record in zip(items, read, strict=True):
                try:
                    records.append(self._take_in(item, record))
                except Exception as error:
                    if is_interruption(error):
                        raise
                    if not item.is_own:
                        # One of its own stays counted as on disk, and ends as unreadable with what is left.
                        self._settlement.refuse(record, UNREADABLE, is_kept=True)
                        self._settlement.end(DROPPED, [record.place])
        sound: list[Record] = []
        invalid: list[Record] = []
        for record in records:
            (sound if is_sound(record) else invalid).append(record)
        return sound, invalid

    def _take_in(self, item: Stored, record: Record) -> Record:
        if not item.is_own:
            self._recover([record], len(record.body))
            return record
        record = (self._handles and self._handles.take(item.place)) or record
        self._return([record], len(record.body))
        return record

    def _return(self, records: list[Record], size: int) -> None:
        """Count records of this process's own as in memory, no longer in the store alone."""
        ledger = self._settlement.ledger
        counted = 0
        while counted < len(records):
            epoch, count = ledger.oldest_on_disk(len(records) - counted)
            epoch.on_disk -= count
            for record in records[counted : counted + count]:
                record.epoch = epoch
            counted += count
        ledger.on_disk -= len(records)
        ledger.on_disk_bytes -= size

    def _recover(self, records: list[Record], size: int) -> None:
        """Count records that a dead process left: they are this one's now, and a flush waits for them."""
        ledger = self._settlement.ledger
        epoch = ledger.oldest
        for record in records:
            record.epoch = epoch
        ledger.count_recovered(epoch, len(records), size)

    def _settle_unread(self, outcome: Outcome) -> None:
        self._settlement.settle_unread(self._handles.take_all(), outcome)
