"""Rates of users and devices: what a 429 taught, or what `pace` sets from the start."""

from __future__ import annotations

from dataclasses import dataclass

# The server averages over a window that may not begin where ours does, hence below its threshold.
MARGIN = 0.9
# What a further 429 at the learned rate does to it.
PENALTY = 0.7
# Records of a paced stream are let go in lumps of up to this many seconds' worth, not one request each.
LUMP = 1.0
# After this long without a record, what was learned about an id is forgotten.
FORGET_AFTER = 600.0

Key = tuple[str, str | int]


@dataclass
class Gate:
    """One user's, device's or stream's leave to send."""

    closed_until: float = 0.0
    rate: float | None = None
    """Events per second; None: unlimited."""
    tokens: float = 0.0
    filled_at: float = 0.0
    used_at: float = 0.0

    def opens_at(self, now: float) -> float:
        """When the gate lets a record through: `now`, or later."""
        if now < self.closed_until:
            return self.closed_until
        if self.rate is None:
            return now
        self._fill(now)
        if self.tokens >= 1.0:
            return now
        burst = max(1.0, self.rate * LUMP)
        return now + (burst - self.tokens) / self.rate

    def _fill(self, now: float) -> None:
        assert self.rate is not None  # noqa: S101 - only paced gates have tokens
        start = max(self.filled_at, self.closed_until)
        if now > start:
            burst = max(1.0, self.rate * LUMP)
            self.tokens = min(burst, self.tokens + (now - start) * self.rate)
            self.filled_at = now

    def pass_one(self, now: float) -> None:
        self.used_at = now
        if self.rate is not None:
            self.tokens -= 1.0


class Pacer:
    """All gates. A record passes when the gates of its user, its device and its stream do."""

    def __init__(self, rate: float | None = None) -> None:
        self._rate = rate
        self._gates: dict[Key, Gate] = {}
        self._pruned_at = 0.0

    @property
    def is_active(self) -> bool:
        """Whether any record could be affected: otherwise nobody needs to ask."""
        return bool(self._gates) or self._rate is not None

    def throttle(self, key: Key, now: float, wait: float, threshold: float | None) -> None:
        """A 429 named `key`: nothing for `wait` seconds, then below `threshold` events per second."""
        gate = self._gates.setdefault(key, Gate(used_at=now))
        gate.closed_until = max(gate.closed_until, now + wait)
        gate.tokens = 0.0
        gate.used_at = now
        learned = threshold * MARGIN if threshold else None
        if gate.rate is not None:
            # It was throttled although it kept to a rate: that rate is too high here.
            slower = max(1.0, gate.rate * PENALTY)
            learned = slower if learned is None else min(slower, learned)
        gate.rate = learned

    def opens_at(self, keys: tuple[Key, ...], now: float) -> float:
        """When a record with these keys may go: `now`, or the latest of its gates' times."""
        time = now
        for key in keys:
            gate = self._gates.get(key)
            if gate is not None:
                time = max(time, gate.opens_at(now))
            elif self._rate is not None and key[0] != "stream":
                burst = max(1.0, self._rate * LUMP)
                self._gates[key] = Gate(rate=self._rate, tokens=burst, filled_at=now, used_at=now)
        return time

    def pass_one(self, keys: tuple[Key, ...], now: float) -> None:
        """Count a record through its gates."""
        for key in keys:
            gate = self._gates.get(key)
            if gate is not None:
                gate.pass_one(now)

    def prune(self, now: float) -> None:
        """Forget gates that have not been used for long; at most once a minute."""
        if now < self._pruned_at + 60.0:
            return
        self._pruned_at = now
        idle = FORGET_AFTER if self._rate is None else 60.0
        self._gates = {
            key: gate
            for key, gate in self._gates.items()
            if max(gate.used_at, gate.closed_until) + idle > now
        }
