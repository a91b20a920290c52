"""The books: how many events came in, how each ended, and what is still under way."""

# No postponed annotations: `public` would have to evaluate them one by one.
from collections.abc import Mapping, Sequence

import msgspec

from antinode._delivery.epoch import Epoch
from antinode._delivery.outcome import DELIVERED, DROPPED, REJECTED, SPOOLED, Outcome
from antinode._delivery.record import Record
from antinode._public import public
from antinode._speedups import compiled


@public
class Report(msgspec.Struct, frozen=True):
    """What became of the events that a flush or shutdown covers: those logged since the last complete one."""

    delivered: int = 0
    rejected: int = 0
    dropped: int = 0
    pending: int = 0
    """Not settled when the time was over; they go on being delivered, except after a shutdown."""
    spooled: int = 0
    """After a shutdown: left in the spool, for the next process to deliver."""

    @property
    def complete(self) -> bool:
        """Whether everything had settled."""
        return self.pending == 0


@public
class Stats(msgspec.Struct, frozen=True):
    """A client's books at one instant.

    `accepted == delivered + all rejected + all dropped + spooled + pending`, always.

    Events that were never meant to be sent (opted out, held back by a middleware, …) are `skipped`; they are
    not among the accepted. Counts are since `init`, or since the fork in a forked child.
    """

    accepted: int = 0
    """Logged, or taken over from a process that died."""
    recovered: int = 0
    """Those among the accepted that another process had left in the spool."""
    delivered: int = 0
    rejected: Mapping[str, int] = msgspec.field(default_factory=dict)
    """By reason: refused by our checks or by the server, for what the event is."""
    dropped: Mapping[str, int] = msgspec.field(default_factory=dict)
    """By reason: given up by us."""
    spooled: int = 0
    """Left in the spool at the end, for the next process to deliver."""
    skipped: Mapping[str, int] = msgspec.field(default_factory=dict)
    """By reason."""
    queued: int = 0
    """Waiting for their first upload."""
    waiting: int = 0
    """Waiting to be sent again, or behind a throttled or busy user or device."""
    in_flight: int = 0
    """In a request that has not been answered."""
    pending_bytes: int = 0
    """Encoded size of everything queued, waiting and in flight, in memory or in the spool alone."""
    on_disk: int = 0
    """Those among the queued that are in the spool alone, to be read when their turn comes."""
    requests: int = 0
    retries: int = 0
    """Requests that carried events which had been sent before."""
    bytes_sent: int = 0
    """Request bodies before compression."""
    discrepancies: int = 0
    """Events that a 2xx does not vouch for: left out of `events_ingested`, or answered in another form than
    Amplitude's (an empty body, other JSON, a web page)."""
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
        ended = self.delivered + sum(self.rejected.values()) + sum(self.dropped.values()) + self.spooled
        return self.accepted == ended + self.pending


@compiled
class Counts:
    """The counts that logging changes, of events and of bytes; the compiled twin is `native/counts.c`.

    `unmade` counts events for which there was no memory, until they are settled; `on_disk` those of the
    pending that are in a store alone.
    """

    __slots__ = ("accepted", "on_disk", "on_disk_bytes", "pending", "pending_bytes", "unmade")

    def __init__(self) -> None:
        self.accepted = 0
        self.pending = 0
        self.pending_bytes = 0
        self.unmade = 0
        self.on_disk = 0
        self.on_disk_bytes = 0


