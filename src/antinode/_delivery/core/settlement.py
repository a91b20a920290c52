"""Settling: giving records their one final outcome and writing it into the ledger."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import repeat
from operator import attrgetter

from antinode._delivery.core.loops import deliver, total_size
from antinode._delivery.ledger import Ledger
from antinode._delivery.outcome import DELIVERED, DROPPED, ENDS, REJECTED, SPOOLED, Outcome
from antinode._delivery.record import NOT_STORED, Record
from antinode._interruptions import is_interruption
from antinode._protocol.status import Status

_EPOCH = attrgetter("epoch")
_PLACE = attrgetter("place")

OUT_OF_MEMORY = Outcome(
    DROPPED, Status.FAILED, "out_of_memory", message="there was no memory to keep the event in"
)
SPOOL_FULL = Outcome(
    DROPPED,
    Status.FAILED,
    "spool_full",
    message="the spool was full: raise max_spool_bytes, or see why events do not leave",
)
UNMADE = Record(b"", 0, 0.0, outcome=OUT_OF_MEMORY)
"""The handle of every event for which there was no memory, made ahead since nothing can be made then."""


class Settlement:
    """The ledger, its guard, and the records whose outcome somebody wants to hear of."""

    def __init__(
        self, guard: AbstractContextManager[object], *, keeps_all: bool = False, keeps_failures: bool = False
    ) -> None:
        self.ledger = Ledger()
        self.guard = guard
        self.keeps_all = keeps_all
        """Whether every settled record is kept for the shell, not only those with callbacks."""
        self.keeps_failures = keeps_failures
        """Whether every record that was not delivered is kept for the shell."""
        self.is_stored = False
        """Whether records may have places in a store, which has to hear of their ends."""
        # Any thread may append while another takes records out.
        self._settled: deque[Record] = deque()
        self._ended: deque[tuple[str, Sequence[int]]] = deque()

    def refuse(self, record: Record, outcome: Outcome, *, is_kept: bool = False) -> None:
        """Settle a record that never got in: accepted and ended in the same instant.

        `is_kept`: the shell, which did not ask for this, hears of it.
        """
        with self.guard:
            ledger = self.ledger
            epoch = record.epoch = ledger.epoch
            ledger.accepted += 1
            epoch.accepted += 1
            ledger.settle(outcome, 1)
            epoch.settle(outcome.kind, 1)
        record.outcome = outcome
        if is_kept and (self.keeps_all or self.keeps_failures):
            self._settled.append(record)

    def drop_unmade(self) -> Record:
        """Settle an event for which memory is lacking, without asking for any. On any thread."""
        self.ledger.unmade += 1
        return UNMADE

    def settle_unmade(self) -> int:
        """Count the events lost for lack of memory since the last call. Returns how many they are."""
        ledger = self.ledger
        if not ledger.unmade:
            return 0
        with self.guard:
            count = ledger.unmade
            epoch = ledger.epoch
            ledger.settle(OUT_OF_MEMORY, count)
            epoch.settle(DROPPED, count)
            epoch.accepted += count
            ledger.accepted += count
            ledger.unmade -= count
        if self.keeps_all or self.keeps_failures:
            self._settled.extend(repeat(UNMADE, count))
        return count

    def skip(self, record: Record, outcome: Outcome) -> None:
        """Settle a record that was never meant to be sent: counted, but not as accepted."""
        with self.guard:
            self.ledger.settle(outcome, 1)
        record.outcome = outcome

    def settle(self, records: Sequence[Record], outcome: Outcome, *, sent: int = 0) -> None:
        """Settle pending records; in the ledger first, so that whoever sees an outcome finds it counted.

        `sent` is 1 if the request that decided counts as an attempt that they have not been charged for.
        An exception leaves all of them unsettled, or none.
        """
        if not records:
            return
        if type(records) is not list:
            records = list(records)
        size = total_size(records)
        # Everything that can fail comes before the first count.
        places = self._places(records) if outcome.kind in ENDS else []
        ledger = self.ledger
        with self.guard:
            ledger.pending -= len(records)
            ledger.pending_bytes -= size
            ledger.settle(outcome, len(records))
            if ledger.has_one_epoch:
                ledger.epoch.settle(outcome.kind, len(records))
            else:
                for epoch, count in Counter(map(_EPOCH, records)).items():
                    if epoch is not None:
                        epoch.settle(outcome.kind, count)
        try:
            self._write_outcome(records, outcome, sent)
        except Exception as error:
            if is_interruption(error):
                raise
            # All of them are counted, so none may stay without its outcome, whatever raised for another.
            for record in records:
                if record.outcome is None:
                    record.outcome = outcome
                    self._settled.append(record)
        # Last, since the store may forget only records whose end the shell can hear of.
        if places:
            self.end(outcome.kind, places)

    def settle_alone(self, record: Record, outcome: Outcome, *, sent: int = 0) -> None:
        """Settle a record that fails in whatever is done with it: it ends so, whatever raises."""
        try:
            self.settle([record], outcome, sent=sent)
        except Exception as error:
            if is_interruption(error):
                raise
            ledger = self.ledger
            with self.guard:
                ledger.pending -= 1
                ledger.pending_bytes -= len(record.body)
                ledger.settle(outcome, 1)
                if record.epoch is not None:
                    record.epoch.settle(outcome.kind, 1)
            record.outcome = outcome
            self._settled.append(record)
            if self.is_stored and outcome.kind in ENDS and record.place != NOT_STORED:
                self.end(outcome.kind, [record.place])

    def _places(self, records: Sequence[Record]) -> list[int]:
        if not self.is_stored:
            return []
        places = list(map(_PLACE, records))
        return [place for place in places if place != NOT_STORED] if NOT_STORED in places else places

    def _write_outcome(self, records: list[Record], outcome: Outcome, sent: int) -> None:
        settled = self._settled
        is_delivered = outcome.kind == DELIVERED
        # What stays in the store has not ended: the next process will tell of it.
        keeps_all = (self.keeps_all and outcome.kind != SPOOLED) or (
            self.keeps_failures and outcome.kind in (REJECTED, DROPPED)
        )
        usual = outcome.attempts
        variants: dict[int, Outcome] = {}
        rest = records
        if is_delivered and sent == usual == 1 and not keeps_all:
            rest, asked = deliver(records, outcome)
            settled.extend(asked)
        for record in rest:
            attempts = record.attempts = record.attempts + sent
            if attempts == usual:
                record.outcome = outcome
            else:
                own = variants.get(attempts)
                if own is None:
                    own = variants[attempts] = outcome.after(attempts)
                record.outcome = own
            if keeps_all or record.callbacks is not None:
                settled.append(record)
            elif is_delivered:
                record.body = b""

    def end(self, kind: str, places: Iterable[int]) -> None:
        """Note for the store that these places are not needed any more."""
        self._ended.append((kind, _as_range(list(places))))

    def settle_unread(self, handles: Sequence[Record], outcome: Outcome) -> None:
        """Settle all records that are in the store alone, `handles` being those that somebody holds."""
        ledger = self.ledger
        with self.guard:
            count = ledger.on_disk
            ledger.settle(outcome, count)
            ledger.pending -= count
            ledger.pending_bytes -= ledger.on_disk_bytes
            ledger.on_disk = ledger.on_disk_bytes = 0
            ledger.settle_on_disk(outcome.kind)
        for record in handles:
            record.outcome = outcome
            if record.callbacks is not None:
                self._settled.append(record)

    def recount(
        self, pending: Sequence[Record], victim: Record | None, outcome: Outcome, *, accepted: int
    ) -> bool:
        """Make the counts agree with what is `pending` in memory, after an exception while they changed.

        `victim` is the record whose settling was interrupted, if any was; it ends with this outcome. Under
        the guard. `accepted` and False are those of `Ledger.recount`.
        """
        leaving = None if victim is None else victim.epoch
        if not self.ledger.recount(pending, leaving, outcome, accepted=accepted):
            return False
        if victim is None:
            return True
        victim.outcome = victim.outcome or outcome
        is_kept = self.keeps_all or self.keeps_failures or victim.callbacks is not None
        if is_kept and not any(record is victim for record in self._settled):
            self._settled.append(victim)
        if self.is_stored and victim.place != NOT_STORED:
            self.end(outcome.kind, [victim.place])
        return True

    def take_ended(self) -> list[tuple[str, Sequence[int]]]:
        """Places in the store of records that ended since the last call, by the kind of outcome."""
        return [self._ended.popleft() for _ in range(len(self._ended))]

    def take_settled(self) -> list[Record]:
        """Records settled since the last call whose callbacks, or whose outcome, somebody wants."""
        return [self._settled.popleft() for _ in range(len(self._settled))]


def _as_range(places: list[int]) -> Sequence[int]:
    """The same places as a range, if they follow one another, as those of one upload mostly do."""
    if not places:
        return places
    whole = range(places[0], places[0] + len(places))
    return whole if places[-1] == whole[-1] and places == list(whole) else places
