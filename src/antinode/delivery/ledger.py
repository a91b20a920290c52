"""The books: how many events came in, how each ended, and what is still under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from antinode.delivery.record import DELIVERED, DROPPED, REJECTED, Outcome


@dataclass(frozen=True)
class Report:
    """What became of the events that a flush or shutdown covers: those logged since the last complete one."""

    delivered: int = 0
    rejected: int = 0
    dropped: int = 0
    pending: int = 0
    """Not settled when the time was over; they go on being delivered, except after a shutdown."""

    @property
    def complete(self) -> bool:
        """Whether everything had settled."""
        return self.pending == 0


@dataclass(frozen=True)
class Stats:
    """A client's books at one instant: `accepted == delivered + all rejected + all dropped + pending`.

    Events that were never meant to be sent (opted out, held back by a middleware, …) are `skipped`; they are
    not among the accepted. Counts are since `init`, or since the fork in a forked child.
    """

    accepted: int = 0
    delivered: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    """By reason: refused by our checks or by the server, for what the event is."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """By reason: given up by us."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """By reason."""
    queued: int = 0
    """Waiting for their first upload."""
    waiting: int = 0
    """Waiting to be sent again, or behind a throttled or busy user or device."""
    in_flight: int = 0
    """In a request that has not been answered."""
    pending_bytes: int = 0
    """Encoded size of everything queued, waiting and in flight."""
    requests: int = 0
    retries: int = 0
    """Requests that carried events which had been sent before."""
    bytes_sent: int = 0
    """Request bodies before compression."""
    discrepancies: int = 0
    """Events that an answer's `events_ingested` left out although the request was accepted."""
    oldest_age: float = 0.0
    """Seconds since the oldest pending event was logged."""
    last_error: str | None = None
    """What the last failed request was answered; kept after recovery."""
    stalled: str | None = None
    """Why uploading is paused (an outage, a project-wide throttle, a configuration fault), or None."""

    @property
    def pending(self) -> int:
        """Accepted and not settled."""
        return self.queued + self.waiting + self.in_flight

    @property
    def balanced(self) -> bool:
        """Whether the books balance. They always do; `False` would be a bug in antinode."""
        ended = self.delivered + sum(self.rejected.values()) + sum(self.dropped.values())
        return self.accepted == ended + self.pending


class Epoch:
    """The events logged between two flushes, counted by how they ended."""

    __slots__ = ("accepted", "delivered", "dropped", "index", "rejected")

    def __init__(self, index: int) -> None:
        self.index = index
        self.accepted = self.delivered = self.rejected = self.dropped = 0

    @property
    def pending(self) -> int:
        return self.accepted - self.delivered - self.rejected - self.dropped

    def settle(self, kind: str, count: int) -> None:
        if kind == DELIVERED:
            self.delivered += count
        elif kind == REJECTED:
            self.rejected += count
        else:
            self.dropped += count


class Ledger:
    """Counts, and nothing but counts. Its owner guards it; see `Core`."""

    def __init__(self) -> None:
        self.accepted = 0
        self.delivered = 0
        self.rejected: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.skipped: dict[str, int] = {}
        self.pending = 0
        self.pending_bytes = 0
        self.requests = 0
        self.retries = 0
        self.bytes_sent = 0
        self.discrepancies = 0
        self.last_error: str | None = None
        self.epoch = Epoch(0)
        self._open: list[Epoch] = [self.epoch]

    @property
    def has_one_epoch(self) -> bool:
        return len(self._open) == 1

    def settle(self, outcome: Outcome, count: int) -> None:
        """Count `count` events, which need not be pending, under the outcome's kind and reason."""
        kind = outcome.kind
        if kind == DELIVERED:
            self.delivered += count
        elif kind == REJECTED:
            self.rejected[outcome.reason] = self.rejected.get(outcome.reason, 0) + count
        elif kind == DROPPED:
            self.dropped[outcome.reason] = self.dropped.get(outcome.reason, 0) + count
        else:
            self.skipped[outcome.reason] = self.skipped.get(outcome.reason, 0) + count

    def close_epoch(self) -> int:
        """End the current epoch and return its index: all events accepted so far are in it or before it."""
        closed = self.epoch
        if closed.accepted == 0 and len(self._open) > 1:
            return self._open[-2].index
        self.epoch = Epoch(closed.index + 1)
        self._open.append(self.epoch)
        return closed.index

    def pending_until(self, index: int) -> int:
        """How many events of the epochs up to `index` have not settled."""
        return sum(epoch.pending for epoch in self._open if epoch.index <= index)

    def report(self, index: int) -> Report:
        """What became of the epochs up to `index`; those that are complete will not be reported again."""
        covered = [epoch for epoch in self._open if epoch.index <= index]
        self._open = [epoch for epoch in self._open if epoch.index > index or epoch.pending]
        return Report(
            delivered=sum(epoch.delivered for epoch in covered),
            rejected=sum(epoch.rejected for epoch in covered),
            dropped=sum(epoch.dropped for epoch in covered),
            pending=sum(epoch.pending for epoch in covered),
        )
