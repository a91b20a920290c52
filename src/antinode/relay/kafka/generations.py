"""The generations of a relay's topics: a topic keeps its number of partitions, so more are a new topic.

The first is `NAME`, with the group `GROUP`; the next are `NAME.2` with `GROUP.2`, `NAME.3` with `GROUP.3`, …,
each with its own parked and dead topics. One at most is open, and is written to. All others are sealed: their
`max.message.bytes` is 1, so that the brokers take no record, whoever sends it.

A generation is opened once all brokers refuse records of the one before, and delivered once that one is
drained: so every event of an earlier generation is kept, and delivered, before any of a later one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from antinode._errors import ConfigurationError
from antinode.relay.kafka.client import KafkaTrouble
from antinode.relay.kafka.inspection import Inspector
from antinode.relay.kafka.settings import KafkaSettings

SEALED_BYTES: Final = 1
"""The `max.message.bytes` of a topic that takes no records."""


class Generation(msgspec.Struct, frozen=True):
    """One generation of topics."""

    number: int
    settings: KafkaSettings
    """The relay's settings with the topic and the group of this generation."""
    partitions: int
    is_sealed: bool

    @property
    def topic(self) -> str:
        """Its topic of events."""
        return self.settings.topic


def generation_settings(settings: KafkaSettings, number: int) -> KafkaSettings:
    """Those of a generation, for a relay with these settings."""
    if number == 1:
        return settings
    return msgspec.structs.replace(
        settings, topic=f"{settings.topic}.{number}", group=f"{settings.group}.{number}"
    )


def find_generations(settings: KafkaSettings, admin: Inspector) -> list[Generation]:
    """The generations that there are, the first one first. Raises `KafkaTrouble`."""
    later = re.compile(re.escape(settings.topic) + r"\.([2-9]|[1-9][0-9]+)")
    names = admin.topics()
    numbers = [int(found[1]) for each in names if (found := later.fullmatch(each))]
    if settings.topic in names:
        numbers.append(1)
    generations: list[Generation] = []
    for number in sorted(numbers):
        its = generation_settings(settings, number)
        facts = admin.facts(its.topic)
        if facts is not None:
            is_sealed = facts.max_message_bytes <= SEALED_BYTES
            generations.append(Generation(number, its, facts.partitions, is_sealed))
    return generations


def open_generation(settings: KafkaSettings, admin: Inspector) -> Generation:
    """The one that is written to.

    Raises `ConfigurationError` if there is no topic, or not with the `partitions` of the settings, and
    `KafkaTrouble` while none is open.
    """
    generations = find_generations(settings, admin)
    if not generations:
        raise no_topic(settings.topic)
    found = next((each for each in reversed(generations) if not each.is_sealed), None)
    if found is None:
        raise KafkaTrouble(
            f"topic {generations[-1].topic!r} is not open yet: `antinode relay grow` opens it; call that "
            "again if it has ended"
        )
    known = [each.partitions for each in generations if each.number <= found.number]
    if settings.partitions not in {None, *known}:
        raise ConfigurationError(
            f"topic {found.topic!r} has {found.partitions} partitions, not {settings.partitions}: they can "
            "never be changed, and `antinode relay grow` makes a topic with more"
        )
    return found


def no_topic(topic: str) -> ConfigurationError:
    """What is wrong if a topic does not exist."""
    return ConfigurationError(
        f"Kafka has no topic {topic!r}: `antinode relay topics` makes the topics of a relay"
    )


def generation_to_deliver(settings: KafkaSettings, admin: Inspector) -> Generation:
    """The first one that is not over. Raises `ConfigurationError` if there is none, and `KafkaTrouble`."""
    generations = find_generations(settings, admin)
    if not generations:
        raise no_topic(settings.topic)
    first = _last_begun(generations, admin)
    left = (at for at in range(first, len(generations)) if not _is_over(generations, at, admin))
    return generations[next(left, -1)]


def _last_begun(generations: Sequence[Generation], admin: Inspector) -> int:
    """Which is the last that workers have begun with: they do so when all before are over, of which the
    brokers may have forgotten by now what was committed."""
    for at in range(len(generations) - 1, 0, -1):
        its = generations[at]
        if any(admin.committed(its.settings.group, its.topic, its.partitions)):
            return at
    return 0


def _is_over(generations: Sequence[Generation], at: int, admin: Inspector) -> bool:
    """Whether nothing more will be in a generation, and all that was in it has ended."""
    return _has_ended(generations, at) and is_drained(generations[at], admin)


def _has_ended(generations: Sequence[Generation], at: int) -> bool:
    """Whether nobody can write to a generation any more: the next one is open, or was."""
    if not generations[at].is_sealed or at + 1 >= len(generations):
        return False
    return not generations[at + 1].is_sealed or at + 2 < len(generations)


def is_drained(generation: Generation, admin: Inspector) -> bool:
    """Whether all that is in a generation has ended, as far as was committed. Raises `KafkaTrouble`."""
    its = generation.settings
    # The events first: what they become parked events of is there by then.
    return all(
        low == high or (at is not None and at.offset >= high)
        for topic in (its.topic, its.parked_topic)
        for (low, high), at in zip(
            admin.bounds(topic, generation.partitions),
            admin.committed(its.group, topic, generation.partitions),
            strict=True,
        )
    )
