"""A relay gets more partitions: the next generation of topics is made, and opened once the last is sealed.

Each step is found as it was left if it is called again, whatever ended it before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from antinode._errors import ConfigurationError
from antinode._protocol.words import counted
from antinode.relay.kafka.client import (
    LARGEST_RECORD_BYTES,
    KafkaTrouble,
    RecordProducer,
    is_too_large,
)
from antinode.relay.kafka.generations import (
    SEALED_BYTES,
    Generation,
    find_generations,
    generation_settings,
    no_topic,
)
from antinode.relay.kafka.inspection import Inspector
from antinode.relay.kafka.records import PROBE
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.topics import make_topics

_SEAL_SECONDS: Final = 60.0
_LOOK_AGAIN_SECONDS: Final = 0.1
_MAX_MESSAGE_BYTES: Final = "max.message.bytes"

Tell = Callable[[str], object]


def grow(
    settings: KafkaSettings,
    partitions: int,
    replication: int,
    tell: Tell = lambda _: None,
    *,
    despite_parked: bool = False,
) -> Generation:
    """Have a relay have so many partitions. Returns the generation that is open by then.

    `tell` hears of each step. It does not begin while events are parked, unless `despite_parked`: the new
    topic is not delivered before they are. While there is none open, fronts refuse events, about as long as
    the brokers take to hear of two changed settings. Raises `ConfigurationError` for a number that is not
    larger, and `KafkaTrouble`; then call it again.
    """
    admin = Inspector(settings)
    generations = find_generations(settings, admin)
    if not generations:
        raise no_topic(settings.topic)
    newest = generations[-1]
    if not newest.is_sealed:
        if newest.partitions == partitions:
            return newest
        if newest.partitions > partitions:
            raise ConfigurationError(
                f"topic {newest.topic!r} has {newest.partitions} partitions already: give a larger number"
            )
        if not despite_parked:
            _refuse_parked(newest, admin)
        generations.append(_make(settings, newest.number + 1, partitions, replication, tell))
    elif newest.partitions != partitions:
        raise ConfigurationError(
            f"topic {newest.topic!r} with {newest.partitions} partitions is about to be opened: finish that "
            "first, by calling this again with that number"
        )
    if len(generations) > 1:
        _seal(generations[-2], admin, tell)
    newest = generations[-1]
    make_topics(newest.settings, partitions, replication)
    admin.configure(newest.topic, {_MAX_MESSAGE_BYTES: str(LARGEST_RECORD_BYTES)})
    _wait_until_open(settings, newest, admin)
    tell(f"{newest.topic} is open")
    return Generation(newest.number, newest.settings, newest.partitions, is_sealed=False)


def _refuse_parked(generation: Generation, admin: Inspector) -> None:
    its = generation.settings
    bounds = admin.bounds(its.parked_topic, generation.partitions)
    committed = admin.committed(its.group, its.parked_topic, generation.partitions)
    left = sum(
        high - (low if at is None else max(low, at.offset))
        for (low, high), at in zip(bounds, committed, strict=True)
    )
    if left > 0:
        raise KafkaTrouble(
            f"{counted(left, 'record')} of throttled users wait in {its.parked_topic}, and nothing of a new "
            "topic would be delivered before they are: call this again later, or give --despite-parked"
        )


def _make(settings: KafkaSettings, number: int, partitions: int, replication: int, tell: Tell) -> Generation:
    its = generation_settings(settings, number)
    make_topics(its, partitions, replication, is_sealed=True)
    tell(f"{its.topic} is made, with {partitions} partitions")
    return Generation(number, its, partitions, is_sealed=True)


def _seal(generation: Generation, admin: Inspector, tell: Tell) -> None:
    """Have the brokers refuse records of this generation, and return once all of them do."""
    admin.configure(generation.topic, {_MAX_MESSAGE_BYTES: str(SEALED_BYTES)})
    tell(f"{generation.topic} is sealed")
    producer = RecordProducer(generation.settings, timeout=generation.settings.keep_timeout)
    taking = set(range(generation.partitions))
    failures: list[str] = []

    def tried(partition: int) -> Callable[[str | None, int], object]:
        def told(why: str | None, _: int) -> None:
            if why is not None and is_too_large(why):
                taking.discard(partition)
            elif why is not None:
                failures.append(why)

        return told

    end = time.monotonic() + _SEAL_SECONDS
    try:
        while taking:
            if time.monotonic() > end:
                why = failures[-1] if failures else "some take them"
                raise KafkaTrouble(f"not all brokers refuse records of {generation.topic!r} yet: {why}")
            for partition in sorted(taking):
                producer.produce(generation.topic, partition, b"", PROBE, tried(partition))
            producer.flush(generation.settings.keep_timeout)
            if taking:
                time.sleep(_LOOK_AGAIN_SECONDS)
    finally:
        producer.close(1.0)
    tell(f"no broker takes records of {generation.topic} any more")


def _wait_until_open(settings: KafkaSettings, generation: Generation, admin: Inspector) -> None:
    end = time.monotonic() + _SEAL_SECONDS
    while find_generations(settings, admin)[-1].is_sealed:
        if time.monotonic() > end:
            raise KafkaTrouble(f"the brokers do not tell that {generation.topic!r} is open")
        time.sleep(_LOOK_AGAIN_SECONDS)
