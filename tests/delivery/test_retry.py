"""Retry policies."""

from __future__ import annotations

from antinode._delivery.retry import Backoff, Response, RetryPolicy, Schedule
from antinode._protocol.status import Status

FAILED = Response(Status.FAILED, 500)


def test_the_default_never_gives_up() -> None:
    """Backoff leaves every wait to the core and gives no attempt up."""
    assert all(Backoff().next_delay(attempt, FAILED) == 0.0 for attempt in (1, 2, 1_000_000))


def test_a_schedule_ends() -> None:
    """A schedule names a wait for each further attempt, in seconds, and then gives up; [] does at once."""
    schedule = Schedule([100, 250.5])
    assert [schedule.next_delay(attempt, FAILED) for attempt in (1, 2, 3, 4)] == [0.1, 0.2505, None, None]
    assert Schedule([]).next_delay(1, FAILED) is None


def test_policies_show_what_they_do() -> None:
    """Both policies keep the protocol and tell themselves in their repr."""
    assert isinstance(Backoff(), RetryPolicy)
    assert isinstance(Schedule([]), RetryPolicy)
    assert (repr(Backoff()), repr(Schedule([100, 200]))) == ("Backoff()", "Schedule([100, 200])")
