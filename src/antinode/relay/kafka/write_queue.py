"""What a worker writes to Kafka itself: parked events and dead letters, in order, whatever the brokers do."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from antinode.relay.kafka.client import KafkaTrouble, RecordProducer


class Outgoing(msgspec.Struct, frozen=True):
    """A record to be written."""

    topic: str
    partition: int
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    then: Callable[[], object]
    """Called once it is written."""


class WriteQueue:
    """Any thread puts records in; one thread writes them, and calls back.

    A record that the brokers refuse for good ends all writing: what came after it in its partition must not
    be there without it. Whoever reads the worker's partitions next then finds everything unended.
    """

    def __init__(self, producer: RecordProducer) -> None:
        self._producer = producer
        self._waiting: deque[Outgoing] = deque()
        self._counting = threading.Lock()
        self._under_way = 0
        self._failure: str | None = None

    def put(self, outgoing: Outgoing) -> None:
        """Have a record written. Does not wait."""
        self._waiting.append(outgoing)

    def __len__(self) -> int:
        """How many records are not written."""
        return len(self._waiting) + self._under_way

    def work(self, seconds: float = 0.0) -> None:
        """Write what is there, and call back for what was written. Raises `KafkaTrouble` after a refusal."""
        while self._waiting and self._failure is None:
            outgoing = self._waiting[0]
            try:
                self._producer.produce(
                    outgoing.topic,
                    outgoing.partition,
                    outgoing.value,
                    outgoing.headers,
                    self._teller(outgoing),
                )
            except KafkaTrouble:
                break  # no room: it has some when others are written
            self._waiting.popleft()
            with self._counting:
                self._under_way += 1
        self._producer.serve(seconds)
        if self._failure is not None:
            raise KafkaTrouble(f"a record could not be written: {self._failure}")

    def _teller(self, outgoing: Outgoing) -> Callable[[str | None, int], object]:
        def told(why: str | None, _: int) -> None:
            with self._counting:
                self._under_way -= 1
            if why is None:
                outgoing.then()
            elif self._failure is None:
                self._failure = why

        return told

    def close(self, within: float) -> None:
        """Wait for what is under way, `within` seconds at most."""
        self._producer.close(within)
