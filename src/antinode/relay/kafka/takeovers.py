"""Partitions on their way from the group to delivery, step by step and without waiting for any broker.

What was committed is asked for; that the partition has an owner is committed, before anything is sent, so
that whoever comes next knows that requests may be under way; if the last owner's may be, they are waited for;
where the parked partition ends is asked for; then what is parked is read, and at last the events.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from antinode.relay.kafka.client import Inquiry, KafkaTrouble, PartitionOffset
from antinode.relay.kafka.progress import UNKNOWN, Progress, read_progress
from antinode.relay.kafka.tenure import Tenure

_log = logging.getLogger("antinode")

# How long the brokers have for an answer, how long whoever asks them is waited for, and when they are asked
# again after none.
ASK_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 15.0
ASK_AGAIN_SECONDS: Final = 1.0

Committed = dict[tuple[str, int], PartitionOffset]
Bounds = dict[int, tuple[int, int]]
At = tuple[int, Progress]


class Asks(Protocol):
    """Who is asked."""

    def ask_committed(
        self, topics: Sequence[str], partitions: Sequence[int], seconds: float
    ) -> Inquiry[Committed]: ...

    def ask_bounds(self, topic: str, partitions: Sequence[int], seconds: float) -> Inquiry[Bounds]: ...

    def renew(self) -> None:
        """Ask by new connections from now on."""


class Stage(enum.Enum):
    """What a partition waits for."""

    ASKING = "what was committed"
    MARKING = "that it is committed whose it is"
    WAITING = "the last owner's requests"
    MEASURING = "where the parked partition ends"
    SCANNING = "what is parked"


class _Takeover:
    """One partition on its way."""

    def __init__(self, partition: int, begun: float) -> None:
        self.partition = partition
        self.begun = begun
        self.stage = Stage.ASKING
        self.starts_at = begun
        self.tenure: Tenure | None = None


class Takeovers:
    """All partitions on their way. One thread calls it."""

    def __init__(
        self,
        asks: Asks,
        topic: str,
        parked_topic: str,
        *,
        request_timeout: float,
        begin: Callable[[int, At, At], Tenure],
        begin_parked: Callable[[Tenure, int, int], object],
        begin_events: Callable[[Tenure], object],
    ) -> None:
        """`request_timeout`: how long requests of a last owner that has not let go may be under way.

        `begin` makes a tenure of a partition, from where it and its parked one begin; what it says has to be
        committed, and `marked` called then. `begin_parked` has the parked partition read, given its first
        offset and where the part that others have parked ends; `begin_events` has that of events read.
        """
        self._asks = asks
        self._topic = topic
        self._parked_topic = parked_topic
        self._request_timeout = request_timeout
        self._begin = begin
        self._begin_parked = begin_parked
        self._begin_events = begin_events
        self._under_way: dict[int, _Takeover] = {}
        self._committed: tuple[Inquiry[Committed], list[_Takeover]] | None = None
        self._bounds: tuple[Inquiry[Bounds], list[_Takeover]] | None = None
        self._ask_at = self._asked_at = float("-inf")
        self._trouble = ""

    def __contains__(self, partition: int) -> bool:
        return partition in self._under_way

    def __len__(self) -> int:
        return len(self._under_way)

    def has_begun(self, partition: int) -> bool:
        """Whether anything of this partition may have been sent."""
        takeover = self._under_way.get(partition)
        return takeover is None or takeover.stage is Stage.SCANNING

    def take(self, partitions: Iterable[int], now: float) -> None:
        """Begin with partitions."""
        for partition in partitions:
            self._under_way[partition] = _Takeover(partition, now)

    def let_go(self, partitions: Iterable[int]) -> None:
        """Take these partitions no further."""
        for partition in partitions:
            self._under_way.pop(partition, None)

    def marked(self, tenures: Iterable[Tenure]) -> None:
        """Hear that what these tenures said is committed."""
        known = set(map(id, tenures))
        for takeover in self._at(Stage.MARKING):
            if id(takeover.tenure) in known:
                takeover.stage = Stage.WAITING

    def _at(self, stage: Stage) -> list[_Takeover]:
        return [each for each in self._under_way.values() if each.stage is stage]

    def step(self, now: float) -> bool:
        """Go on as far as possible. Returns whether there is something new to be committed."""
        is_new = False
        try:
            is_new = self._hear_committed()
            self._hear_bounds()
            self._lose_patience(now)
        except KafkaTrouble as error:
            self._ask_at = now + ASK_AGAIN_SECONDS
            self._committed = self._bounds = None
            self._asks.renew()
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.warning("antinode relay: partitions wait for Kafka, which is asked again: %s", error)
        for takeover in self._at(Stage.WAITING):
            if takeover.starts_at <= now:
                takeover.stage = Stage.MEASURING
        if now >= self._ask_at:
            self._ask(now)
        self._end_scans()
        return is_new

    def _lose_patience(self, now: float) -> None:
        if (self._committed or self._bounds) and now - self._asked_at > PATIENCE_SECONDS:
            raise KafkaTrouble("it does not say what it was asked")

    def _ask(self, now: float) -> None:
        if self._committed is None and self._bounds is None:
            self._asked_at = now
        asking = self._at(Stage.ASKING)
        if asking and self._committed is None:
            topics = (self._topic, self._parked_topic)
            numbers = [each.partition for each in asking]
            self._committed = self._asks.ask_committed(topics, numbers, ASK_SECONDS), asking
        measuring = self._at(Stage.MEASURING)
        if measuring and self._bounds is None:
            numbers = [each.partition for each in measuring]
            self._bounds = self._asks.ask_bounds(self._parked_topic, numbers, ASK_SECONDS), measuring

    def _is_meant(self, takeover: _Takeover) -> bool:
        """Whether an answer is still of use: others may have had a partition that went and came back."""
        return self._under_way.get(takeover.partition) is takeover

    def _hear_committed(self) -> bool:
        if self._committed is None or not self._committed[0].is_answered:
            return False
        (inquiry, asked), self._committed = self._committed, None
        found = inquiry.answer()
        self._trouble = ""
        meant = [each for each in asked if self._is_meant(each)]
        for takeover in meant:
            last = found.get((self._topic, takeover.partition))
            at = _beginning(last)
            parked_at = _beginning(found.get((self._parked_topic, takeover.partition)))
            is_free = last is None or at[1].is_released
            takeover.starts_at = takeover.begun + (0.0 if is_free else self._request_timeout)
            takeover.tenure = self._begin(takeover.partition, at, parked_at)
            takeover.stage = Stage.MARKING
        return bool(meant)

    def _hear_bounds(self) -> None:
        if self._bounds is None or not self._bounds[0].is_answered:
            return
        (inquiry, asked), self._bounds = self._bounds, None
        found = inquiry.answer()
        self._trouble = ""
        for takeover in asked:
            if self._is_meant(takeover) and takeover.tenure is not None:
                takeover.stage = Stage.SCANNING
                self._begin_parked(takeover.tenure, *found[takeover.partition])

    def _end_scans(self) -> None:
        """Go on with partitions of which it is known by now what is parked."""
        for partition, takeover in list(self._under_way.items()):
            tenure = takeover.tenure
            if takeover.stage is not Stage.SCANNING or tenure is None or tenure.parked is None:
                continue
            lanes = tenure.parked.lanes
            if lanes is not None and lanes.is_scanned:
                del self._under_way[partition]
                self._begin_events(tenure)


def _beginning(last: PartitionOffset | None) -> At:
    """Where to begin, and what is known of what is beyond. What is gone by then is passed over in reading."""
    return (0, UNKNOWN) if last is None else (last.offset, read_progress(last.text, last.offset))
