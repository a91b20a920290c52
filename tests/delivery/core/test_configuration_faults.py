"""What a wrong key or a wrong URL means for the events, and for those who wait for them."""

from __future__ import annotations

from collections import Counter

import pytest

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.outcome import DROPPED, Outcome
from antinode._protocol.status import Status
from tests.delivery.core.rules import HOUR
from tests.delivery.model_server import Answer
from tests.delivery.simulation import Simulation

CONFIGURATION_FAULTS = ["invalid key", "404", "redirect", "missing field"]


@pytest.mark.parametrize("weather", CONFIGURATION_FAULTS)
def test_a_wrong_key_is_no_storm(weather: str) -> None:
    """A configuration fault costs no event, is said once, and is probed rarely; mended, all is delivered."""
    sim = Simulation()
    sim.server.weather = weather
    for number in range(1000):
        sim.log(f"user-{number}")
        sim.advance(3.6)
    assert len(sim.uploads) <= 15
    (fault,) = [note for note in sim.notes if note.key == "fault"]
    assert fault.level == "ERROR"
    assert fault.text.endswith("events stay in memory, and are tried again rarely")
    assert sim.outcomes() == {"pending": 1000}
    sim.server.weather = None
    sim.settle(700.0)
    assert sim.outcomes() == {"delivered": 1000}
    assert "recovered" in sim.noted()
    sim.check_end()


@pytest.mark.parametrize("weather", CONFIGURATION_FAULTS)
def test_a_fault_keeps_each_stream_in_order(weather: str) -> None:
    """What met the fault together is probed one by one, and then goes before what was logged since."""
    sim = Simulation()
    sim.server.weather = weather
    sim.submit_together(sim.record(f"user-{number % 3}") for number in range(500))
    sim.advance(HOUR)
    for number in range(500):
        sim.log(f"user-{number % 3}")
    sim.server.weather = None
    sim.settle(700.0)
    assert sim.outcomes() == {"delivered": 1000}
    sim.check_end()


def test_a_fault_that_comes_later_keeps_what_it_meets() -> None:
    """A key that is withdrawn while many requests are under way costs nothing either."""
    sim = Simulation(CoreConfig(connections=4))
    sim.submit_together(sim.record(f"user-{number}") for number in range(6000))
    sim.advance(0.01)
    sim.server.weather = "invalid key"
    sim.submit_together(sim.record(f"user-{number}") for number in range(6000))
    sim.advance(HOUR)
    assert set(sim.outcomes()) <= {"pending", "delivered"}
    sim.server.weather = None
    sim.settle(700.0)
    assert sim.outcomes() == {"delivered": 12_000}


def test_a_flush_under_a_fault_probes_once_and_waits_no_longer() -> None:
    """While a fault stands, nobody waits after one probe of their own; what is pending goes on."""
    sim = Simulation()
    sim.server.weather = "404"
    sim.log()
    sim.advance(5.0)
    for _ in range(9):
        sim.log()
    index = sim.flush()
    assert not sim.core.is_hopeless(sim.now)
    sim.advance(1.0)
    assert len(sim.uploads) == 2
    assert sim.core.is_hopeless(sim.now)
    assert sim.core.ledger.pending_until(index) == 10
    sim.server.weather = None
    sim.settle(700.0)
    assert sim.outcomes() == {"delivered": 10}


def test_flushes_under_a_fault_do_not_probe_more_than_once_a_second() -> None:
    """A flush that follows a failed probe within a second waits for nothing, and makes no request."""
    sim = Simulation()
    sim.server.weather = "invalid key"
    sim.log()
    sim.advance(0.06)
    for _ in range(20):
        sim.log()
        sim.flush()
        assert sim.core.is_hopeless(sim.now)
    assert len(sim.uploads) == 1


def test_whoever_waits_for_an_event_that_meets_a_fault_is_answered() -> None:
    """`result()` and `await` end with the reason, where only the user can help; others are kept."""
    sim = Simulation()
    sim.server.weather = "invalid key"
    awaited, other = sim.record("user-1"), sim.record("user-2")
    awaited.add_done_callback(lambda delivery: None)
    sim.submit_together([awaited, other])
    sim.advance(1.0)
    assert awaited.outcome is not None
    assert (awaited.outcome.reason, awaited.outcome.code) == ("configuration", 400)
    assert not other.done()


def test_events_expire_under_a_fault() -> None:
    """What `max_event_age` says holds for them too."""
    sim = Simulation(CoreConfig(max_age=100.0))
    sim.server.weather = "404"
    sim.submit_together(sim.record(f"user-{number}") for number in range(50))
    sim.advance(200.0)
    assert sim.outcomes() == {"dropped: expired": 50}


def test_a_page_under_a_success_is_a_configuration_fault() -> None:
    """A web page delivers nothing and is said once, with no storm; all is well when Amplitude answers."""
    sim = Simulation()
    sim.server.weather = lambda server, events, now: Answer(200, b"<!doctype html><title>Log in</title>")
    sim.log()
    sim.advance(1.0)
    for number in range(99):
        sim.log(f"user-{number}")
    sim.advance(HOUR)
    assert sim.outcomes() == {"pending": 100}
    assert Counter(note.key for note in sim.notes)["fault"] == 1
    assert sim.core.stats(sim.now).discrepancies > 0
    sim.server.weather = None
    sim.settle(700.0)
    assert sim.outcomes() == {"delivered": 100}


def test_what_waits_for_a_right_key_can_be_set_aside() -> None:
    """It ends so, with its body for whoever keeps failures; what is in a request ends as that does."""
    sim = Simulation(CoreConfig(connections=1))
    sim.server.weather = "invalid key"
    sim.submit_together(sim.record(f"user-{number}") for number in range(3000))
    sim.advance(HOUR)
    aside = Outcome(DROPPED, Status.FAILED, "set_aside")
    count = sim.core.forgetting.set_aside(aside)
    assert count >= 2999
    sim.server.weather = None
    sim.log("user-late")
    sim.settle(700.0)
    assert sim.outcomes() == {"dropped: set_aside": count, "delivered": 3001 - count}
    assert all(record.body for record in sim.records if record.outcome == aside)
    sim.check_end()
