"""What the brokers say of topics and groups to somebody who takes no part in them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from antinode.relay.kafka.client import KafkaAdmin, PartitionOffset, asking


class Member(msgspec.Struct, frozen=True):
    """A worker in a group, as the brokers know it."""

    name: str
    """Its `--instance`, or the name that the brokers gave it."""
    partitions: Sequence[int]
    """Those that it has of the topic."""


class Inspector(KafkaAdmin):
    """Asks how far a group is, besides. Every question may raise `KafkaTrouble`."""

    def topics(self) -> list[str]:
        """The names of all topics."""
        return list(asking(lambda: self._admin.list_topics(timeout=self._seconds)).topics)

    def bounds(self, topic: str, partitions: int) -> list[tuple[int, int]]:
        """Of each partition the first offset there is, and the next there will be."""
        found = self.ask_bounds(topic, range(partitions), self._seconds).answer()
        return [found[each] for each in range(partitions)]

    def committed(self, group: str, topic: str, partitions: int) -> list[PartitionOffset | None]:
        """What a group has committed, by partition; None: nothing."""
        asked = self.ask_committed([topic], range(partitions), self._seconds, group=group)
        found = asked.answer()
        return [found.get((topic, each)) for each in range(partitions)]

    def members(self, group: str, topic: str) -> list[Member]:
        """Who is in a group, with what each has of a topic."""
        answers = self._admin.describe_consumer_groups([group], request_timeout=self._seconds)
        return [
            Member(
                each.group_instance_id or each.member_id,
                sorted(one.partition for one in each.assignment.topic_partitions if one.topic == topic),
            )
            for each in asking(answers[group].result, self._seconds).members
        ]
