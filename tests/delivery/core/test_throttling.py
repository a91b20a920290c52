"""A 429, and a pace, hold back one user or device, or all, and cost no event."""

from __future__ import annotations

import pytest

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.retry import Schedule
from tests.delivery.core.rules import once
from tests.delivery.model_server import saying
from tests.delivery.simulation import Simulation


def test_a_throttled_user_waits_alone_and_in_order() -> None:
    """The one who is throttled waits 30 s with all that is logged meanwhile; others are not delayed."""
    sim = Simulation()
    sim.server.accidents.append(once(saying(429, "", throttled_users={"hot": 99}, eps_threshold=1000)))
    sim.submit_together([sim.record("hot"), sim.record("cool"), sim.record("hot", "phone")])
    sim.advance(0.2)
    assert [record.done() for record in sim.records] == [False, True, False]
    for _ in range(20):
        sim.log("hot")
        sim.log("cool")
        sim.advance(1.0)
        assert sim.records[-1].done()
    assert sim.outcomes(sim.records[::2]) == {"pending": 12} or sim.outcomes()["pending"] == 22
    sim.settle(40.0)
    sim.check_end()
    assert sim.server.answers[429] == 1


def test_a_learned_threshold_is_kept_to() -> None:
    """Once a 429 has named the threshold, a server with the real window never has to name it again."""
    sim = Simulation(checks=False)
    sim.server.eps_threshold = 30.0
    for _ in range(40):
        for _ in range(60):
            sim.log("hot")
        sim.log("cool")
        sim.advance(1.0)
    sim.settle(600.0)
    sim.check_end()
    assert sim.server.answers[429] == 1
    assert sim.outcomes() == {"delivered": 40 * 61}


@pytest.mark.parametrize("connections", [1, 4])
def test_a_pace_keeps_a_user_under_the_threshold_from_the_start(connections: int) -> None:
    """With `pace=30` a server with the real window has no reason for a 429, and order is kept."""
    sim = Simulation(CoreConfig(pace=30.0, connections=connections), checks=False)
    sim.server.eps_threshold = 30.0
    for number in range(3000):
        sim.log("hot", f"device-{number % 2}")
        if not number % 10:
            sim.log(f"cool-{number}")
    sim.settle(600.0)
    sim.check_end()
    assert sim.server.answers[429] == 0
    assert sim.outcomes() == {"delivered": 3300}


def test_successors_in_the_same_batch_wait_uncharged() -> None:
    """Later events of a throttled stream, not sent yet, wait with it and have used no attempt."""
    sim = Simulation(CoreConfig(max_batch_events=2000, policy=Schedule([0])))
    sim.server.accidents.extend(["400 in HTML", once(saying(429, "", throttled_users={"hot": 99}))])
    sim.submit_together(sim.record("hot") for _ in range(4))
    sim.advance(1.0)
    assert [record.attempts for record in sim.records] == [1, 1, 0, 0]
    sim.settle()
    assert sim.outcomes() == {"delivered": 4}
    sim.check_end()


def test_a_project_wide_throttle_stops_everybody_for_its_time() -> None:
    """A 429 for the project stops all uploads for 60 s or the named time, and no flush shortens it."""
    sim = Simulation()
    sim.server.accidents.append("project with a wait")
    sim.log("user-1")
    sim.advance(1.0)
    sim.log("user-2")
    sim.flush()
    sim.advance(88.0)
    sim.flush()
    assert len(sim.uploads) == 1
    sim.settle(5.0)
    assert sim.uploads[1][0] - sim.uploads[0][0] == pytest.approx(90.05)
