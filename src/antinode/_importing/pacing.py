"""Limits that are kept before the server has to say so: of one user or device, and of the project."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from antinode._delivery.core.rate_limits import MARGIN, Key, RateLimits

# Events of one user are counted over this many seconds, the span whose events the core lets go at once.
_SECOND: Final = 1.0


class UserRates:
    """Counts the events of each user and device by the second, and has the core pace those over the limit.

    Nearly all users of nearly all files stay below, and cost a count each; only for the others does the core
    keep a rate limit. What leaves in any window of the server's is then within it: up to the first second in
    which it is passed there were less each second, and from then on the core counts.
    """

    def __init__(self, limit: float, rate_limits: RateLimits) -> None:
        """`limit` is in events a second."""
        self._limit = limit * MARGIN
        self._most = max(1, int(self._limit * _SECOND))
        self._rate_limits = rate_limits
        self._counts: dict[str, dict[str, int]] = {"user": {}, "device": {}}
        self._until = 0.0
        self._hot: set[Key] = set()

    def count(self, kind: str, ids: Iterable[str | None]) -> None:
        """Events of these users, or devices, are about to be admitted."""
        counts, most = self._counts[kind], self._most
        for id in ids:
            if id is not None:
                count = counts[id] = counts.get(id, 0) + 1
                if count > most:
                    self._hot.add((kind, id))

    def apply(self, now: float, *, is_moving: bool) -> None:
        """Begin a new second if it is time. While nothing leaves, what piles up counts together."""
        if self._hot:
            for key in self._hot:
                self._rate_limits.limit(key, now, self._limit)
            self._hot.clear()
        if now >= self._until and is_moving:
            for counts in self._counts.values():
                counts.clear()
            self._until = now + _SECOND


class ProjectRate:
    """When a request with so many events may start, so that the project stays within its limit."""

    def __init__(self, limit: float) -> None:
        """`limit` is in events a second."""
        self._limit = limit * MARGIN
        self._free_at = float("-inf")

    def start_at(self, now: float, events: int) -> float:
        """Count a request, and say when it may start: `now`, or later."""
        start = max(now, self._free_at)
        self._free_at = start + events / self._limit
        return start
