"""Limits kept from the start, in simulated time."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._delivery.core.rate_limits import RateLimits
from antinode._importing.pacing import ProjectRate, UserRates
from antinode._protocol.limits import RATE_WINDOW_SECONDS
from tests.examples import examples


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.integers(0, 80), min_size=1, max_size=40), st.sampled_from(["user", "device"]))
def test_no_window_holds_more_than_the_limit(arrivals: list[int], kind: str) -> None:
    """However many events of an id come up each second, in no 30 seconds more leave than the limit allows."""
    limit = 20.0
    rate_limits = RateLimits()
    rates = UserRates(limit, rate_limits)
    keys = ((kind, "one"),)
    waiting, left = 0, []
    for second in range(len(arrivals) + 60):
        for tick in range(10):
            now = second + tick / 10
            if tick == 0 and second < len(arrivals):
                rates.count(kind, ["one"] * arrivals[second])
                waiting += arrivals[second]
                rates.apply(now, is_moving=True)
            while waiting and rate_limits.opens_at(keys, now) <= now:
                rate_limits.pass_one(keys, now)
                waiting -= 1
                left.append(now)
    for position, start in enumerate(left):
        assert bisect_left(left, start + RATE_WINDOW_SECONDS) - position <= limit * RATE_WINDOW_SECONDS


def test_those_below_the_limit_cost_no_gate() -> None:
    """As long as nobody passes the limit, the core paces nobody, and has nothing to look up."""
    rate_limits = RateLimits()
    rates = UserRates(100, rate_limits)
    for second in range(10):
        rates.count("user", [f"user-{n}" for n in range(1000)] + ["busy"] * 90 + [None] * 500)
        rates.apply(float(second), is_moving=True)
    assert not rate_limits.is_active
    rates.count("user", ["busy"] * 91)
    rates.apply(9.5, is_moving=True)
    assert rate_limits.is_active


def test_what_piles_up_in_an_outage_counts_together() -> None:
    """While nothing leaves, seconds add up: what will leave at once afterwards is over the limit."""
    rate_limits = RateLimits()
    rates = UserRates(100, rate_limits)
    rates.apply(0.0, is_moving=True)
    for second in range(1, 3):
        rates.count("user", ["busy"] * 60)
        rates.apply(float(second), is_moving=False)
    assert rate_limits.is_active


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 2000)), min_size=1, max_size=50))
def test_requests_of_a_project_are_spread(requests: list[tuple[float, int]]) -> None:
    """Each request starts when those before it have used up their time at the limit, and not later."""
    rate, now, free = ProjectRate(1000), 0.0, 0.0
    for pause, events in requests:
        now += pause
        start = rate.start_at(now, events)
        assert start == max(now, free)
        free = start + events / 900
