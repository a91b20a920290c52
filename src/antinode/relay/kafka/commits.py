"""What a worker commits: one commit at a time, without waiting for it, and again what was not taken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from antinode.relay.kafka.client import KafkaTrouble, PartitionOffset
from antinode.relay.kafka.holdings import Holdings
from antinode.relay.kafka.tenure import Tenure

_log = logging.getLogger("antinode")

_TOLD_FAILURES: Final = 3


class Commits(Protocol):
    """Whoever brings positions to the brokers."""

    def commit(self, positions: Sequence[PartitionOffset]) -> None: ...

    def commit_and_wait(self, positions: Sequence[PartitionOffset]) -> None: ...


class Committer:
    """Commits what has changed. One thread calls it."""

    def __init__(
        self,
        commits: Commits,
        holdings: Holdings,
        interval: float,
        marked: Callable[[Iterable[Tenure]], object],
    ) -> None:
        """`interval` is in seconds. `marked` is told of tenures that are committed as they were."""
        self._commits = commits
        self._holdings = holdings
        self._interval = interval
        self._marked = marked
        self._under_way: list[Tenure] | None = None
        self._next_at = float("-inf")
        self._failures = 0
        """In a row."""

    def hurry(self) -> None:
        """Commit the next time that there is occasion to."""
        self._next_at = float("-inf")

    def work(self, now: float, tenures: Iterable[Tenure]) -> None:
        """Commit what has changed of these, if it is time to and no commit is under way."""
        if self._under_way is not None or now < self._next_at:
            return
        self._next_at = now + self._interval
        tenures = list(tenures)
        positions = self._holdings.commits(now, tenures)
        if not positions:
            return
        self._under_way = tenures
        try:
            self._commits.commit(positions)
        except KafkaTrouble as error:
            self.told(error)

    def told(self, error: KafkaTrouble | None) -> None:
        """Hear what became of the commit under way."""
        tenures, self._under_way = self._under_way or [], None
        if error is None:
            self._failures = 0
            self._marked(tenures)
            return
        self._holdings.commit_again(tenures)
        # One alone is nothing: in a rebalance commits are refused.
        self._failures += 1
        if self._failures == _TOLD_FAILURES:
            _log.warning("antinode relay: Kafka took no commit, and will be asked again: %s", error)

    def commit_last(
        self, now: float, tenures: Sequence[Tenure], *, is_released: bool, goes_on: Callable[[], bool]
    ) -> None:
        """Commit what has changed of partitions that go, again while it `goes_on` and may help."""
        positions = self._holdings.commits(now, tenures, is_released=is_released)
        while positions:
            try:
                return self._commits.commit_and_wait(positions)
            except KafkaTrouble as error:
                if not error.passes or not goes_on():
                    # The next owner sends again what it does not know of, under the same insert_ids.
                    _log.warning("antinode relay: partitions go without a last commit: %s", error)
                    return None
        return None
