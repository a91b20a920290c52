"""The topics of a relay: how they are made, and what they must be before anything is written to them."""

from __future__ import annotations

import time
from typing import Final

from antinode._errors import ConfigurationError
from antinode.relay.kafka.client import (
    LARGEST_RECORD_BYTES,
    KafkaAdmin,
    KafkaTrouble,
    PartitionOffset,
    RecordConsumer,
    TopicFacts,
)
from antinode.relay.kafka.generations import SEALED_BYTES, no_topic
from antinode.relay.kafka.records import UnreadableRecord, read_headers
from antinode.relay.kafka.settings import KafkaSettings

ENOUGH_COPIES: Final = 3
ENOUGH_IN_SYNC: Final = 2
# As long as Amplitude knows an insert_id; what fails may be looked at for longer.
_RETENTION_DAYS: Final = 7
_DEAD_RETENTION_DAYS: Final = 30
_DAY_MS: Final = 86_400_000
_LOOK_SECONDS: Final = 10.0
_LOOK_AGAIN_SECONDS: Final = 0.05


def make_topics(
    settings: KafkaSettings, partitions: int, replication: int = ENOUGH_COPIES, *, is_sealed: bool = False
) -> list[str]:
    """Make those of the three topics that do not exist. Returns their names. Raises `KafkaTrouble`.

    `is_sealed`: that of events takes no records for the time being.
    """
    admin = KafkaAdmin(settings)
    in_sync = max(1, min(ENOUGH_IN_SYNC, replication - 1))
    made: list[str] = []
    for topic, days in (
        (settings.topic, _RETENTION_DAYS),
        (settings.parked_topic, _RETENTION_DAYS),
        (settings.dead_topic, _DEAD_RETENTION_DAYS),
    ):
        if admin.facts(topic) is not None:
            continue
        config = {
            "min.insync.replicas": str(in_sync),
            "max.message.bytes": str(
                SEALED_BYTES if is_sealed and topic == settings.topic else LARGEST_RECORD_BYTES
            ),
            "retention.ms": str(days * _DAY_MS),
            "cleanup.policy": "delete",
            "unclean.leader.election.enable": "false",
        }
        admin.make(topic, partitions=partitions, replication=replication, config=config)
        made.append(topic)
    for topic in made:
        _wait_for(admin, topic)
    return made


def _wait_for(admin: KafkaAdmin, topic: str) -> None:
    """Return once the brokers tell of a topic, which they do a moment after they have made it."""
    end = time.monotonic() + _LOOK_SECONDS
    while not _is_told_of(admin, topic):
        if time.monotonic() > end:
            raise KafkaTrouble(f"topic {topic!r} was made, but the brokers do not tell of it")
        time.sleep(_LOOK_AGAIN_SECONDS)


def _is_told_of(admin: KafkaAdmin, topic: str) -> bool:
    try:
        return admin.facts(topic) is not None
    except KafkaTrouble:
        return False  # one broker knows it, and another does not yet


def check_topics(settings: KafkaSettings) -> int:
    """How many partitions the topic has.

    Raises `ConfigurationError` if the topics are not what the relay's promises depend on, and `KafkaTrouble`
    if the brokers do not say.
    """
    admin = KafkaAdmin(settings)
    found = {
        topic: admin.facts(topic) for topic in (settings.topic, settings.parked_topic, settings.dead_topic)
    }
    for topic, facts in found.items():
        if facts is None:
            raise no_topic(topic)
        _check_safety(settings, topic, facts)
    counts = {topic: facts.partitions for topic, facts in found.items() if facts is not None}
    partitions = counts[settings.topic]
    for topic, count in counts.items():
        if count != partitions:
            raise ConfigurationError(
                f"{topic!r} has {count} partitions and {settings.topic!r} {partitions}: they must have the "
                "same number"
            )
    if settings.partitions not in {None, partitions}:
        raise ConfigurationError(_changed(settings.topic, partitions, settings.partitions or 0))
    written = _written_for(settings, admin, partitions)
    if written not in {None, partitions}:
        raise ConfigurationError(_changed(settings.topic, partitions, written or 0))
    return partitions


def _check_safety(settings: KafkaSettings, topic: str, facts: TopicFacts) -> None:
    if not settings.allow_small_cluster:
        if facts.replication < ENOUGH_COPIES:
            raise ConfigurationError(
                f"topic {topic!r} has a partition with {facts.replication} of {ENOUGH_COPIES} copies: a "
                "broken disk could lose events, which --allow-small-cluster accepts"
            )
        if facts.min_insync < ENOUGH_IN_SYNC:
            raise ConfigurationError(
                f"topic {topic!r} has min.insync.replicas={facts.min_insync}, so that one broken disk could "
                f"lose events: set it to {ENOUGH_IN_SYNC}; --allow-small-cluster accepts that"
            )
    if SEALED_BYTES < facts.max_message_bytes < LARGEST_RECORD_BYTES:
        raise ConfigurationError(
            f"topic {topic!r} has max.message.bytes={facts.max_message_bytes}, too few for a large event: "
            f"set it to {LARGEST_RECORD_BYTES}"
        )


def _changed(topic: str, partitions: int, expected: int) -> str:
    return (
        f"topic {topic!r} has {partitions} partitions, and its events were written for {expected}: a user's "
        "events would be in two of them, out of order; `antinode relay grow` is the way to more"
    )


def _written_for(settings: KafkaSettings, admin: KafkaAdmin, partitions: int) -> int | None:
    """How many partitions the topic had for whoever wrote the last of its records; None: it has none."""
    bounds = admin.ask_bounds(settings.topic, range(partitions), settings.request_timeout).answer()
    filled = {partition: high for partition, (low, high) in bounds.items() if low < high}
    if not filled:
        return None
    consumer = RecordConsumer(settings)
    try:
        for partition, high in filled.items():
            consumer.assign([PartitionOffset(settings.topic, partition, high - 1)])
            for fetched in consumer.fetch(1, _LOOK_SECONDS):
                try:
                    return read_headers(fetched.headers).partitions
                except UnreadableRecord:
                    break
            consumer.unassign(settings.topic, [partition])
        return None
    finally:
        consumer.close()


__all__ = ["KafkaTrouble", "check_topics", "make_topics"]
