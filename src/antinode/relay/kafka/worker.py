"""A worker: takes events from Kafka through the core to Amplitude, and commits what has ended.

One thread reads, commits and hears of rebalances; it waits for no broker but when partitions go. Each project
has a sender with threads of its own, which takes from `Holdings` what was read for it, and tells what has
ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import msgspec

from antinode._delivery.outcome import DROPPED, Outcome
from antinode._delivery.shell.feeder import Feeder
from antinode._delivery.shell.sender import Sender
from antinode._factory import make_sender
from antinode._protocol.status import Status
from antinode.relay.delivery import delivery_options, figures_of
from antinode.relay.figures import DeliveryFigures
from antinode.relay.kafka.client import (
    Fetched,
    KafkaAdmin,
    KafkaTrouble,
    PartitionOffset,
    RecordConsumer,
    RecordProducer,
)
from antinode.relay.kafka.commits import Committer
from antinode.relay.kafka.figures import PartitionFigures, partition_figures
from antinode.relay.kafka.holdings import Holdings, ProjectFeed
from antinode.relay.kafka.membership import GroupMember
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.takeovers import At, Takeovers
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
_LOOK_AGAIN_SECONDS: Final = 0.02
_WRITE_SECONDS: Final = 5.0
_LOOK_FOR_FAULTS_SECONDS: Final = 1.0


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
        self._reading: set[tuple[str, int]] = set()
        """Partitions that are read, by topic."""
        self._seeks: dict[int, int] = {}
        """Parked partitions that are to be read from another offset on."""
        self._senders: dict[str, Sender] = {}
        self._feeders: dict[str, Feeder] = {}
        self._is_full = False
        self._looks_for_faults_at = float("-inf")
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
        self._request_timeout = max(each.request_timeout_millis for each in self._options.values()) / 1000
        self._reader = RecordConsumer(self._settings)
        self._member = GroupMember(self._settings)
        self._takeovers = Takeovers(
            KafkaAdmin(self._settings),
            self._settings.topic,
            self._settings.parked_topic,
            request_timeout=self._request_timeout,
            begin=self._begin,
            begin_parked=self._begin_parked,
            begin_events=self._begin_events,
        )
        self._committer = Committer(
            self._member, self._holdings, self._settings.commit_interval, self._takeovers.marked
        )
        try:
            for project in self._projects.values():
                self._start_sender(project)
            self._member.join(self._assigned, self._revoked, self._lost, self._committer.told)
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
        sender.open_store()

    def _go_round(self) -> None:
        now = self.went_round_at = self._clock()
        if self._reading and self._has_room():
            self._take(self._reader.fetch(_FETCH_RECORDS, _FETCH_SECONDS))
            self._member.serve(0)
        else:
            self._member.serve(_FETCH_SECONDS if self._is_full else _LOOK_AGAIN_SECONDS)
        self._seek()
        if self._takeovers.step(now):
            self._committer.hurry()
        self._set_aside(now)
        self._writes.work()
        self._committer.work(now, self._tenures.values())

    def _has_room(self) -> bool:
        """Whether to fetch more. While that is no, librdkafka reads ahead what it may, and then waits."""
        bound = self._settings.max_buffered_bytes
        self._is_full = self._holdings.buffered_bytes >= (bound // 2 if self._is_full else bound)
        return not self._is_full

    def _take(self, records: Sequence[Fetched]) -> None:
        heard: dict[str, ProjectFeed] = {}
        parked_topic = self._settings.parked_topic
        for fetched in records:
            tenure = self._tenures.get(fetched.partition)
            if tenure is not None and fetched.topic == parked_topic:
                tenure = None if fetched.partition in self._seeks else tenure.parked
            if tenure is None:
                continue  # fetched before it went, or was told to go elsewhere
            feed = self._holdings.add(tenure, fetched)
            if feed is not None:
                heard[feed.project] = feed
            if tenure.lanes is not None:
                self._look_where_to_read(tenure)
        for feed in heard.values():
            feed.ring()

    def _set_aside(self, now: float) -> None:
        """Have no project whose key is wrong hold up the others."""
        if now < self._looks_for_faults_at or len(self._senders) < 2:
            return
        self._looks_for_faults_at = now + _LOOK_FOR_FAULTS_SECONDS
        for fingerprint, sender in self._senders.items():
            feed = self._holdings.feeds[fingerprint]
            why = sender.fault
            if why and self._holdings.holds_up(feed):
                outcome = Outcome(DROPPED, Status.FAILED, "set_aside", message=why)
                count = sender.set_aside(outcome) + self._holdings.set_aside(feed, outcome)
                _log.error(
                    "antinode relay: %d events of project %s are dead letters, since other projects waited "
                    "for them: %s",
                    count,
                    self._projects[fingerprint].name,
                    why,
                )

    # What is parked.

    def _look_where_to_read(self, parked: Tenure) -> None:
        """Go back to what was passed over, if its lanes have room, or on again."""
        offset = self._holdings.seek(parked)
        if offset is not None:
            self._seeks[parked.partition] = offset

    def _seek(self) -> None:
        for tenure in self._tenures.values():
            if tenure.parked is not None and tenure.partition not in self._seeks:
                self._look_where_to_read(tenure.parked)
        for partition, offset in list(self._seeks.items()):
            try:
                self._reader.seek(self._settings.parked_topic, partition, offset)
            except KafkaTrouble:
                continue  # its broker is away: it is told again
            del self._seeks[partition]

    # Partitions come and go, in the midst of `serve` and of the end.

    def _assigned(self, partitions: Sequence[int]) -> None:
        self.has_joined = True
        self._takeovers.take(partitions, self._clock())
        if partitions:
            _log.info("antinode relay: was given partitions %s", _listed(partitions))

    def _begin(self, partition: int, at: At, parked_at: At) -> Tenure:
        tenure = self._tenures[partition] = self._holdings.begin(partition, at, parked_at)
        self._has_begun.set()
        return tenure

    def _begin_parked(self, tenure: Tenure, start: int, until: int) -> None:
        self._read(self._holdings.begin_parked(tenure, start, until))

    def _begin_events(self, tenure: Tenure) -> None:
        self._read(tenure)

    def _read(self, tenure: Tenure) -> None:
        self._reader.assign([PartitionOffset(tenure.topic, tenure.partition, tenure.watermark.offset)])
        self._reading.add((tenure.topic, tenure.partition))

    def _revoked(self, partitions: Sequence[int]) -> None:
        """Let go in good order: what is under way is waited for, then everything is committed."""
        end = self._clock() + self._settings.drain_timeout
        # Of those that have not begun nothing has changed: what the owner before has under way still may be.
        begun = [each for each in partitions if self._takeovers.has_begun(each)]
        tenures = self._let_go(partitions)
        numbers = self._holdings.stop_giving(tenures)
        is_drained = self._drain(numbers, end)
        self._committer.commit_last(
            self._clock(),
            [each for each in tenures if each.partition in begun],
            is_released=is_drained,
            goes_on=lambda: self._clock() < end,
        )
        self._holdings.forget(numbers)
        if partitions:
            _log.info("antinode relay: gave back partitions %s", _listed(partitions))

    def _lost(self, partitions: Sequence[int]) -> None:
        """Forget partitions that are others' already: they wait for what is under way here, and we cannot."""
        numbers = self._holdings.stop_giving(self._let_go(partitions))
        self._give_back(numbers)
        self._holdings.forget(numbers)
        _log.warning("antinode relay: lost partitions %s", _listed(partitions))

    def _let_go(self, partitions: Sequence[int]) -> list[Tenure]:
        """Read these partitions no longer. Returns the tenures of those that were begun with."""
        self._takeovers.let_go(partitions)
        for topic in (self._settings.topic, self._settings.parked_topic):
            read = [each for each in partitions if (topic, each) in self._reading]
            if read:
                self._reader.unassign(topic, read)
                self._reading.difference_update((topic, each) for each in read)
        for partition in partitions:
            self._seeks.pop(partition, None)
        return [self._tenures.pop(each) for each in partitions if each in self._tenures]

    def _give_back(self, numbers: set[int]) -> None:
        for sender in self._senders.values():
            sender.give_back(lambda record: tenure_of(record.place) in numbers)

    def _drain(self, numbers: set[int], end: float) -> bool:
        """Wait until nothing of these tenures is under way. Returns whether that came about in time."""

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
            self._member.leave()
        finally:
            for sender in self._senders.values():
                sender.shutdown(0)
            self._reader.close()
            self._writes.close(_WRITE_SECONDS)


def _listed(partitions: Sequence[int]) -> str:
    return ", ".join(map(str, partitions)) or "none"
