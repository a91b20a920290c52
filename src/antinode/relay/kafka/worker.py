"""A worker: takes events from Kafka through the core to Amplitude, and commits what has ended.

One thread reads, commits and hears of rebalances. Each project has a sender with threads of its own, which
takes from `Holdings` what was read for it, and tells what has ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

import msgspec

from antinode._delivery.shell.feeder import Feeder
from antinode._delivery.shell.sender import Sender
from antinode._factory import make_sender
from antinode.relay.delivery import delivery_options, figures_of
from antinode.relay.figures import DeliveryFigures
from antinode.relay.kafka.client import Fetched, KafkaTrouble, PartitionOffset, RecordConsumer, RecordProducer
from antinode.relay.kafka.figures import PartitionFigures, partition_figures
from antinode.relay.kafka.holdings import Holdings, ProjectFeed
from antinode.relay.kafka.progress import UNKNOWN, Progress, read_progress
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.tenure import Tenure, tenure_of
from antinode.relay.kafka.topics import check_topics
from antinode.relay.kafka.write_queue import WriteQueue

if TYPE_CHECKING:
    from antinode._delivery.record import Record
    from antinode._delivery.shell.config import SenderConfig
    from antinode.relay.projects import Project, Projects

_log = logging.getLogger("antinode")

_FETCH_RECORDS: Final = 500
_FETCH_SECONDS: Final = 0.1
# While the buffer is full nothing is fetched; after so long partitions pause, so that the group hears of us.
_PAUSE_AFTER_SECONDS: Final = 2.0
_LOOK_AGAIN_SECONDS: Final = 0.02
_WRITE_SECONDS: Final = 5.0
_TRIES: Final = 40
_TRY_AGAIN_SECONDS: Final = 0.5

Asked = TypeVar("Asked")


class KafkaWorker:
    """Delivers what is in the topic, for as long as `run` runs."""

    def __init__(
        self,
        settings: KafkaSettings,
        projects: Projects,
        options: Mapping[str, Any] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        """`options` are those of `antinode.init` for delivery."""
        self._settings = settings
        self._clock = clock
        self._projects = {each.fingerprint: each for each in projects}
        self._options = {each: delivery_options(each, options or {}) for each in projects}
        self._unix_clock = unix_clock
        self._is_stopping = threading.Event()
        self._tenures: dict[int, Tenure] = {}
        """By partition, those that this worker has."""
        self._starts_at: dict[int, float] = {}
        """Partitions of which nothing is sent yet, and when that begins: others may be sending still."""
        self._reading: set[int] = set()
        """Partitions of which the parked events are read, too."""
        self._scanning: set[int] = set()
        """Partitions that wait until it is known which of their streams are parked."""
        self._senders: dict[str, Sender] = {}
        self._feeders: dict[str, Feeder] = {}
        self._commit_at = float("-inf")
        self._full_since: float | None = None
        self._is_paused = False
        self._has_begun = threading.Event()
        self.is_running = False
        """Whether `run` runs."""
        self.has_joined = False
        """Whether the group has told this worker which partitions it has, be it none."""
        self.went_round_at: float | None = None
        """When it last looked for news, by `clock`; None: it has not begun."""

    # For any thread.

    def stop(self) -> None:
        """Have `run` drain and return."""
        self._is_stopping.set()

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to."""
        return self._is_stopping.is_set()

    @property
    def buffered_bytes(self) -> int:
        """Of events that are fetched and not given to delivery."""
        return 0 if self.went_round_at is None else self._holdings.buffered_bytes

    @property
    def topic(self) -> str:
        """Where its events wait."""
        return self._settings.topic

    def wait_until_assigned(self, timeout: float) -> bool:
        """Wait until a partition was first given to this worker. Returns whether one was."""
        return self._has_begun.wait(timeout)

    def partitions(self) -> list[PartitionFigures]:
        """How far this worker is with each of its partitions."""
        return [partition_figures(each) for _, each in sorted(self._tenures.items())]

    def figures(self) -> Mapping[str, DeliveryFigures]:
        """How delivery stands, by the project's name."""
        return {
            self._projects[fingerprint].name: figures_of(sender)
            for fingerprint, sender in self._senders.items()
        }

    # The thread that runs.

    def run(self) -> None:
        """Deliver until `stop` is called.

        Raises `ConfigurationError` if the topics are not what they must be, `KafkaTrouble` for what does not
        pass by itself, and `WrongPartitions`. Nothing is lost by it: the next worker goes on from here.
        """
        self.is_running = True
        count = check_topics(self._settings)
        producer = RecordProducer(self._settings, timeout=0)
        self._writes = WriteQueue(producer)
        self._holdings = Holdings(
            self._settings,
            count,
            self._projects,
            send=self._writes.put,
            clock=self._clock,
            unix_clock=self._unix_clock,
            writer=uuid4().hex,
        )
        self._consumer = RecordConsumer(self._settings)
        self._reader = RecordConsumer(self._settings, is_member=False)
        try:
            for project in self._projects.values():
                self._start_sender(project)
            self._consumer.subscribe(self._settings.topic, self._assigned, self._revoked, self._lost)
            while not self._is_stopping.is_set():
                self._go_round()
        finally:
            self.is_running = False
            self._close()

    def _start_sender(self, project: Project) -> None:
        feed = self._holdings.feeds[project.fingerprint]
        feeder = Feeder(feed)
        options = self._options[project]

        def make(config: SenderConfig, *, clock: Callable[[], float], random: Callable[[], float]) -> Sender:
            core = msgspec.structs.replace(config.core, max_age=self._settings.max_event_age)
            changed = msgspec.structs.replace(config, core=core, feeder=feeder, on_failures=feed.bury)
            return Sender(changed, clock=clock, random=random)

        sender = make_sender(project.api_key, options, f"relay-{project.name}", make=make)
        feed.ring_for_news(sender.wake)
        self._feeders[project.fingerprint] = feeder
        self._senders[project.fingerprint] = sender
        self._request_timeout = options.request_timeout_millis / 1000
        sender.open_store()

    def _go_round(self) -> None:
        now = self.went_round_at = self._clock()
        self._start_due(now)
        if self._has_room(now):
            self._take(self._consumer.fetch(_FETCH_RECORDS, _FETCH_SECONDS))
        elif self._is_paused:
            self._take(self._consumer.fetch(1, _FETCH_SECONDS))
        else:
            self._is_stopping.wait(_LOOK_AGAIN_SECONDS)
        self._read_parked()
        self._writes.work()
        if now >= self._commit_at:
            self._commit_at = now + self._settings.commit_interval
            self._commit(self._tenures.values(), waits=False)

    def _has_room(self, now: float) -> bool:
        """Whether to fetch more; pauses the partitions if that has long been no, and resumes them after."""
        buffered, bound = self._holdings.buffered_bytes, self._settings.max_buffered_bytes
        if buffered < (bound // 2 if self._is_paused else bound):
            self._full_since = None
            if self._is_paused:
                self._is_paused = False
                self._consumer.resume(self._settings.topic, self._running())
            return True
        if self._full_since is None:
            self._full_since = now
        if not self._is_paused and now - self._full_since >= _PAUSE_AFTER_SECONDS:
            self._is_paused = True
            self._consumer.pause(self._settings.topic, self._running())
        return False

    def _running(self) -> list[int]:
        return [each for each in self._tenures if each not in self._starts_at and each not in self._scanning]

    def _take(self, records: Sequence[Fetched]) -> None:
        heard: dict[str, ProjectFeed] = {}
        for fetched in records:
            tenure = self._tenures.get(fetched.partition)
            if tenure is None:
                continue
            feed = self._holdings.add(tenure, fetched)
            if feed is not None:
                heard[feed.project] = feed
        for feed in heard.values():
            feed.ring()

    # What is parked.

    def _start_due(self, now: float) -> None:
        """Begin with the partitions whose last owners have nothing under way any more."""
        due = [partition for partition, at in self._starts_at.items() if at <= now]
        for partition in due:
            del self._starts_at[partition]
            parked = self._tenures[partition].parked
            assert parked is not None  # noqa: S101 - of a partition of events
            offset = parked.watermark.offset
            self._reader.assign([PartitionOffset(self._settings.parked_topic, partition, offset)])
            self._reading.add(partition)
            self._scanning.add(partition)
        self._end_scans()

    def _read_parked(self) -> None:
        if self._tenures and len(self._starts_at) < len(self._tenures):
            heard: dict[str, ProjectFeed] = {}
            moved: set[int] = set()
            for fetched in self._reader.fetch(_FETCH_RECORDS, 0):
                tenure = self._tenures.get(fetched.partition)
                parked = tenure.parked if tenure is not None else None
                if parked is None or fetched.partition in moved:
                    continue  # fetched before it was told to go elsewhere
                feed = self._holdings.add(parked, fetched)
                if feed is not None:
                    heard[feed.project] = feed
                if self._seek(parked):
                    moved.add(fetched.partition)
            for feed in heard.values():
                feed.ring()
        for tenure in self._tenures.values():
            if tenure.parked is not None and tenure.partition not in self._starts_at:
                self._seek(tenure.parked)
        self._end_scans()

    def _seek(self, parked: Tenure) -> bool:
        """Go back to what was passed over, if its lanes have room, or on again. Returns whether it did."""
        offset = self._holdings.seek(parked)
        if offset is None:
            return False
        self._reader.seek(self._settings.parked_topic, parked.partition, offset)
        return True

    def _end_scans(self) -> None:
        """Go on with partitions of which it is known by now what is parked."""
        known = [
            partition
            for partition in self._scanning
            if (parked := self._tenures[partition].parked) is not None
            and parked.lanes is not None
            and parked.lanes.is_scanned
        ]
        self._scanning.difference_update(known)
        if known and not self._is_paused:
            self._consumer.resume(self._settings.topic, known)

    # Commits.

    def _commit(self, tenures: Iterable[Tenure], *, waits: bool, is_released: bool = False) -> bool:
        """Commit what has changed. Returns whether that went well; it is tried again otherwise."""
        tenures = list(tenures)
        positions = self._holdings.commits(self._clock(), tenures, is_released=is_released)
        if not positions:
            return True
        try:
            self._consumer.commit(positions, waits=waits)
        except KafkaTrouble as error:
            _log.warning("antinode relay: Kafka took no commit: %s", error)
            self._holdings.commit_again(tenures)
            return False
        return True

    # Rebalances, in the midst of a fetch or of the end.

    def _assigned(self, partitions: Sequence[int]) -> None:
        settings, consumer = self._settings, self._consumer
        self.has_joined = True
        now = self._clock()
        committed = _trying(lambda: consumer.committed(settings.topic, partitions))
        parked = _trying(lambda: consumer.committed(settings.parked_topic, partitions))
        found = [
            (
                partition,
                *self._beginning(settings.topic, partition, last),
                *self._parked_beginning(partition, last_parked),
                last is None,
            )
            for partition, last, last_parked in zip(partitions, committed, parked, strict=True)
        ]
        # From here on nothing is asked, so that the partitions are this worker's as a whole or not at all.
        consumer.assign([PartitionOffset(settings.topic, partition, at[0]) for partition, at, *_ in found])
        consumer.pause(settings.topic, partitions)
        begun: list[Tenure] = []
        for partition, at, progress, parked_at, parked_until, is_new in found:
            tenure = self._tenures[partition] = self._holdings.begin(partition, at, parked_at, parked_until)
            begun.append(tenure)
            is_free = is_new or progress.is_released
            self._starts_at[partition] = now if is_free else now + self._request_timeout
        if partitions:
            # Before anything is sent: whoever comes next has to know that it may be under way.
            if not self._commit(begun, waits=True):
                raise KafkaTrouble("partitions were given to this worker, but it could not commit")
            _log.info("antinode relay: took over partitions %s", _listed(partitions))
            self._has_begun.set()

    def _beginning(
        self, topic: str, partition: int, last: PartitionOffset | None
    ) -> tuple[tuple[int, Progress], Progress]:
        low, _ = _trying(lambda: self._consumer.bounds(topic, partition))
        if last is None or last.offset < low:
            return (low, UNKNOWN), UNKNOWN if last is None else read_progress(last.text)
        progress = read_progress(last.text)
        return (last.offset, progress), progress

    def _parked_beginning(
        self, partition: int, last: PartitionOffset | None
    ) -> tuple[tuple[int, Progress], int]:
        topic = self._settings.parked_topic
        low, high = _trying(lambda: self._consumer.bounds(topic, partition))
        if last is None or last.offset < low:
            return (low, UNKNOWN), high
        return (last.offset, read_progress(last.text)), high

    def _revoked(self, partitions: Sequence[int]) -> None:
        """Let go in good order: what is under way is waited for, then everything is committed."""
        tenures = self._let_go(partitions)
        numbers = self._holdings.stop_giving(tenures)
        is_drained = self._drain(numbers)
        # Of those that still waited for the owner before, nobody knows whether that has ended.
        waited = [each for each in tenures if each.partition in self._starts_at]
        self._commit(waited, waits=True)
        rest = [each for each in tenures if each.partition not in self._starts_at]
        self._commit(rest, waits=True, is_released=is_drained)
        self._unassign([each.partition for each in tenures], numbers)
        if partitions:
            _log.info("antinode relay: gave back partitions %s", _listed(partitions))

    def _lost(self, partitions: Sequence[int]) -> None:
        """Forget partitions that are others' already: they wait for what is under way here, and we cannot."""
        tenures = self._let_go(partitions)
        numbers = self._holdings.stop_giving(tenures)
        self._give_back(numbers)
        self._unassign([each.partition for each in tenures], numbers)
        _log.warning("antinode relay: lost partitions %s", _listed(partitions))

    def _let_go(self, partitions: Sequence[int]) -> list[Tenure]:
        return [self._tenures.pop(each) for each in partitions if each in self._tenures]

    def _unassign(self, partitions: Sequence[int], numbers: set[int]) -> None:
        reading = self._reading.intersection(partitions)
        for partition in partitions:
            self._starts_at.pop(partition, None)
            self._scanning.discard(partition)
            self._reading.discard(partition)
        self._holdings.forget(numbers)
        self._consumer.unassign(self._settings.topic, partitions)
        if reading:
            self._reader.unassign(self._settings.parked_topic, reading)

    def _give_back(self, numbers: set[int]) -> None:
        for sender in self._senders.values():
            sender.give_back(lambda record: tenure_of(record.place) in numbers)

    def _drain(self, numbers: set[int]) -> bool:
        """Wait until nothing of these tenures is under way. Returns whether that came about in time."""
        end = self._clock() + self._settings.drain_timeout

        def is_meant(record: Record) -> bool:
            return tenure_of(record.place) in numbers

        self._give_back(numbers)
        try:
            return self._wait_for_ends(is_meant, end)
        except KafkaTrouble as error:
            _log.warning("antinode relay: partitions are given back with something under way: %s", error)
            return False

    def _wait_for_ends(self, is_meant: Callable[[Record], bool], end: float) -> bool:
        while any(sender.count_pending(is_meant) for sender in self._senders.values()):
            if self._clock() >= end:
                return False
            self._writes.work(_LOOK_AGAIN_SECONDS)
        for feeder in self._feeders.values():
            feeder.settle_up()
        while len(self._writes):
            if self._clock() >= end:
                return False
            self._writes.work(_LOOK_AGAIN_SECONDS)
        return True

    def _close(self) -> None:
        try:
            # Its partitions are revoked in the midst of this.
            self._consumer.close()
        finally:
            for sender in self._senders.values():
                sender.shutdown(0)
            self._reader.close()
            self._writes.close(_WRITE_SECONDS)


def _trying(ask: Callable[[], Asked]) -> Asked:
    """What the brokers say, asked a few times: in a rebalance there may be trouble that passes."""
    for _ in range(_TRIES - 1):
        try:
            return ask()
        except KafkaTrouble:
            time.sleep(_TRY_AGAIN_SECONDS)
    return ask()


def _listed(partitions: Sequence[int]) -> str:
    return ", ".join(map(str, partitions)) or "none"
