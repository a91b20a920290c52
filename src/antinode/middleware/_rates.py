"""Middleware that lets through a share of the users, or so many events of each."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256

from antinode import ConfigurationError, Middleware, MiddlewareNext, MiddlewarePayload
from antinode.middleware._events import is_number, named, texts, type_finder, user_of

_WHOLE = 1 << 64


def sample(rate: float | Mapping[str, float], *, salt: str = "") -> Middleware:
    """Lets through the events of a share of the users, the same users always, in every process.

    `rate` is a share from 0 to 1, or a dict of shares by event type, in which `*` stands for anything; types
    that it does not name are let through whole. "$identify" and "$groupidentify" are let through unless they
    are named, since later events rely on what they set. The hash of the user's id, or of the device's where
    there is none, decides. Another `salt` picks other users. What is not in the sample ends as skipped.
    """
    rates = dict(rate) if isinstance(rate, Mapping) else {"*": rate}
    for name, share in rates.items():
        if not (is_number(share) and 0 <= share <= 1):
            raise ConfigurationError(
                f"the rate of sample() for {name!r:.60} must be from 0 to 1, not {share!r:.40}"
            )
    bounds = {name: round(share * _WHOLE) for name, share in rates.items()}
    find = type_finder(bounds)
    start = sha256(f"{salt}\0".encode())

    def middleware(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        event = payload.event
        event_type = event.get("event_type")
        name = find(event_type)
        is_change = event_type in ("$identify", "$groupidentify")
        if name is not None and not (is_change and name != event_type):
            digest = start.copy()
            digest.update(user_of(event).encode("utf-8", "surrogatepass"))
            if int.from_bytes(digest.digest()[:8], "big") >= bounds[name]:
                return
        next(payload)

    return named(middleware, "sample")


def rate_limit(
    most: int,
    *,
    per_seconds: float = 60.0,
    event_types: Iterable[str] = ("*",),
    users: int = 100_000,
    clock: Callable[[], float] = time.monotonic,
) -> Middleware:
    """Lets through `most` events of each user at once, and as many again in each `per_seconds`.

    A token bucket per user, or per device where there is no user. `event_types`, in which `*` stands for
    anything, are those that are counted. Buckets are kept of the `users` seen last. What is over the limit
    ends as skipped. `clock` is for tests.
    """
    for name, number in (("most", most), ("users", users)):
        if not (is_number(number) and number >= 1 and number == int(number)):
            raise ConfigurationError(f"{name} must be a whole number from 1, not {number!r:.40}")
    if not (is_number(per_seconds) and 0 < per_seconds < math.inf):
        raise ConfigurationError(f"per_seconds must be a number above 0, not {per_seconds!r:.40}")
    find = type_finder(texts(event_types, "event types to limit"))
    buckets = _Buckets(most, most / per_seconds, users, clock)

    def middleware(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        event = payload.event
        if find(event.get("event_type")) is None or buckets.take(user_of(event)):
            next(payload)

    return named(middleware, "rate_limit")


class _Buckets:
    """What each user may still log, and when that was so."""

    def __init__(self, most: int, per_second: float, users: int, clock: Callable[[], float]) -> None:
        self._most = float(most)
        self._per_second = per_second
        self._users = users
        self._clock = clock
        # Re-entrant: a signal handler may log while its thread counts.
        self._lock = threading.RLock()
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, user: str) -> bool:
        with self._lock:
            now = self._clock()
            left, since = self._held.pop(user, (self._most, now))
            left = min(self._most, left + max(0.0, now - since) * self._per_second)
            may = left >= 1.0
            self._held[user] = (left - 1.0 if may else left, now)
            if len(self._held) > self._users:
                self._held.popitem(last=False)
        return may
