"""The link to the server: when uploads may go, as a value that returns its successor."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.core.link import (
    FAULT_LONGEST_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    PROBE_EVENTS,
    TRANSITIONS,
    UNLIMITED,
    Cause,
    Link,
    LinkEvent,
    LinkState,
)

jitters = st.floats(0, 0.999)


def failed(
    link: Link, now: float, *, asked: float = 0.0, own: float | None = None, jitter: float = 0.0
) -> Link:
    return link.failed(now, asked=asked, own=own, jitter=jitter, why="500")


def take(link: Link, event: LinkEvent, now: float = 0.0) -> Link:
    return {
        LinkEvent.SUCCEEDED: lambda: link.succeeded(now),
        LinkEvent.FAILED: lambda: failed(link, now),
        LinkEvent.THROTTLED: lambda: link.throttled(now, wait=60.0, why="429"),
        LinkEvent.FAULTED: lambda: link.faulted(now, jitter=0.0, why="key"),
        LinkEvent.DUE: link.due,
    }[event]()


@pytest.mark.parametrize(("state", "event"), list(itertools.product(LinkState, LinkEvent)))
def test_the_table_is_the_life_cycle(state: LinkState, event: LinkEvent) -> None:
    """Each pair leads where the table says; one that is not in it raises and names both halves."""
    link = Link(state, Cause.OUTAGE)
    target = TRANSITIONS.get((state, event))
    if target is None:
        with pytest.raises(ValueError, match=f"{state.value} cannot take {event.value}"):
            take(link, event)
    else:
        assert take(link, event).state is target


@given(jitters, st.integers(1, 60))
def test_waits_grow_and_are_halved_at_random(jitter: float, failures: int) -> None:
    """The wait after the n-th failure in a row is half to all of 0.2 s times 2^(n-1), 15 s at most."""
    link = Link()
    for _ in range(failures):
        link = failed(link if link.state is LinkState.OPEN else link.due(), 100.0, jitter=jitter)
    whole = min(LONGEST_WAIT_SECONDS, 0.2 * 2 ** (failures - 1))
    assert link.failures == failures
    assert link.until - 100.0 == pytest.approx(whole * (0.5 + jitter / 2))


def test_one_failure_repeats_the_request_and_two_probe_small() -> None:
    """After one failure the same request is repeated; from the second on ten events test the server."""
    once = failed(Link(), 0.0)
    twice = failed(once.due(), 1.0)
    assert once.allowance == UNLIMITED
    assert twice.allowance == PROBE_EVENTS


def test_a_policy_of_the_users_keeps_together_what_failed_together() -> None:
    """A wait of the user's own policy takes the place of the backoff, and the requests stay as large."""
    link = failed(failed(Link(), 0.0, own=3.0).due(), 3.0, own=7.0)
    assert (link.until, link.allowance) == (10.0, UNLIMITED)


def test_uploads_that_fail_together_count_once() -> None:
    """Several uploads that were under way when the server went down are one failure."""
    link = failed(failed(failed(Link(), 0.0), 0.01), 0.02)
    assert (link.failures, link.until) == (1, 0.1)


def test_the_way_back_widens_with_each_success() -> None:
    """After an outage each success multiplies what one upload may carry, until nothing limits it."""
    link = failed(failed(Link(), 0.0).due(), 1.0).due()
    allowances = []
    while not link.is_healthy:
        link = link.succeeded(9.0)
        allowances.append(link.allowance)
    assert allowances == [80, 640, 5120, UNLIMITED]


def test_a_success_during_an_outage_brings_the_probe_forward() -> None:
    """When an older request succeeds while uploads wait, the outage may be over: the probe goes now."""
    link = failed(failed(Link(), 0.0).due(), 1.0)
    assert link.until > 1.1
    assert link.succeeded(1.1).until == 1.1


@pytest.mark.parametrize("cause", [Cause.THROTTLE, Cause.FAULT])
def test_a_success_ends_no_other_wait(cause: Cause) -> None:
    """A wait the server asked for, or a fault, is not shortened by the answer to an older request."""
    link = Link(LinkState.WAITING, cause, 1, until=50.0)
    assert link.succeeded(1.0) == link


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["failed", "throttled", "faulted", "succeeded", "hurried"]), st.floats(0, 90)
        ),
        min_size=1,
        max_size=12,
    )
)
def test_nothing_shortens_a_wait_that_was_named(steps: list[tuple[str, float]]) -> None:
    """Once the server, or the user's policy, has named a wait, no event and no flush ends it sooner."""
    link, now, named = Link(), 0.0, 0.0
    for step, value in steps:
        now += 0.25
        if step == "failed":
            link = failed(link, now, asked=value)
            named = max(named, now + value)
        elif step == "throttled":
            link = link.throttled(now, wait=value, why="429")
            named = max(named, now + value)
        elif step == "faulted":
            link = link.faulted(now, jitter=0.0, why="key")
        elif step == "succeeded":
            link = link.succeeded(now)
        else:
            link = link.hurried(now + 5.0)
        if link.state is LinkState.OPEN:
            link, named = Link(), 0.0
        else:
            assert link.until >= named


def test_the_policys_wait_counts_for_uploads_that_fail_later() -> None:
    """A second upload's failure, with a longer wait of the policy's, prolongs the wait."""
    assert failed(failed(Link(), 0.0, own=1.0), 0.5, own=10.0).until == 10.5


def test_a_fault_is_probed_rarely_and_with_one_event() -> None:
    """Probes of a faulty configuration start at a minute, double to ten, and carry one event."""
    link, waits = Link(), []
    for _ in range(6):
        link = link.faulted(0.0, jitter=0.999999, why="key")
        waits.append(round(link.until))
        assert link.allowance == 1
        link = link.due()
    assert waits == [60, 120, 240, 480, FAULT_LONGEST_WAIT_SECONDS, FAULT_LONGEST_WAIT_SECONDS]


def test_an_older_requests_429_does_not_hide_a_fault() -> None:
    """A fault that was found stays the cause when an older request is throttled meanwhile."""
    link = Link().faulted(0.0, jitter=0.0, why="key").throttled(1.0, wait=60.0, why="429")
    assert link.is_faulted
    assert link.until == 61.0


def test_a_flush_probes_early_but_not_twice_a_second() -> None:
    """A flush brings the probe forward, unless the last one was within a second."""
    link = failed(failed(Link(), 0.0).due(), 10.0, jitter=0.9)
    assert link.until > 10.3
    assert link.hurried(10.2) == link
    assert link.hurried(11.0).until == min(link.until, 11.0)
    faulted = Link().faulted(0.0, jitter=0.0, why="key")
    assert faulted.hurried(1.0).until == 1.0
