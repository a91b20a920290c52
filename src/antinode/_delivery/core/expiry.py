"""Events that are too old to be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antinode._delivery.outcome import DROPPED, Outcome
from antinode._delivery.record import Record
from antinode._protocol.status import Status

if TYPE_CHECKING:
    from antinode._delivery.core.pending import Pending

# Waiting records are looked through for expired ones at most this often.
EXPIRE_EVERY_SECONDS = 1.0

EXPIRED = Outcome(
    DROPPED, Status.FAILED, "expired", message="older than max_event_age before it could be sent"
)


class Expiry:
    """Finds the records that wait for a request and are older than `max_age` seconds; None: none ever is."""

    def __init__(self, pending: Pending, max_age: float | None) -> None:
        self._pending = pending
        self._max_age = max_age
        self.due_at = float("inf") if max_age is None else float("-inf")
        """When the next record may expire."""

    def take_out(self, now: float) -> list[Record]:
        """Take the expired records out of those that wait."""
        max_age = self._max_age
        if max_age is None or now < self.due_at:
            return []
        limit = now - max_age
        expired = self._pending.remove(lambda record: record.logged_at < limit)
        # Whatever is logged from here on is younger than `now`.
        oldest = min((record.logged_at for record in self._pending.heads()), default=now)
        self.due_at = max(min(oldest, now) + max_age, now + min(EXPIRE_EVERY_SECONDS, max_age))
        return expired

    def expect(self, oldest: float) -> None:
        """Hear that records wait again, the oldest of which was logged at this time."""
        if self._max_age is not None:
            self.due_at = min(self.due_at, oldest + self._max_age)
