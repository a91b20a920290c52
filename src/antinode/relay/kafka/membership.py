"""A worker's place in the consumer group: which partitions it has, and what it commits of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from antinode.relay.kafka.client import (
    KafkaTrouble,
    PartitionOffset,
    PassingErrors,
    asking,
    client_config,
    confluent,
    made,
    topic_partition,
    trouble_of,
)
from antinode.relay.kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import Consumer

_log = logging.getLogger("antinode")

Partitions = Callable[[Sequence[int]], object]
"""Told of partitions that come or go."""


class GroupMember:
    """Takes part in the group, and reads nothing: whoever has a partition reads it by a consumer of its own.

    So partitions are taken at once, and what has to be asked of them is asked while the others go on. One
    thread calls it, and is the one that its rebalances and commits are told of, in the midst of `serve` and
    `leave`.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.topic
        self._on_committed: Callable[[KafkaTrouble | None], object] | None = None
        config: dict[str, Any] = {
            "group.id": settings.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "on_commit": self._committed,
            # Not the newer protocol: with it a static member that was killed and came back is refused.
            "group.protocol": "classic",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(settings.session_timeout * 1000),
            # By its answers a member hears of rebalances.
            "heartbeat.interval.ms": min(3000, max(100, int(settings.session_timeout * 1000 / 10))),
        }
        if settings.instance:
            config["group.instance.id"] = settings.instance
        self._consumer: Consumer = made(
            settings, lambda: confluent().Consumer(client_config(settings, config), logger=_log)
        )
        self._errors = PassingErrors()

    def join(
        self,
        on_assigned: Partitions,
        on_revoked: Partitions,
        on_lost: Partitions,
        on_committed: Callable[[KafkaTrouble | None], object],
    ) -> None:
        """Join the group. Partitions that are revoked or lost are the group's again once that returns.

        `on_committed` is told, once for each `commit`, whether it went well.
        """
        self._on_committed = on_committed

        def numbers(partitions: Sequence[Any]) -> list[int]:
            return sorted(each.partition for each in partitions)

        def assigned(consumer: Consumer, partitions: Sequence[Any]) -> None:
            kafka = confluent()
            # From an offset that need not be asked for, and then not read at all.
            consumer.incremental_assign(
                [kafka.TopicPartition(each.topic, each.partition, 0) for each in partitions]
            )
            consumer.pause(list(partitions))
            on_assigned(numbers(partitions))

        def going(hear: Partitions) -> Callable[[Consumer, Sequence[Any]], None]:
            def gone(consumer: Consumer, partitions: Sequence[Any]) -> None:
                try:
                    hear(numbers(partitions))
                finally:
                    consumer.incremental_unassign(list(partitions))

            return gone

        self._consumer.subscribe(
            [self._topic], on_assign=assigned, on_revoke=going(on_revoked), on_lost=going(on_lost)
        )

    def serve(self, seconds: float) -> None:
        """Hear of partitions and commits, for so many seconds at most.

        Raises `KafkaTrouble` for what does not pass by itself.
        """
        message = self._consumer.poll(seconds)
        if message is not None and (error := message.error()) is not None:
            self._errors.hear(error)

    def commit(self, positions: Sequence[PartitionOffset]) -> None:
        """Commit these positions. Raises `KafkaTrouble` if that does not even begin."""
        offsets = [topic_partition(each) for each in positions]
        asking(lambda: self._consumer.commit(offsets=offsets, asynchronous=True))

    def _committed(self, error: Any, partitions: Sequence[Any]) -> None:
        errors = [error, *(each.error for each in partitions or ())]
        if self._on_committed is not None:
            self._on_committed(next((trouble_of(each) for each in errors if each is not None), None))

    def commit_and_wait(self, positions: Sequence[PartitionOffset]) -> None:
        """Commit these positions and wait for it, a session's time at most. Raises `KafkaTrouble`."""
        offsets = [topic_partition(each) for each in positions]
        for each in asking(lambda: self._consumer.commit(offsets=offsets, asynchronous=False)):
            if each.error is not None:
                raise trouble_of(each.error)

    def leave(self) -> None:
        """Leave the group, telling of the partitions that go; one with an instance's name keeps its place."""
        self._consumer.close()