class Ledger(Counts):
    """Counts, and nothing but counts. Its owner guards it; see `Core`."""

    __slots__ = (
        "_open",
        "bytes_sent",
        "delivered",
        "discrepancies",
        "dropped",
        "epoch",
        "last_error",
        "recovered",
        "rejected",
        "requests",
        "retries",
        "skipped",
        "spooled",
    )

    def __init__(self) -> None:
        super().__init__()
        self.recovered = 0
        self.delivered = 0
        self.spooled = 0
        self.rejected: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.skipped: dict[str, int] = {}
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

    @property
    def oldest(self) -> Epoch:
        """The first epoch that has not been reported complete."""
        return self._open[0]

    def settle(self, outcome: Outcome, count: int) -> None:
        """Count `count` events, which need not be pending, under the outcome's kind and reason."""
        kind = outcome.kind
        if kind == DELIVERED:
            self.delivered += count
        elif kind == REJECTED:
            self.rejected[outcome.reason] = self.rejected.get(outcome.reason, 0) + count
        elif kind == DROPPED:
            self.dropped[outcome.reason] = self.dropped.get(outcome.reason, 0) + count
        elif kind == SPOOLED:
            self.spooled += count
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

    def count_recovered(self, epoch: Epoch, count: int, size: int) -> None:
        """Count records that were read from a store: they are this process's, and a flush waits for them."""
        epoch.accepted += count
        self.accepted += count
        self.recovered += count
        self.pending += count
        self.pending_bytes += size

    def oldest_on_disk(self, count: int) -> tuple[Epoch, int]:
        """The epoch of the oldest record that is in the spool alone, and how many of `count` are in it."""
        epoch = next((epoch for epoch in self._open if epoch.on_disk), None)
        return (self.epoch, count) if epoch is None else (epoch, min(count, epoch.on_disk))

    def settle_on_disk(self, kind: str) -> None:
        """Count in each epoch that what is in the spool alone has ended in this way."""
        for epoch in self._open:
            epoch.settle(kind, epoch.on_disk)
            epoch.on_disk = 0

    def pending_until(self, index: int) -> int:
        """How many events of the epochs up to `index` have not settled."""
        return sum(epoch.pending for epoch in self._open if epoch.index <= index)

    def recount(
        self, pending: Sequence[Record], leaving: Epoch | None, outcome: Outcome, *, accepted: int
    ) -> bool:
        """Make the counts agree with what is `pending` in memory.

        A difference comes from one event whose admission, or whose settling with this outcome, was
        interrupted. It was the settling if its epoch, `leaving`, is known.

        `accepted` is how many were accepted when `pending` was looked at. False, and nothing is changed, if
        more are by now.
        """
        if self.epoch not in self._open:
            self._open.append(self.epoch)
        on_disk = sum(epoch.on_disk for epoch in self._open)
        size = sum(len(record.body) for record in pending)
        epochs = [
            (epoch, sum(record.epoch is epoch for record in pending) + epoch.on_disk - epoch.pending)
            for epoch in self._open
        ]
        ended = self.delivered + sum(self.rejected.values()) + sum(self.dropped.values()) + self.spooled
        missing = accepted - ended - len(pending) - on_disk
        more = len(pending) + on_disk - self.pending
        more_bytes = size + self.on_disk_bytes - self.pending_bytes
        if self.accepted != accepted:
            return False
        # Only differences are applied from here on, so that what is logged between two of them is not lost.
        self.on_disk = on_disk
        self.pending += more
        self.pending_bytes += more_bytes
        for epoch, more in epochs:
            if epoch is leaving:
                epoch.settle(outcome.kind, -more)
            else:
                epoch.accepted += more
        if leaving is None:
            self.accepted -= missing
        else:
            self.settle(outcome, missing)
        return True

    def stats(self) -> Stats:
        """The counts without the state of delivery: everything pending counts as queued."""
        return Stats(
            accepted=self.accepted,
            recovered=self.recovered,
            delivered=self.delivered,
            rejected=dict(self.rejected),
            dropped=dict(self.dropped),
            spooled=self.spooled,
            skipped=dict(self.skipped),
            queued=self.pending,
            pending_bytes=self.pending_bytes,
            on_disk=self.on_disk,
            requests=self.requests,
            retries=self.retries,
            bytes_sent=self.bytes_sent,
            discrepancies=self.discrepancies,
            last_error=self.last_error,
        )

    def report(self, index: int) -> Report:
        """What became of the epochs up to `index`; those that are complete will not be reported again."""
        covered = [epoch for epoch in self._open if epoch.index <= index]
        self._open = [epoch for epoch in self._open if epoch.index > index or epoch.pending]
        return Report(
            delivered=sum(epoch.delivered for epoch in covered),
            rejected=sum(epoch.rejected for epoch in covered),
            dropped=sum(epoch.dropped for epoch in covered),
            pending=sum(epoch.pending for epoch in covered),
            spooled=sum(epoch.spooled for epoch in covered),
        )
