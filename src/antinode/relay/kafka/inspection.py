"""What the brokers say of topics and groups to somebody who takes no part in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from antinode.relay.kafka.client import Inquiry, KafkaAdmin, KafkaTrouble, PartitionOffset, asking

_ASK_AGAIN_SECONDS: Final = 0.2

_Answer = TypeVar("_Answer")


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
        found = self._asked(lambda: self.ask_bounds(topic, range(partitions), self._seconds))
        return [found[each] for each in range(partitions)]

    def committed(self, group: str, topic: str, partitions: int) -> list[PartitionOffset | None]:
        """What a group has committed, by partition; None: nothing."""
        found = self._asked(
            lambda: self.ask_committed([topic], range(partitions), self._seconds, group=group)
        )
        return [found.get((topic, each)) for each in range(partitions)]

    def members(self, group: str, topic: str) -> list[Member]:
        """Who is in a group, with what each has of a topic."""

        def ask() -> Inquiry[list[Member]]:
            answers = self._admin.describe_consumer_groups([group], request_timeout=self._seconds)
            return Inquiry(list(answers.values()), read, self._admin)

        def read(answers: list[Any]) -> list[Member]:
            return [
                Member(
                    each.group_instance_id or each.member_id,
                    sorted(one.partition for one in each.assignment.topic_partitions if one.topic == topic),
                )
                for each in answers[0].members
            ]

        return self._asked(ask)

    def _asked(self, ask: Callable[[], Inquiry[_Answer]]) -> _Answer:
        """What the brokers say, asked again for a while if what keeps them from it passes."""
        end = time.monotonic() + self._seconds
        while True:
            try:
                return ask().answer()
            except KafkaTrouble as error:
                if not error.passes or time.monotonic() > end:
                    raise
                time.sleep(_ASK_AGAIN_SECONDS)
