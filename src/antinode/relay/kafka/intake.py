"""The intake of the front: events are kept once all copies in sync have them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
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
_PROBE_SECONDS: Final = 2.0


class _Call:
    """One call of `keep`: how many of its records are under way, and what became of them."""

    __slots__ = ("future", "left", "why")

    def __init__(self, future: asyncio.Future[None], left: int) -> None:
        self.future = future
        self.left = left
        self.why: str | None = None


class KafkaIntake:
    """An `Intake` that writes to Kafka, one record for each partition that a request has events of."""

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
        head = RecordHead(project.fingerprint, int(self._clock() * 1000), self._partitions)
        records = list(self._records(events))
        call = _Call(self._loop.create_future(), len(records))
        self._waiting += 1
        try:
            self._produce(producer, call, headers_of(head), records)
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

    def _records(self, events: Sequence[KeptEvent]) -> Iterator[tuple[int, bytes]]:
        """The records of a call, each with its partition."""
        by_partition: dict[int, list[KeptEvent]] = defaultdict(list)
        for event in events:
            by_partition[partition_of(event.stream, self._partitions)].append(event)
        for partition, together in by_partition.items():
            for part in in_records(together):
                yield partition, pack([event.stream for event in part], [event.body for event in part])

    def _produce(
        self,
        producer: RecordProducer,
        call: _Call,
        headers: Sequence[tuple[str, bytes]],
        records: Sequence[tuple[int, bytes]],
    ) -> None:
        def told(why: str | None, _: int = 0) -> None:
            # Calls back come on the thread that serves, refusals on that of the loop.
            with self._telling:
                call.why = call.why or why
                call.left -= 1
                if not call.left:
                    self._done.append(call)

        for at, (partition, value) in enumerate(records):
            try:
                producer.produce(self._settings.topic, partition, value, headers, told)
            except KafkaTrouble as error:
                for _ in range(at, len(records)):
                    told(str(error))
                self._resolve()
                return

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
