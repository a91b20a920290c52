"""Retry policies: none, a schedule, the user's own."""

from __future__ import annotations

import pytest

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.retry import Response, Schedule
from antinode._protocol.status import Status
from tests.delivery.core.rules import reasons, sent
from tests.delivery.simulation import Simulation


def test_no_retries_means_one_request_each() -> None:
    """`retry_timeouts=[]`: what an upload carried when it failed is given up, the rest is tried."""
    sim = Simulation(CoreConfig(policy=Schedule([]), max_batch_events=10))
    sim.server.weather = "500"
    sim.submit_together(sim.record() for _ in range(40))
    sim.settle(60.0)
    assert sim.outcomes() == {"dropped: retries_exhausted": 40}
    assert len(sim.uploads) == 4
    assert sim.retried == []


def test_a_schedule_is_kept_and_told() -> None:
    """[100, 200]: two repetitions after these waits; on_retry hears of each, 0 and 1, the last as such."""
    sim = Simulation(CoreConfig(policy=Schedule([100, 200])))
    sim.server.weather = "500"
    sim.submit_together(sim.record() for _ in range(30))
    sim.settle()
    starts = [time for time, _ in sim.uploads]
    assert starts == pytest.approx([1000.0, 1000.15, 1000.4])
    assert sent(sim) == [list(range(30))] * 3
    assert [(again.attempt, again.is_last) for again in sim.retried] == [(0, False), (1, True)]
    assert [again.response.code for again in sim.retried] == [500, 500]
    assert sim.outcomes() == {"dropped: retries_exhausted": 30}
    assert [record.outcome.attempts for record in sim.records if record.outcome] == [3] * 30


def test_a_repetition_that_succeeds_is_told_too() -> None:
    """on_retry hears of a repeated request that was accepted."""
    sim = Simulation(CoreConfig(policy=Schedule([100, 200])))
    sim.server.accidents.append("hang")
    sim.log()
    sim.settle()
    assert [(again.response.status, again.attempt) for again in sim.retried] == [(Status.SUCCESS, 0)]


class Picky:
    """A policy of the user's: gives up what times out, waits 2 s for the rest."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, Status]] = []

    def next_delay(self, attempt: int, response: Response) -> float | None:
        self.asked.append((attempt, response.status))
        return None if response.status is Status.TIMEOUT else 2.0


def test_a_policy_of_the_users_decides() -> None:
    """A policy sees the attempt and the response; its wait is kept under a flush, and its end is final."""
    policy = Picky()
    sim = Simulation(CoreConfig(policy=policy))
    sim.server.accidents.extend(["500", "hang"])
    sim.log()
    sim.advance(1.5)
    sim.flush()
    assert len(sim.uploads) == 1
    sim.settle()
    assert sim.uploads[1][0] == pytest.approx(1002.05)
    assert reasons(sim) == ["retries_exhausted"]
    assert policy.asked[0] == (1, Status.FAILED)


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), -1.0, "soon", ValueError("x")])
def test_a_broken_policy_breaks_nothing(answer: object) -> None:
    """A policy that raises, or answers nonsense, leaves the wait to the backoff."""

    class Broken:
        def next_delay(self, attempt: int, response: Response) -> float | None:
            if isinstance(answer, Exception):
                raise answer
            return answer  # type: ignore[return-value]

    sim = Simulation(CoreConfig(policy=Broken()))
    sim.server.accidents.extend(["500", "500"])
    sim.log()
    sim.settle(5.0)
    assert sim.outcomes() == {"delivered": 1}
