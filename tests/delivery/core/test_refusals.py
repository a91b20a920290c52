"""Whether it is a bad event or a bad destination, when a server refuses and names no event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._delivery.core.core import CoreConfig
from tests.delivery.model_server import Answer, Server
from tests.delivery.model_store import ModelStore
from tests.delivery.simulation import Simulation
from tests.examples import examples

HOUR = 3600.0
WALLS = ["firewall", "400 in HTML", "400 beyond the events", "413 in HTML"]


@pytest.mark.parametrize("weather", WALLS)
def test_a_server_that_refuses_everything_from_the_start_loses_nothing(weather: str) -> None:
    """It is the destination, not the events: said once, kept, probed rarely, delivered in the end."""
    sim = Simulation()
    sim.server.weather = weather
    sim.submit_together(sim.record(f"user-{number}") for number in range(10_000))
    sim.advance(10.0)
    stalled = sim.core.stats(sim.now).stalled
    assert stalled is not None
    assert stalled.startswith("configuration: ")
    sim.advance(HOUR)
    assert sim.outcomes() == {"pending": 10_000}
    assert len(sim.uploads) <= 80
    assert [note.level for note in sim.notes if note.key == "refusal"] == ["ERROR"]
    before = len(sim.uploads)
    sim.advance(HOUR)
    assert len(sim.uploads) - before <= 12
    assert all(len(numbers) == 1 for _, numbers in sim.uploads[before:])
    sim.server.weather = None
    sim.settle(700.0)
    assert sim.outcomes() == {"delivered": 10_000}
    sim.check_end()


@pytest.mark.parametrize("weather", WALLS)
def test_a_lone_event_that_is_refused_by_a_stranger_waits(weather: str) -> None:
    """One event alone tells nothing of itself: it is kept and told of, and delivered in the end."""
    sim = Simulation()
    sim.server.weather = weather
    record = sim.log()
    sim.advance(600.0)
    assert not record.done()
    assert len(sim.uploads) <= 10
    assert "refusal" in sim.noted()
    sim.server.weather = None
    sim.settle(700.0)
    assert record.outcome is not None
    assert record.outcome.ok


@pytest.mark.parametrize("weather", WALLS)
def test_a_flush_probes_at_once_where_only_refused_events_wait(weather: str) -> None:
    """A flush brings the probe forward with an event held back: a mended server gets all within seconds."""
    sim = Simulation()
    sim.server.weather = weather
    records = [sim.log(f"user-{number}") for number in range(3)]
    sim.advance(300.0)
    assert sim.core.link.is_refused
    sim.server.weather = None
    before = len(sim.uploads)
    sim.flush()
    sim.advance(2.0)
    assert len(sim.uploads) > before
    assert sim.outcomes(records) == {"delivered": 3}


def test_whoever_waits_for_an_event_that_a_stranger_refuses_is_answered() -> None:
    """`result()` and `await` end with the reason, where nothing but the user can help."""
    sim = Simulation()
    sim.server.weather = "firewall"
    record = sim.record()
    record.add_done_callback(lambda delivery: None)
    sim.submit_together([record])
    sim.advance(1.0)
    assert record.outcome is not None
    assert record.outcome.reason == "configuration"
    assert "server_url" in record.outcome.message


def test_a_bad_event_before_all_others_is_rejected_alone() -> None:
    """The first event that a process logs is a bad one: the next good one shows it, and is not held up."""
    sim = Simulation()
    bad = sim.log(kind="poison")
    sim.advance(1.0)
    assert not bad.done()
    good = sim.log("user-2")
    sim.advance(10.0)
    assert sim.outcomes([good, bad]) == {"delivered": 1, "rejected: refused": 1}


def test_a_spool_keeps_what_a_server_refuses_from_the_start() -> None:
    """Nothing leaves the store while everything is refused, and everything is delivered once it is not."""
    store = ModelStore()
    sim = Simulation(store=store)
    sim.server.weather = "firewall"
    for number in range(100):
        sim.log(f"user-{number % 7}")
    sim.advance(HOUR)
    assert not store.acknowledged
    sim.server.weather = None
    sim.settle(700.0)
    assert set(store.acknowledged.values()) == {"delivered"}
    sim.check_end()


def test_events_expire_while_a_server_refuses_everything() -> None:
    """What `max_event_age` says holds for them too."""
    sim = Simulation(CoreConfig(max_age=100.0))
    sim.server.weather = "firewall"
    sim.submit_together(sim.record(f"user-{number}") for number in range(50))
    sim.advance(200.0)
    assert sim.outcomes() == {"dropped: expired": 50}


def test_a_limit_on_bodies_before_the_server_is_no_fault_of_the_event() -> None:
    """A proxy that takes only small bodies gets small ones; an event beyond that is a misconfiguration."""
    sim = Simulation()
    page = Answer(413, b"<html><title>413 Request Entity Too Large</title></html>")

    def limited(server: Server, events: list[dict[str, Any]], now: float) -> Answer:
        return page if sum(event["size"] for event in events) > 4000 else server.rule(events, now)

    sim.server.weather = limited
    sim.submit_together(sim.record(f"user-{n}", size=9000 if n == 37 else 100) for n in range(100))
    sim.settle(60.0)
    assert sim.outcomes() == {"delivered": 99, "dropped: configuration": 1}
    outcome = sim.records[37].outcome
    assert outcome is not None
    assert "client_max_body_size" in outcome.message
    assert not sim.core.link.is_refused


@given(
    wall=st.sampled_from([*WALLS, "poison"]),
    count=st.integers(1, 60),
    streams=st.integers(1, 60),
    bad=st.sets(st.integers(0, 59), max_size=8),
    connections=st.integers(1, 4),
    pauses=st.lists(st.floats(0.0, 700.0), max_size=4),
)
@settings(deadline=None, max_examples=examples(30))
def test_a_bad_event_is_told_from_a_bad_destination(
    wall: str, count: int, streams: int, bad: set[int], connections: int, pauses: list[float]
) -> None:
    """A server that refuses everything loses nothing; once it takes events, only bad ones are rejected."""
    sim = Simulation(CoreConfig(connections=connections))
    if wall != "poison":
        sim.server.weather = wall
    records = [sim.record(f"user-{n % streams}", kind="poison" if n in bad else "good") for n in range(count)]
    sim.submit_together(records)
    for pause in pauses:
        sim.advance(pause)
        if wall != "poison":
            assert sim.outcomes() == {"pending": count}
    sim.server.weather = None
    good = sim.log("somebody else")
    sim.settle(20 * HOUR)
    assert good.outcome is not None
    assert good.outcome.ok
    for number, record in enumerate(records):
        assert record.outcome is not None
        assert record.outcome.reason == ("refused" if number in bad else "delivered")
    sim.check_end()
