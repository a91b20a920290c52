"""The sender: takes records for delivery, and owns the parts that deliver them, threads and all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from antinode._delivery.core.core import Core
from antinode._delivery.core.forgetting import IsMeant, TakenOut
from antinode._delivery.core.response_handler import Note
from antinode._delivery.core.settlement import OUT_OF_MEMORY, SPOOL_FULL
from antinode._delivery.core.shedding import QUEUE_FULL
from antinode._delivery.ledger import Report, Stats
from antinode._delivery.outcome import DROPPED, Outcome
from antinode._delivery.record import INHERITED, NOT_STORED, Record, SpooledRecord
from antinode._delivery.shell.barriers import Barriers, RoomQueue
from antinode._delivery.shell.collector import Collector
from antinode._delivery.shell.config import SenderConfig
from antinode._delivery.shell.consent import ConsentDesk
from antinode._delivery.shell.coordinator import CHECK_EVERY_SECONDS, Coordinator
from antinode._delivery.shell.ending import Ending
from antinode._delivery.shell.exchange import Exchanger
from antinode._delivery.shell.keeper import Keeper
from antinode._delivery.shell.lifetime import Lifetime
from antinode._delivery.shell.locks import Locks
from antinode._delivery.shell.log_limiter import QUIET_SECONDS
from antinode._delivery.shell.notifier import Notifier
from antinode._delivery.shell.recovery import Recovery
from antinode._delivery.shell.waiters import Waiters
from antinode._delivery.shell.wakeup import Wakeup
from antinode._delivery.shell.works import Works
from antinode._locks import is_owned
from antinode._protocol.secrets import public_url
from antinode._protocol.status import Status
from antinode._speedups import slot

SHUT_DOWN = Outcome(DROPPED, Status.FAILED, "shutdown", message="logged after the client was shut down")
SHUT_DOWN_NOTE = "an event was logged after the client was shut down: dropped"


class Sender:
    """Delivers records with threads of its own: a coordinator drives the core, a few uploaders send.

    An exception in the middle of a call by the application is mended before it goes on: see `Recovery`.
    """

    is_tapped = False
    """Whether events end at a test's tap."""

    def __init__(
        self, config: SenderConfig, *, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self.config = config
        self._clock = clock
        self._random = random
        self.lifetime = Lifetime()
        self._spooler = config.spooler
        self.submit = self._submit
        """Take a record for delivery. Does not block, unless the queue is full and `overflow` is "block", or
        records are synced to disk one by one."""
        if self._spooler is not None:
            self.submit = self._submit_durably if config.is_strict else self._submit_stored
        self.has_store = self._spooler is not None
        self.make_record: type[Record] = Record if self._spooler is None else SpooledRecord
        self._build()

    def _build(self) -> None:
        """Make all parts, in this process."""
        config, spooler = self.config, self._spooler
        keeper: Keeper | None = spooler or config.feeder
        self._locks = locks = Locks()
        self.wakeup = Wakeup()
        self._core = core = Core(
            config.core,
            random=self._random,
            guard=locks.guard,
            store=spooler,
            feed=None if config.feeder is None else config.feeder.store,
            keeps_all=config.on_outcome is not None,
            keeps_failures=config.on_failures is not None,
        )
        quiet = 0.0 if config.is_debug else QUIET_SECONDS
        notifier = Notifier(config.on_outcome, config.on_retry, self._clock, quiet=quiet)
        self._works = works = Works(
            core=core,
            locks=locks,
            lifetime=self.lifetime,
            wakeup=self.wakeup,
            notifier=notifier,
            collector=Collector(core, locks, notifier, config.on_failures),
            barriers=Barriers(core, locks, self.lifetime, notifier, keeper),
            room=RoomQueue(),
            exchanger=Exchanger(
                config.make_transport,
                config.routes,
                headers=config.headers,
                clock=self._clock,
                desk=None if config.may_log is None else ConsentDesk(config.may_log, self._clock),
            ),
            recovery=Recovery(core, locks, self.wakeup, notifier, keeper, self._ring),
            keeper=keeper,
            clock=self._clock,
        )
        if keeper is not None:
            keeper.hear_of_ends(works.collector.take_ends)
        self._coordinator = Coordinator(
            works,
            config,
            close=self._close,
            settle_latecomers=self._settle_latecomers,
        )
        self._waiters = Waiters(works, self._coordinator)
        self._ending = Ending(works, self._coordinator, self._waiters)

    def renew_after_fork(self) -> None:
        """In a forked child: begin with nothing. What was pending is the parent's to deliver."""
        # Kept until the end: what the destructors of these log must find a sender that is renewed already.
        inherited = dict(vars(self))
        with suppress(Exception):
            self._works.exchanger.abandon()
        for record in self._core.pending_records():
            if record.outcome is None:
                record.outcome = INHERITED
        self.lifetime.renew_after_fork()
        if self._spooler is not None:
            self._spooler.renew_after_fork()
        self._build()
        inherited.clear()

    def open_store(self) -> None:
        """Open the store, and begin to deliver what others have left or will leave there."""
        self._coordinator.open_store()

    def layout(self) -> dict[str, Any]:
        """What the compiled path uses of this sender and its core."""
        spooled = self._core.spooled
        return {
            **self._core.layout(),
            "wakeup": self.wakeup,
            "threshold": slot(Wakeup, "threshold"),
            "lifetime": self.lifetime,
            "is_closed": slot(Lifetime, "is_closed"),
            "record_type": self.make_record,
            "record_epoch": slot(self.make_record, "epoch"),
            "submit": self.submit if self.has_store else None,
            "ring": self._ring,
            "overflow": self._overflow,
            "drop_unmade": self.drop_unmade,
            # With `strict`, logging waits for the disk, which is left to Python.
            "stored": None if spooled is None or self.config.is_strict else spooled.layout(self.make_record),
        }

    # What logging calls, on any thread.

    def _submit_stored(self, record: Record) -> None:
        try:
            self._submit(record)
            spooled = self._core.spooled
            if spooled is not None and spooled.failure is not None:
                # In an outage nothing else would wake the coordinator, which mends the store.
                self._ring()
        except BaseException:
            self._recover()
            raise

    def _submit_durably(self, record: Record) -> None:
        self._submit_stored(record)
        if record.place != NOT_STORED and self._spooler is not None:
            # A thread that holds what other threads need must not wait for them.
            self._spooler.wait_durable(record.place, alone=self._works.recovery.is_inside())

    def _submit(self, record: Record) -> None:
        try:
            core = self._core
            if self.lifetime.is_closed:
                self.refuse(record, SHUT_DOWN, SHUT_DOWN_NOTE)
            elif not core.admit(record):
                self._overflow(record)
            elif len(core.queued) >= self.wakeup.threshold:
                self._ring()
        except MemoryError:
            self._lack_memory(record)
        except BaseException:
            self._recover()
            raise

    def offer(self, records: Sequence[Record]) -> bool:
        """Take records, in their order, without a wait for the disk; whether there was room for all.

        Those before the first for which there is none are taken. The others settle in no way: they are left
        to the caller, as if they had never been offered.
        """
        core = self._core
        try:
            is_taken = not self.lifetime.is_closed and all(map(core.admit, records))
            if not is_taken or len(core.queued) >= self.wakeup.threshold:
                # It also mends a store that has failed.
                self._ring()
        except BaseException:
            self._recover()
            raise
        return is_taken

    def make_durable(self, record: Record) -> None:
        """Return once a record that the store has, and all before it, survive a power cut.

        Threads that wait together share one sync. Raises what the disk does.
        """
        if self._spooler is not None and record.place != NOT_STORED:
            self._spooler.make_durable(record.place)

    def drop_unmade(self) -> Record:
        """Settle an event for which there is no memory, without asking for any. Told by the coordinator."""
        record = self._core.settlement.drop_unmade()
        self._ring()
        return record

    def _lack_memory(self, record: Record) -> None:
        """Settle a record for whose queueing there was no memory; one that has a place in the store goes on.

        A MemoryError leaves no lock taken, but the ledger may be torn, which whoever decides next mends.
        """
        self._works.recovery.is_torn = True
        if record.place == NOT_STORED and record.outcome is None:
            record.outcome = OUT_OF_MEMORY
            self.drop_unmade()

    def refuse(self, record: Record, outcome: Outcome, note: str | None = None) -> None:
        """Settle a record that is not going to be sent, and have the coordinator tell about it."""
        try:
            self._refuse(record, outcome, note)
        except MemoryError:
            self._lack_memory(record)
        except BaseException:
            self._recover()
            raise

    def _refuse(self, record: Record, outcome: Outcome, note: str | None) -> None:
        is_heard = self._works.collector.hears_of_all
        self._core.settlement.refuse(record, outcome, is_kept=is_heard)
        if note is not None:
            self._works.notifier.add(notes=(Note("WARNING", outcome.reason, note),))
        if note is not None or is_heard:
            self._ring()

    def skip(self, record: Record, outcome: Outcome) -> None:
        """Settle a record that was never meant to be sent."""
        try:
            self._core.settlement.skip(record, outcome)
        except BaseException:
            self._recover()
            raise

    def say(self, level: str, key: str, text: str) -> None:
        """Have the coordinator log a line, rate-limited by `key`."""
        self._coordinator.say(level, key, text)

    def _ring(self) -> None:
        self._coordinator.ring()

    def _close(self) -> None:
        self._ending.close_now()

    def _settle_latecomers(self) -> None:
        self._ending.settle_latecomers()

    def _recover(self) -> None:
        self._works.recovery.recover()

    # When there is no room.

    def _overflow(self, record: Record) -> None:
        try:
            self._make_way(record)
        except MemoryError:
            self._lack_memory(record)
        except BaseException:
            self._recover()
            raise

    def _make_way(self, record: Record) -> None:
        policy = self.config.overflow
        # A signal handler or destructor that interrupted the core's own work must not wait for it.
        if policy == "drop_newest" or self._works.recovery.is_inside():
            self._drop_newest(record)
        elif policy == "block":
            self._wait_for_room(record)
        else:
            with self._locks.deciding:
                try:
                    admitted = self._core.shedding.make_room(len(record.body)) and self._core.admit(record)
                except BaseException:
                    # Before another thread can see half of the change.
                    self._core.shedding.mend()
                    raise
            if not admitted:
                self._drop_newest(record)
            self.say("WARNING", "queue_full", "the queue is full: the oldest events are dropped")

    def _drop_newest(self, record: Record) -> None:
        spooled = self._core.spooled
        if spooled is not None and spooled.is_full:
            self.refuse(record, SPOOL_FULL, "the spool is full: new events are dropped")
        else:
            self.refuse(record, QUEUE_FULL, "the queue is full: new events are dropped")

    def _wait_for_room(self, record: Record) -> None:
        coordinator = self._coordinator
        if len(record.body) > self.config.core.max_bytes or coordinator.needs_this_thread:
            self._drop_newest(record)
            return
        while not self.lifetime.is_closed:
            room = self._works.room.join()
            if self._core.admit(record):
                self._ring()
                return
            self._ring()
            if coordinator.ensure_thread():
                room.acquire(timeout=CHECK_EVERY_SECONDS)
            else:
                coordinator.drive(partial(room.acquire, blocking=False), self._clock() + CHECK_EVERY_SECONDS)
        self.refuse(record, SHUT_DOWN)

    # Waiting, and the end.

    def flush(self, timeout: float | None = None) -> Report:
        """Block until everything logged before has settled; see `Waiters.flush`."""
        return self._waiters.flush(timeout)

    def flush_later(self, then: Callable[[], object]) -> None:
        """Have `then` called once everything logged before has settled; see `Waiters.flush_later`."""
        self._waiters.flush_later(then)

    async def aflush(self, timeout: float | None = None) -> Report:
        """`flush` without blocking the event loop."""
        return await self._waiters.aflush(timeout)

    def shutdown(self, timeout: float) -> Report:
        """Send what is queued within `timeout` seconds, then end; see `Ending.shutdown`."""
        return self._ending.shutdown(timeout)

    async def ashutdown(self, timeout: float) -> Report:
        """`shutdown` without blocking the event loop."""
        return await self._ending.ashutdown(timeout)

    def finish(self, seconds: float) -> Report:
        """Do what `shutdown` does, for the process exits; see `Ending.finish`."""
        return self._ending.finish(seconds)

    def hurry(self) -> None:
        """Send what waits without delay: the end is near, but nobody waits yet."""
        with self._locks.deciding:
            if self._core.is_idle:
                return
            self._core.hurry(self._clock())
        self._ring()

    def wake(self) -> None:
        """Have the coordinator look at what there is to do, as when a store has news."""
        self._ring()

    def give_back(self, is_meant: Callable[[Record], bool]) -> int:
        """Leave records to another process that reads the same store. Returns how many are in requests.

        Those end as usual if their requests succeed; otherwise they are left to the other process, too.
        """
        with self._locks.deciding:
            in_flight = self._core.forgetting.give_back(is_meant)
        self._ring()
        return in_flight

    @property
    def fault(self) -> str:
        """Why the server takes nothing of this client's, which only the user can mend; "" while it does."""
        link = self._core.link
        return link.why if link.is_faulted else ""

    def set_aside(self, outcome: Outcome) -> int:
        """End whatever is in no request in this way. Returns how many."""
        with self._locks.deciding:
            count = self._core.forgetting.set_aside(outcome)
        self._ring()
        return count

    def count_pending(self, is_meant: Callable[[Record], bool]) -> int:
        """How many of the records that have not ended are meant."""
        with self._locks.deciding:
            return self._core.count_pending(is_meant)

    def stop_lingering(self) -> None:
        """Send without delay from now on, until this process ends."""
        with self._locks.deciding:
            self._core.stop_lingering(self._clock())
        self._ring()

    def forget(self, is_meant: IsMeant) -> tuple[TakenOut, int]:
        """Take out the records that are meant. Returns also how many of them living processes hold.

        Raises RuntimeError where it would wait for the very work that it interrupts, and what the disk does.
        """
        if self._works.recovery.is_inside():
            raise RuntimeError(
                "forget() was called by a signal handler or destructor in the midst of logging"
            )
        in_use = 0
        if self._spooler is None:
            with self._locks.deciding:
                taken = self._core.forgetting.take_out(is_meant)
        else:
            taken, in_use = self._spooler.forget(self._core, is_meant, self._locks.deciding)
        with self._locks.deciding:
            self._works.collector.collect()
        self._works.collector.bury()
        self._ring()
        return taken, in_use

    # What can be asked.

    def stats(self) -> Stats:
        """The ledger at this instant."""
        # A signal handler that interrupted logging holds the guard, and must not wait for `deciding` then.
        is_inside = is_owned(self._locks.deciding)
        if not self._locks.deciding.acquire(blocking=not is_owned(self._locks.guard)):
            return self._core.ledger.stats()
        try:
            if not is_inside:
                self._works.recovery.mend()
            return self._core.stats(self._clock())
        finally:
            self._locks.deciding.release()

    def unsettled(self) -> list[Record]:
        """What is pending in memory at this instant, each stream in order."""
        with self._locks.deciding:
            return [record for record in self._core.pending_records() if record.outcome is None]

    @property
    def unread_files(self) -> int:
        """How many files of ended processes hold events that are not counted yet."""
        return 0 if self._works.keeper is None else self._works.keeper.unread_files

    @property
    def throttled(self) -> int:
        """How many streams wait since their user or device is throttled."""
        with self._locks.deciding:
            return self._core.throttled

    @property
    def store_trouble(self) -> str:
        """Why the store takes no records, in words; "" while it does, as far as is known."""
        spooler, spooled = self._spooler, self._core.spooled
        if spooler is None or spooled is None:
            return ""
        trouble = spooler.trouble or spooled.failure
        if trouble is not None:
            return str(trouble)
        return "" if spooler.is_open and not spooled.is_failing else "the spool takes no events"

    @property
    def host(self) -> str:
        """Where uploads go, without path and credentials."""
        return (
            public_url(self.config.routes[self.config.core.endpoint].url)
            .partition("://")[2]
            .partition("/")[0]
        )

    @property
    def is_closed(self) -> bool:
        """Whether it has been shut down, to the end."""
        return self.lifetime.is_stopped
