"""The delivery core: every decision about what is sent, when, with what, and how each event ends.

Pure: no thread, socket, file, clock or random source of its own. Records, verdicts and the time go in;
uploads to make, a time to wake up and settled records come out. The threaded shell, the simulation in the
tests, and whatever shell comes next, drive the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from antinode._delivery.core.backlog import Backlog
from antinode._delivery.core.batch import Batch, Upload
from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.dispatcher import Dispatcher
from antinode._delivery.core.expiry import EXPIRED, Expiry
from antinode._delivery.core.forgetting import Forgetting
from antinode._delivery.core.isolation import Isolation
from antinode._delivery.core.link import Cause, Link, LinkState
from antinode._delivery.core.patience import Failing
from antinode._delivery.core.pending import Pending
from antinode._delivery.core.response_handler import Note, ResponseHandler, Retried
from antinode._delivery.core.schedule import FOREVER, UploadSchedule
from antinode._delivery.core.settlement import UNMADE, Settlement
from antinode._delivery.core.shedding import Shedding
from antinode._delivery.core.withholding import Withheld, Withholding
from antinode._delivery.epoch import Epoch
from antinode._delivery.ledger import Ledger, Report, Stats
from antinode._delivery.outcome import DROPPED, SPOOLED, Outcome
from antinode._delivery.record import NOT_STORED, Record
from antinode._interruptions import is_interruption
from antinode._protocol.responses import Action, Verdict
from antinode._protocol.status import Status
from antinode._protocol.words import agreeing, counted
from antinode._speedups import slot

if TYPE_CHECKING:
    from antinode._delivery.core.fed_queue import FedQueue
    from antinode._delivery.core.spooled_queue import SpooledQueue
    from antinode._delivery.storage import FedStore, KeepingStore, Stored


class Core:
    """The delivery state machine of one client.

    `guard` protects what `admit` touches (the queue's end and the ledger), so that logging threads need no
    other lock; everything else must be called by one thread at a time. `random` gives jitter in [0, 1).
    With a `store`, records are kept there from the moment they are admitted; see `SpooledQueue`. With `feed`
    they come from a store that others fill; see `FedQueue`. For `keeps_all` and `keeps_failures` see
    `Settlement`.
    """

    def __init__(
        self,
        config: CoreConfig,
        *,
        random: Callable[[], float],
        guard: AbstractContextManager[object] | None = None,
        store: KeepingStore | None = None,
        feed: FedStore | None = None,
        keeps_all: bool = False,
        keeps_failures: bool = False,
    ) -> None:
        self.config = config
        self.backlog = Backlog(config.pace)
        self.queued = self.backlog.fresh
        self._pending = Pending(self.backlog)
        self.settlement = Settlement(
            guard if guard is not None else nullcontext(), keeps_all=keeps_all, keeps_failures=keeps_failures
        )
        self.ledger = self.settlement.ledger
        self._guard = self.settlement.guard
        self._max_events = config.max_events
        self._max_bytes = config.max_bytes
        self._response_handler = ResponseHandler(
            self.settlement,
            self.backlog,
            config.policy,
            max_bytes=config.max_batch_bytes,
            random=random,
            kept_in=feed.name if feed is not None else None if store is None else "the spool",
        )
        self.spooled = None if store is None else self._spooled_queue(store)
        self.fed = None if feed is None else self._fed_queue(feed)
        self.admit = self._admit if self.spooled is None else self.spooled.admit
        """Take a record, or return False and change nothing when there is no room for it.

        The only method, with `Settlement.refuse` and `Settlement.skip`, that any thread may call at any time.
        """
        self._withholding = Withholding(self.settlement, self.backlog, self._response_handler)
        self.forgetting = Forgetting(self.settlement, self.backlog, self._pending, self.spooled)
        self._schedule = UploadSchedule(
            config, self.backlog, self._pending, self.ledger, self._response_handler
        )
        self._expiry = Expiry(self._pending, config.max_age)
        self._isolation = Isolation(self.settlement, self.backlog, self._pending, self._response_handler)
        self._failing: Failing | None = None
        """Since when uploads have failed; None once one has succeeded."""
        self._dispatcher = Dispatcher(
            config,
            self.backlog,
            self._pending,
            self.ledger,
            self._schedule,
            self._response_handler,
            self._isolation,
        )
        self.shedding = Shedding(
            config, self.settlement, self.backlog, self._pending, self._isolation, self.spooled
        )

    def layout(self) -> dict[str, Any]:
        """What the compiled path uses of the core, and of its ledger."""
        return {
            "queue": self.queued,
            "guard": self._guard,
            "max_events": self._max_events,
            "max_bytes": self._max_bytes,
            "unmade_record": UNMADE,
            "ledger": self.ledger,
            "epoch": slot(Ledger, "epoch"),
            "accepted": slot(Ledger, "accepted"),
            "pending": slot(Ledger, "pending"),
            "pending_bytes": slot(Ledger, "pending_bytes"),
            "unmade": slot(Ledger, "unmade"),
            "epoch_accepted": slot(Epoch, "accepted"),
        }

    @property
    def link(self) -> Link:
        return self._response_handler.link

    @property
    def kept_in(self) -> str:
        """Where events are kept, in words."""
        return self._response_handler.kept_in

    @property
    def is_idle(self) -> bool:
        """Whether nothing is pending."""
        return self.ledger.pending == 0

    @property
    def max_upload_bytes(self) -> int:
        """How large one upload may be at present: smaller for a while after a 413."""
        return self._response_handler.max_bytes

    @property
    def throttled(self) -> int:
        """How many streams wait since a rate limit holds them."""
        return self.backlog.stream_queues.held

    def _spooled_queue(self, store: KeepingStore) -> SpooledQueue:
        config = self.config
        from antinode._delivery.core.spooled_queue import SpooledQueue  # noqa: PLC0415 - only with a store

        return SpooledQueue(
            store,
            self.settlement,
            self.backlog,
            self._pending,
            max_events=config.max_events,
            max_bytes=config.max_bytes,
            memory_events=config.memory_events,
            memory_bytes=config.memory_bytes,
            waits_for_room=config.waits_for_room,
            needs_store=config.needs_store,
        )

    def _fed_queue(self, store: FedStore) -> FedQueue:
        config = self.config
        from antinode._delivery.core.fed_queue import FedQueue  # noqa: PLC0415 - only in the relay

        return FedQueue(
            store,
            self.settlement,
            self.backlog,
            self._pending,
            max_events=config.max_events,
            max_bytes=config.max_bytes,
            memory_events=config.memory_events,
            memory_bytes=config.memory_bytes,
        )

    # Admitting.

    def _admit(self, record: Record) -> bool:
        ledger = self.ledger
        size = len(record.body)
        with self._guard:
            if ledger.pending >= self._max_events or ledger.pending_bytes + size > self._max_bytes:
                return False
            # No call and no loop from here to the last line: from Python 3.11 on, no signal handler that logs
            # can get in between, and no KeyboardInterrupt can part the counts from the queue.
            epoch = record.epoch = ledger.epoch
            epoch.accepted += 1
            ledger.accepted += 1
            ledger.pending += 1
            ledger.pending_bytes += size
            self.queued.append(record)
        return True

    def settle_unmade(self) -> None:
        """Count the events that were lost for lack of memory, and note it for the log."""
        count = self.settlement.settle_unmade()
        if count:
            events = f"{counted(count, 'event')} {agreeing(count, 'was', 'were')}"
            text = f"{events} dropped for lack of memory"
            self._response_handler.note("WARNING", "out_of_memory", text)

    # What goes out.

    def next_uploads(self, now: float, *, is_late: bool = False) -> list[Upload]:
        """The uploads to start now; each must be answered with `respond`.

        `is_late`: one of those under way waits for this process at the moment, not for its server, so that
        how long it has been under way says nothing of the server.
        """
        self._expire(now)
        for number in self._pending.done():
            self._dispatcher.end(number, now)
        self.backlog.must_go_on = False
        self.backlog.stream_queues.release_due(now)
        self._schedule.look(now, is_late=is_late)
        uploads: list[Upload] = []
        while True:
            try:
                upload = self._dispatcher.next_upload(now)
            except Exception as error:
                if is_interruption(error):
                    raise
                if self._isolation.isolate(error):
                    continue
                return uploads
            if upload is None:
                return uploads
            uploads.append(upload)

    def awaits(self, number: int) -> bool:
        """Whether the upload of this number is under way. Any thread may ask."""
        return self._dispatcher.awaits(number)

    def wake_at(self, now: float) -> float | None:
        """When `next_uploads` should be called again if nothing happens until then; None: not needed."""
        wake_at = self._schedule.wake_at(now, FOREVER if self.is_idle else self._expiry.due_at)
        stored = self.spooled or self.fed
        return now if stored is not None and stored.wanted else wake_at

    @property
    def is_behind(self) -> bool:
        """Whether there is anything in a store that has not been read into the queue."""
        stored = self.spooled or self.fed
        return stored is not None and stored.is_behind

    @property
    def room(self) -> object:
        """Something that is another whenever there may be room where there was none."""
        spooled, ledger = self.spooled, self.ledger
        has_ended = ledger.accepted - ledger.pending
        return has_ended if spooled is None else (has_ended, spooled.is_failing, spooled.is_full)

    def ring_at(self) -> int:
        """At which length of the queue logging should wake the shell; to be asked after `wake_at`."""
        return self._schedule.ring_at()

    # What comes back.

    def respond(
        self,
        number: int,
        verdict: Verdict | None,
        now: float,
        *,
        took: float | None = None,
        size: int = 0,
        withheld: Withheld | None = None,
    ) -> None:
        """Apply what an answer, or the lack of one, means for the records of an upload.

        `withheld` is what was left out of the request; the verdict, which is None if nothing was left to
        send, is on the others.

        `took` is how long the exchange itself lasted in seconds, if that is known better than from `now`;
        `size` is what its body had in bytes. An upload that is not under way (given up for lost, abandoned)
        is only counted.
        """
        self.ledger.bytes_sent += size
        batch_number, batch = self._dispatcher.landed(number)
        if batch is None or batch.flying is None:
            return
        is_delivered = verdict is not None and verdict.action is Action.DELIVERED
        started = self._schedule.ended(number, now, took, is_delivered=is_delivered)
        records, batch.flying = batch.flying, None
        if withheld is not None:
            records = self._withholding.apply(batch, records, withheld, now)
        if verdict is not None:
            self._apply(batch, records, verdict, now, started=started, is_delivered=is_delivered)
        elif withheld is not None and withheld.unknown:
            self._failing = Failing.after(self._failing, started=started, now=now)
        if not is_delivered:
            # They wait again, and were in a request when the waiting ones were last looked through.
            again = records if withheld is None else [*records, *withheld.unknown]
            self._expiry.expect(min([record.logged_at for record in again], default=now))
        self.forgetting.take_out_returned()
        if batch.is_done:
            self._dispatcher.end(batch_number, now)

    def _apply(
        self,
        batch: Batch,
        records: list[Record],
        verdict: Verdict,
        now: float,
        *,
        started: float,
        is_delivered: bool,
    ) -> None:
        """Apply a verdict to the records that were sent, and hear what it says of the server."""
        waiting = tuple(batch.chunks)
        try:
            self._response_handler.apply(batch, records, verdict, now)
        except Exception as error:
            if is_interruption(error):
                raise
            self._isolation.salvage(batch, records, waiting, verdict, now, error)
        link = self.link
        if link.failures and link.cause is not Cause.THROTTLE and not is_delivered:
            self._failing = Failing.after(self._failing, started=started, now=now)
        else:
            self._failing = None
        self._schedule.forget_probe_if_healthy()

    # Flushes, and ends that come without an answer.

    def flush(self, now: float) -> int:
        """Send what waits without regard to the interval; returns the epoch that this flush covers.

        It does not shorten a wait that the server asked for. While a configuration fault stands, one probe is
        made; a fault that was found within the last second is not probed anew. See `is_hopeless`.
        """
        self.settle_unmade()
        with self._guard:
            index = self.ledger.close_epoch()
        self.hurry(now)
        return index

    def report(self, index: int) -> Report:
        """What became of the epochs up to `index`."""
        with self._guard:
            return self.ledger.report(index)

    def ends_wait(self, waiting_since: float) -> float | None:
        """When a flush without a timeout, begun at `waiting_since`, stops waiting, if it does."""
        if self._failing is None:
            return None
        patience = self.config.flush_patience
        return self._failing.ends_wait(waiting_since, patience=patience, named=self.link.not_before)

    @property
    def waits_for(self) -> str:
        """What delivery waits for, in words; "" while it goes on."""
        link = self.link
        if link.is_open or link.cause is None:
            return ""
        cause = link.cause if self.has_accepted or not link.is_refused else Cause.FAULT
        return f"{cause.value}: {link.why}"

    @property
    def has_accepted(self) -> bool:
        """Whether the server has ever taken events, or named bad ones among them."""
        return self._response_handler.has_accepted

    def hurry(self, now: float) -> None:
        """Send without regard to the interval, and probe early unless the server named a time to wait."""
        self._schedule.hurry(now)
        self._response_handler.hurry(now)

    def stop_lingering(self, now: float) -> None:
        """Send without regard to the interval from now on: the end may come any time."""
        self._schedule.stop_lingering()
        self.hurry(now)

    def abandon(self, reason: str, message: str) -> int:
        """Settle everything that is pending as dropped, requests under way included; returns how many.

        Where there is no memory for a list of it, the oldest events end first, as dropped for lack of memory.
        """
        dropped = Outcome(DROPPED, Status.FAILED, reason, message=message)
        kept = Outcome(SPOOLED, Status.FAILED, reason, message=f"{message}; {self.kept_in} keeps it")
        pending = self.shedding.listed()
        if self.spooled is not None:
            pending += self.spooled.give_up(kept)
            self.spooled.store_anew(pending)
        lost = [record for record in pending if record.place == NOT_STORED]
        self._pending.clear()
        self._dispatcher.clear()
        self._schedule.clear()
        self.settlement.settle(lost, dropped)
        self.settlement.settle([record for record in pending if record.place != NOT_STORED], kept)
        return len(lost)

    def pending_records(self) -> list[Record]:
        """Every record that has not settled, each stream in order."""
        return self._pending.records()

    def _expire(self, now: float) -> None:
        expired = self._expiry.take_out(now)
        if expired:
            self.settlement.settle(expired, EXPIRED)
            events = f"{counted(len(expired), 'event')} {agreeing(len(expired), 'was', 'were')}"
            text = f"{events} dropped, older than max_event_age"
            self._response_handler.note("WARNING", "expired", text)

    def is_hopeless(self, now: float) -> bool:
        """Whether a configuration fault stands, which only the user can mend, so that nobody waits."""
        link = self.link
        return link.is_faulted and link.state is LinkState.WAITING and now < link.until

    def refill(self, items: Sequence[Stored]) -> None:
        """Take in what was read from the store, after `spooled.wanted` asked for it."""
        assert self.spooled is not None  # noqa: S101 - nobody else reads
        self._expiry.expect(self.spooled.refill(items))

    def take_in(self, records: Sequence[Record]) -> None:
        """Take in what was read from the store that others fill, after `fed.wanted` asked for it."""
        assert self.fed is not None  # noqa: S101 - nobody else reads
        self._expiry.expect(self.fed.take_in(records))

    def count_pending(self, is_meant: Callable[[Record], bool]) -> int:
        """How many of the pending records are meant."""
        return sum(map(is_meant, self.pending_records()))

    # What the shell collects after each step.

    def take_notes(self) -> list[Note]:
        notes, self._response_handler.notes = self._response_handler.notes, []
        return notes

    def take_retried(self) -> list[Retried]:
        retried, self._response_handler.retried = self._response_handler.retried, []
        return retried

    def stats(self, now: float) -> Stats:
        """The ledger and the state of delivery, consistent with each other."""
        self.settle_unmade()
        flying = list(self._pending.flying())
        ledger = self.ledger
        heads = [*self._pending.heads(), *flying]
        oldest = min((record.logged_at for record in heads), default=now)
        # Logging threads wait for the guard, so it is held for nothing else.
        with self._guard:
            rear = 0 if self.spooled is None else len(self.spooled.rear)
            return msgspec.structs.replace(
                ledger.stats(),
                queued=len(self.queued) + ledger.on_disk + rear,
                waiting=self._pending.waiting,
                in_flight=len(flying),
                oldest_age=max(0.0, now - oldest),
                stalled=self.waits_for or None,
            )
