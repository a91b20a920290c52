"""Rates of users and devices."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.core.rate_limits import FORGET_AFTER_SECONDS, MANY_LIMITS, RateLimits
from antinode._protocol.limits import RATE_WINDOW_SECONDS

KEYS = (("stream", 7), ("user", "u"), ("device", "d"))


def passes(rate_limits: RateLimits, keys: tuple[tuple[str, str | int], ...], now: float) -> bool:
    if rate_limits.opens_at(keys, now) > now:
        return False
    rate_limits.pass_one(keys, now)
    return True


def busiest_window(times: list[float]) -> int:
    """The largest number of `times` within any one of the server's windows."""
    window: deque[float] = deque()
    most = 0
    for time in times:
        window.append(time)
        while window[0] <= time - RATE_WINDOW_SECONDS:
            window.popleft()
        most = max(most, len(window))
    return most


def run(rate_limits: RateLimits, start: float, end: float, gaps: list[float]) -> list[float]:
    """When a crowd of records got through: it asks as soon as it may, and a while after that."""
    now, times, step = start, [], 0
    while now < end:
        while passes(rate_limits, KEYS, now):
            times.append(now)
        now = max(now + 0.001, rate_limits.opens_at(KEYS, now)) + gaps[step % len(gaps)]
        step += 1
    return times


@given(rate=st.sampled_from([0.5, 1.0, 3.3, 30.0]), gaps=st.lists(st.floats(0, 20), min_size=1, max_size=8))
def test_no_window_holds_more_than_the_pace(rate: float, gaps: list[float]) -> None:
    """Under `pace`, no 30 s hold more records of a user or device than 30 s times the rate."""
    times = run(RateLimits(rate), 100.0, 300.0, gaps)
    assert busiest_window(times) <= rate * RATE_WINDOW_SECONDS


def test_a_pace_is_made_use_of() -> None:
    """A steady crowd gets at least nine tenths of the pace through."""
    assert len(run(RateLimits(30.0), 0.0, 300.0, [0.0])) >= 0.9 * 30 * 300


def test_nobody_waits_before_the_first_throttling() -> None:
    """Without a pace and before any 429, no record is looked at."""
    assert not RateLimits().is_active
    assert RateLimits(30.0).is_active


def test_a_throttled_id_waits_and_then_keeps_below_the_threshold() -> None:
    """After a 429 nothing passes for the wait; from then on less than the threshold does."""
    rate_limits = RateLimits()
    rate_limits.throttle(("user", "u"), 0.0, 30.0, 30.0)
    assert rate_limits.opens_at(KEYS, 10.0) == 30.0
    times = run(rate_limits, 30.0, 200.0, [0.0])
    assert busiest_window(times) <= 0.9 * 30 * RATE_WINDOW_SECONDS
    assert len(times) >= 0.8 * 30 * 170


def test_without_a_threshold_only_the_wait_counts() -> None:
    """A 429 that names no threshold closes the rate limit, and leaves it wide open afterwards."""
    rate_limits = RateLimits()
    rate_limits.throttle(("device", "d"), 0.0, 30.0, None)
    assert not passes(rate_limits, KEYS, 29.9)
    assert all(passes(rate_limits, KEYS, 30.0) for _ in range(1000))


def test_uploads_refused_together_slow_down_once() -> None:
    """Several 429s within one wait are one piece of news about the rate; a later one is another."""
    rate_limits = RateLimits()
    for _ in range(4):
        rate_limits.throttle(("user", "u"), 0.0, 30.0, 100.0)
    limit = rate_limits._limits["user", "u"]
    assert limit.rate == 90.0
    rate_limits.throttle(("user", "u"), 40.0, 30.0, 100.0)
    assert limit.rate == pytest.approx(63.0)


def test_a_429_never_raises_a_rate() -> None:
    """A pace below one event a second is not raised by a 429, nor by the threshold it names."""
    rate_limits = RateLimits(0.5)
    assert passes(rate_limits, KEYS, 0.0)
    rate_limits.throttle(("user", "u"), 1.0, 30.0, 1000.0)
    assert rate_limits._limits["user", "u"].rate == 0.5


def test_a_throttled_id_keeps_its_pace() -> None:
    """With a pace set, a 429 that names no threshold slows the id down rather than freeing it."""
    rate_limits = RateLimits(30.0)
    rate_limits.throttle(("user", "u"), 0.0, 30.0, None)
    rate = rate_limits._limits["user", "u"].rate
    assert rate is not None
    assert rate < 30.0


def test_what_was_learned_is_forgotten_in_time() -> None:
    """Ten minutes after an id's last record nothing is known of it any more."""
    rate_limits = RateLimits()
    rate_limits.throttle(("user", "u"), 0.0, 30.0, 30.0)
    rate_limits.prune(29.0 + FORGET_AFTER_SECONDS)
    assert rate_limits.is_active
    rate_limits.prune(90.0 + FORGET_AFTER_SECONDS)
    assert not rate_limits.is_active


def test_gates_of_passers_by_do_not_pile_up() -> None:
    """Under a pace, ids that were seen once are forgotten as soon as they have their full leave again."""
    rate_limits = RateLimits(30.0)
    for number in range(5 * MANY_LIMITS):
        now = number / 10_000
        keys = (("user", f"u{number}"),)
        assert passes(rate_limits, keys, now)
        if not number % 1000:
            rate_limits.prune(now)
    assert len(rate_limits._limits) <= 2 * MANY_LIMITS
