"""How an outage is waited for and ended."""

from __future__ import annotations

from tests.delivery.core.rules import HOUR, once, sent
from tests.delivery.model_server import NO_ANSWER
from tests.delivery.simulation import Simulation


def test_an_outage_is_probed_gently_and_with_little() -> None:
    """During an outage requests are at most some hundreds an hour, small, and nothing is dropped."""
    sim = Simulation(checks=False)
    sim.server.weather = "down"
    sim.submit_together(sim.record(f"user-{number}") for number in range(5000))
    sim.advance(HOUR)
    assert len(sim.uploads) <= 490
    assert all(len(numbers) <= 10 for numbers in sent(sim)[10:])
    sim.server.weather = None
    assert sim.settle() <= 20.0
    assert sim.outcomes() == {"delivered": 5000}
    assert sim.uploads


def test_a_broken_connection_costs_a_moment() -> None:
    """A single failure is repeated with the same events within 0.2 s."""
    sim = Simulation()
    sim.server.accidents.append(once(NO_ANSWER))
    sim.submit_together(sim.record() for _ in range(100))
    assert sim.settle() <= 0.3
    assert sent(sim) == [list(range(100))] * 2


def test_a_retry_carries_the_same_bytes() -> None:
    """What the server stored before its answer was lost is sent again as it was, and stored once."""
    sim = Simulation()
    sim.server.accidents.extend(["drop after", "500 after", "hang after"])
    sim.submit_together(sim.record() for _ in range(10))
    sim.settle()
    sim.check_end()
    assert len(sim.server.stored) == 10
    assert [record.attempts for record in sim.records] == [4] * 10


def test_a_flush_does_not_shorten_a_wait_that_a_503_named() -> None:
    """`Retry-After` holds for flushes; without one a flush brings the probe forward."""
    sim = Simulation()
    sim.server.accidents.append("503 with a wait")
    sim.log()
    sim.advance(5.0)
    sim.flush()
    assert len(sim.uploads) == 1
    sim.settle(16.0)
