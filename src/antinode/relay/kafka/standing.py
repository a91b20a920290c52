"""How a relay on Kafka stands, by what is in its topics and what its workers have committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from antinode.relay.kafka.client import Fetched, PartitionOffset, RecordConsumer
from antinode.relay.kafka.generations import Generation, find_generations, generation_to_deliver
from antinode.relay.kafka.inspection import Inspector
from antinode.relay.kafka.progress import Figures, read_progress
from antinode.relay.kafka.records import UnreadableRecord, read_headers
from antinode.relay.kafka.settings import KafkaSettings

_LOOK_SECONDS: Final = 10.0
_FETCH_RECORDS: Final = 500
_NOTHING: Final = Figures(0, 0)


class PartitionStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How one partition stands, with what is parked of it."""

    topic: str
    partition: int
    behind: int
    """Records that have not ended as a whole, those included that nobody has read. A record has the events
    of one request that belong to the partition."""
    oldest_age_s: float | None
    """For how many seconds the oldest of its events has been kept, parked or not; None: there is none."""
    under_way: int
    """Events, from the first on that has not ended to the last that was read. This and the next three are as
    the worker has last committed them."""
    throttled: int
    """Throttled users or devices that wait in the worker's memory."""
    parked: int
    """Events of others that wait in the parked topic."""
    parked_streams: int
    """Those others: how many they are."""
    worker: str | None
    """Who has the partition; None: nobody."""


def kafka_standing(
    settings: KafkaSettings, *, clock: Callable[[], float] = time.time
) -> list[PartitionStanding]:
    """How all partitions stand, of each generation of topics that is not over.

    `clock` is that of Unix time. Raises `ConfigurationError` if there is no topic, and `KafkaTrouble`.
    """
    inspector = Inspector(settings)
    first = generation_to_deliver(settings, inspector).number
    return [
        each
        for generation in find_generations(settings, inspector)
        if generation.number >= first
        for each in _of_generation(generation, inspector, clock)
    ]


def _of_generation(
    generation: Generation, inspector: Inspector, clock: Callable[[], float]
) -> list[PartitionStanding]:
    its = generation.settings
    owners = {
        partition: each.name
        for each in inspector.members(its.group, its.topic)
        for partition in each.partitions
    }
    events = _Topic(its, its.topic, generation.partitions, inspector)
    parked = _Topic(its, its.parked_topic, generation.partitions, inspector)
    found: list[PartitionStanding] = []
    for partition in range(generation.partitions):
        oldest = [
            received for topic in (events, parked) if (received := topic.oldest_ms.get(partition)) is not None
        ]
        told, told_parked = events.figures(partition), parked.figures(partition)
        found.append(
            PartitionStanding(
                topic=its.topic,
                partition=partition,
                behind=events.behind(partition),
                oldest_age_s=max(0.0, clock() - min(oldest) / 1000) if oldest else None,
                under_way=told.events,
                throttled=told.streams,
                parked=told_parked.events,
                parked_streams=told_parked.streams,
                worker=owners.get(partition),
            )
        )
    return found


class _Topic:
    """What is to be known of a topic's partitions."""

    def __init__(self, settings: KafkaSettings, topic: str, partitions: int, inspector: Inspector) -> None:
        # What was committed first: the other way round something could be committed that is not there yet.
        self._committed = inspector.committed(settings.group, topic, partitions)
        self._bounds = inspector.bounds(topic, partitions)
        waiting = {each: self._first(each) for each in range(partitions) if self.behind(each)}
        self.oldest_ms = _received(settings, topic, waiting)
        """When the oldest record was received that has not ended as a whole, by partition."""

    def _first(self, partition: int) -> int:
        low, _ = self._bounds[partition]
        at = self._committed[partition]
        return low if at is None else max(low, at.offset)

    def behind(self, partition: int) -> int:
        """Records that have not ended as a whole."""
        return max(0, self._bounds[partition][1] - self._first(partition))

    def figures(self, partition: int) -> Figures:
        """What the worker has told with its last commit."""
        at = self._committed[partition]
        return _NOTHING if at is None else read_progress(at.text, at.offset).figures or _NOTHING


def _received(settings: KafkaSettings, topic: str, offsets: Mapping[int, int]) -> dict[int, int]:
    """When the records at these offsets were received, by partition; those that do not say are left out."""
    if not offsets:
        return {}
    found: dict[int, int] = {}
    left = set(offsets)
    reader = RecordConsumer(settings)
    try:
        reader.assign(PartitionOffset(topic, partition, offset) for partition, offset in offsets.items())
        end = time.monotonic() + _LOOK_SECONDS
        while left and time.monotonic() < end:
            for fetched in _firsts(reader.fetch(_FETCH_RECORDS, 0.2), left):
                left.discard(fetched.partition)
                reader.unassign(topic, [fetched.partition])
                try:
                    found[fetched.partition] = read_headers(fetched.headers).received_ms
                except UnreadableRecord:
                    continue
    finally:
        reader.close()
    return found


def _firsts(fetched: Sequence[Fetched], partitions: set[int]) -> list[Fetched]:
    """The first record of each of these partitions."""
    firsts: dict[int, Fetched] = {}
    for each in fetched:
        if each.partition in partitions:
            firsts.setdefault(each.partition, each)
    return list(firsts.values())
