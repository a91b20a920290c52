"""The intake of the front: events are kept once all copies in sync have them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from antinode.relay.intake import IntakeHealth, IntakeStats, KeptEvent, NotKept
from antinode.relay.kafka.client import KafkaTrouble, RecordProducer
from antinode.relay.kafka.partitions import partition_of
from antinode.relay.kafka.records import RecordHead, headers_of, in_records, pack
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.topics import check_topics

if TYPE_CHECKING:
    from antinode.relay.projects import Project

_log = logging.getLogger("antinode")

RETRY_AFTER_SECONDS: Final = 2.0
_SERVE_SECONDS: Final = 0.2
# While requests are under way, those that come within this share records: one costs as much as many events.
_GATHER_SECONDS: Final = 0.005
_PROBE_SECONDS: Final = 2.0


class _Call:
    """One call of `keep`: how many of its records are under way, and what became of them."""

    __slots__ = ("events", "future", "left", "why")

    def __init__(self, future: asyncio.Future[None], events: Sequence[KeptEvent]) -> None:
        self.future = future
        self.events = events
        self.left = 0
        self.why: str | None = None


_Part = tuple[bytes, list[_Call]]
"""The value of a record, and the calls whose events it has."""


class KafkaIntake:
    """An `Intake` that writes to Kafka, one record for each partition that requests have events of."""

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` is that of Unix time."""
        self._settings = settings
        self._clock = clock
        self._partitions = 0
        self._producer: RecordProducer | None = None
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._trouble = ""
        self._probe_at = float("-inf")
        self._telling = threading.Lock()
        self._gathered: dict[str, list[_Call]] = {}
        """Calls that are kept together in a moment, by their projects' fingerprints."""
        self._done: list[_Call] = []
        """Calls of which all records have been told of."""
        self._kept_events = self._kept_bytes = self._refused_events = 0
        self._waiting = 0

    async def open(self) -> None:
        """Look at the topics, and begin to take events.

        Raises `ConfigurationError` if the topics are not what they must be, `KafkaTrouble` if nobody says.
        """
        self._loop = asyncio.get_running_loop()
        self._partitions = await asyncio.to_thread(check_topics, self._settings)
        self._producer = RecordProducer(self._settings, timeout=self._settings.keep_timeout)
        self._thread = threading.Thread(
            target=self._serve, args=(self._producer,), name="antinode-relay-kafka", daemon=True
        )
        self._thread.start()

    async def keep(self, project: Project, events: Sequence[KeptEvent]) -> None:
        producer = self._producer
        if producer is None:
            self._refused_events += len(events)
            raise NotKept(RETRY_AFTER_SECONDS, "Kafka is not open")
        if not events:
            return
        call = _Call(self._loop.create_future(), events)
        self._waiting += 1
        try:
            self._gather(project, call)
            await call.future
        finally:
            self._waiting -= 1
        if call.why is not None:
            self._probe_at = time.monotonic() + _PROBE_SECONDS
            self._trouble = call.why
            self._refused_events += len(events)
            raise NotKept(RETRY_AFTER_SECONDS, f"Kafka did not keep it: {call.why}")
        self._trouble = ""
        self._kept_events += len(events)
        self._kept_bytes += sum([len(event.body) for event in events])

    def _gather(self, project: Project, call: _Call) -> None:
        """Have a call kept together with those that come meanwhile: at once, if nothing is under way."""
        if not self._gathered:
            wait = _GATHER_SECONDS if self._waiting > 1 else 0.0
            self._loop.call_later(wait, self._keep_gathered)
        self._gathered.setdefault(project.fingerprint, []).append(call)

    def _keep_gathered(self) -> None:
        gathered, self._gathered = self._gathered, {}
        producer = self._producer
        for fingerprint, calls in gathered.items():
            if producer is None:
                for call in calls:
                    call.why = "Kafka is not open"
                with self._telling:
                    self._done += calls
                self._resolve()
                continue
            head = RecordHead(fingerprint, int(self._clock() * 1000), self._partitions)
            self._produce(producer, headers_of(head), self._records(calls))

    def _records(self, calls: Sequence[_Call]) -> list[tuple[int, bytes, list[_Call]]]:
        """The records of calls, each with its partition and whose events it has; counts them."""
        by_partition: dict[int, list[KeptEvent]] = defaultdict(list)
        owners: dict[int, list[tuple[int, _Call]]] = defaultdict(list)
        for call in calls:
            own: dict[int, list[KeptEvent]] = defaultdict(list)
            for event in call.events:
                own[partition_of(event.stream, self._partitions)].append(event)
            for partition, events in own.items():
                owners[partition].append((len(by_partition[partition]), call))
                by_partition[partition] += events
        records: list[tuple[int, bytes, list[_Call]]] = []
        for partition, together in by_partition.items():
            start = 0
            for part in in_records(together):
                stop = start + len(part)
                mine = _owning(owners[partition], start, stop)
                for call in mine:
                    call.left += 1
                value = pack([event.stream for event in part], [event.body for event in part])
                records.append((partition, value, mine))
                start = stop
        return records

    def _produce(
        self,
        producer: RecordProducer,
        headers: Sequence[tuple[str, bytes]],
        records: Sequence[tuple[int, bytes, list[_Call]]],
    ) -> None:
        by_partition: dict[int, deque[_Part]] = defaultdict(deque)
        for partition, value, calls in records:
            by_partition[partition].append((value, calls))
        for number, parts in by_partition.items():
            self._produce_first(producer, headers, number, parts)
        self._resolve()

    def _produce_first(
        self,
        producer: RecordProducer,
        headers: Sequence[tuple[str, bytes]],
        partition: int,
        parts: deque[_Part],
    ) -> None:
        """Produce the parts for one partition in turn: none is written if the one before it was not, or a
        user's later events would be there before the earlier ones that the client sends again."""
        value, calls = parts.popleft()

        def told(why: str | None, _: int = 0) -> None:
            self._tell(calls, why)
            if not parts:
                return
            if why is None:
                self._produce_first(producer, headers, partition, parts)
            else:
                for part in parts:
                    self._tell(part[1], why)

        try:
            producer.produce(self._settings.topic, partition, value, headers, told)
        except KafkaTrouble as error:
            told(str(error))

    def _tell(self, calls: Sequence[_Call], why: str | None) -> None:
        # Calls back come on the thread that serves, refusals on that of the loop.
        with self._telling:
            for call in calls:
                call.why = call.why or why
                call.left -= 1
                if not call.left:
                    self._done.append(call)

    def _serve(self, producer: RecordProducer) -> None:
        while not self._is_over:
            try:
                producer.serve(_SERVE_SECONDS)
            except Exception:
                _log.exception("antinode relay: the producer failed, and goes on")
                time.sleep(_SERVE_SECONDS)
            self._hand_over()
            if self._trouble and time.monotonic() >= self._probe_at:
                self._probe(producer)

    def _probe(self, producer: RecordProducer) -> None:
        """Look whether the brokers answer again: while they do not, nobody may be sending anything."""
        try:
            producer.probe(self._settings.topic, _PROBE_SECONDS)
        except KafkaTrouble as error:
            self._trouble = str(error)
        else:
            self._trouble = ""
        self._probe_at = time.monotonic() + _PROBE_SECONDS

    def _hand_over(self) -> None:
        if self._done:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits
                self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        with self._telling:
            done, self._done = self._done, []
        for call in done:
            if not call.future.done():
                call.future.set_result(None)

    async def close(self, within: float) -> None:
        """Take no more events, and wait for what is under way, `within` seconds at most."""
        producer = self._producer
        if producer is None or self._thread is None:
            return
        self._keep_gathered()
        self._producer = None
        self._is_over = True
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(producer.close, within)
        self._resolve()

    def health(self) -> IntakeHealth:
        if self._producer is None:
            return IntakeHealth(takes=False, why="Kafka is not open")
        if self._trouble:
            return IntakeHealth(takes=False, why=f"Kafka: {self._trouble}")
        return IntakeHealth(takes=True)

    def stats(self) -> IntakeStats:
        return IntakeStats(
            kept_events=self._kept_events,
            kept_bytes=self._kept_bytes,
            refused_events=self._refused_events,
            waiting=self._waiting,
        )


def _owning(owners: Sequence[tuple[int, _Call]], start: int, stop: int) -> list[_Call]:
    """Whose events are between these places; `owners` has where each one's begin, in order."""
    first = bisect_right(owners, start, key=lambda owner: owner[0]) - 1
    return [call for begin, call in owners[first:] if begin < stop]
