"""Rates of users and devices: what a 429 taught, or what `pace` sets from the start."""

from __future__ import annotations

import msgspec

from antinode._protocol.limits import RATE_WINDOW_SECONDS

# The share of the server's threshold that is used, since its window may begin at another moment than ours.
MARGIN = 0.9
# A further 429 at the learned rate multiplies it by this.
PENALTY = 0.7
# Records of a paced stream go in lumps worth up to this much time, and not in a request each.
LUMP_SECONDS = 1.0
# What was learned about an id is forgotten after this long without a record of it.
FORGET_AFTER_SECONDS = 600.0
PRUNE_EVERY_SECONDS = 60.0
# Rate limits are pruned before their time when there are this many: most belong to ids long gone.
MANY_LIMITS = 50_000

Key = tuple[str, str | int]


class RateLimit(msgspec.Struct):
    """How fast one user, device or stream may send: a token bucket that may be closed for a while."""

    closed_until: float = 0.0
    rate: float | None = None
    """Events per second, averaged over the server's window; None: unlimited."""
    tokens: float = 0.0
    filled_at: float = 0.0
    used_at: float = 0.0

    def opens_at(self, now: float) -> float:
        """When the rate limit lets a record through: `now`, or later."""
        if now < self.closed_until:
            return self.closed_until
        if self.rate is None:
            return now
        self._fill(now, self.rate)
        if self.tokens >= 1.0:
            return now
        return now + (_burst(self.rate) - self.tokens) / _refill(self.rate)

    def _fill(self, now: float, rate: float) -> None:
        start = max(self.filled_at, self.closed_until)
        if now > start:
            self.tokens = min(_burst(rate), self.tokens + (now - start) * _refill(rate))
            self.filled_at = now

    def pass_one(self, now: float) -> None:
        self.used_at = now
        if self.rate is not None:
            self.tokens -= 1.0

    def is_needed(self, now: float, base: float | None) -> bool:
        """Whether the rate limit differs from a new one at the `base` rate."""
        if now < self.closed_until:
            return True
        if self.rate is not None and self.rate == base:
            self._fill(now, self.rate)
            return self.tokens < _burst(self.rate)
        return max(self.used_at, self.closed_until) + FORGET_AFTER_SECONDS > now


def _burst(rate: float) -> float:
    return max(1.0, rate * LUMP_SECONDS)


def _refill(rate: float) -> float:
    """Tokens per second with which a burst and the refill of a whole window together stay within the rate.

    Below four events a window there are none such; there the average over a long time stays within it.
    """
    return max(rate / 2, rate - _burst(rate) / RATE_WINDOW_SECONDS)


class RateLimits:
    """All rate limits. A record passes when the rate limits of its user, its device and its stream do."""

    def __init__(self, rate: float | None = None) -> None:
        self._rate = rate
        self._limits: dict[Key, RateLimit] = {}
        self._pruned_at = 0.0
        self._prune_size = MANY_LIMITS

    @property
    def is_active(self) -> bool:
        """Whether any record could be held back."""
        return bool(self._limits) or self._rate is not None

    def throttle(self, key: Key, now: float, wait: float, threshold: float | None) -> None:
        """A 429 named `key`: nothing for `wait` seconds, then below `threshold` events per second."""
        limit = self._limits.get(key)
        if limit is None:
            limit = self._limits[key] = RateLimit(rate=None if key[0] == "stream" else self._rate)
        learned = threshold * MARGIN if threshold else None
        if limit.rate is not None:
            slower = limit.rate
            # Uploads side by side are refused together: only the first refusal says anything about the rate.
            if now >= limit.closed_until:
                slower = max(min(1.0, limit.rate), limit.rate * PENALTY)
            learned = slower if learned is None else min(slower, learned)
        limit.rate = learned
        limit.closed_until = max(limit.closed_until, now + wait)
        limit.tokens = 0.0
        limit.used_at = now

    def limit(self, key: Key, now: float, rate: float) -> None:
        """Pace `key` at `rate` events per second from now on, unless it is paced already."""
        if key not in self._limits:
            self._limits[key] = RateLimit(rate=rate, filled_at=now, used_at=now)

    def opens_at(self, keys: tuple[Key, ...], now: float) -> float:
        """When a record with these keys may go: `now`, or the latest of its rate limits' times."""
        time = now
        for key in keys:
            limit = self._limits.get(key)
            if limit is not None:
                time = max(time, limit.opens_at(now))
            elif self._rate is not None and key[0] != "stream":
                burst = _burst(self._rate)
                self._limits[key] = RateLimit(rate=self._rate, tokens=burst, filled_at=now, used_at=now)
        return time

    def pass_one(self, keys: tuple[Key, ...], now: float) -> None:
        """Count a record through its rate limits."""
        for key in keys:
            limit = self._limits.get(key)
            if limit is not None:
                limit.pass_one(now)

    def prune(self, now: float) -> None:
        """Forget rate limits that are not needed any more: once a minute, or sooner when there are many."""
        if now < self._pruned_at + PRUNE_EVERY_SECONDS and len(self._limits) < self._prune_size:
            return
        self._limits = {key: limit for key, limit in self._limits.items() if limit.is_needed(now, self._rate)}
        self._pruned_at = now
        self._prune_size = max(MANY_LIMITS, 2 * len(self._limits))
