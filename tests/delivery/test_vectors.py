"""The conformance vectors that concern the client, each run against the core in simulated time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.link import FAULT_FIRST_WAIT_SECONDS, FAULT_PROBE_EVENTS
from antinode._protocol.status import Status
from tests.delivery.model_server import Answer, Misbehaviour, Server, saying
from tests.delivery.simulation import Simulation
from tests.vectors import Vector, answer_body, load

VECTORS = load("client")
LOST = {
    "timeout": Status.TIMEOUT,
    "connection_reset": Status.SYSTEM_ERROR,
    "connection_refused": Status.SYSTEM_ERROR,
}


def misbehaviour(vector: Vector) -> Misbehaviour:
    """The server of one vector."""
    given, events = vector["given_response"], vector["request_body"]["events"]
    if given.get("rule") == "first_bad_index":
        bad_ids = {events[i]["insert_id"] for i in given["bad"]}

        def name_the_first(server: Server, present: list[dict[str, Any]], now: float) -> Answer:
            bad = [place for place, event in enumerate(present) if event["insert_id"] in bad_ids]
            return (
                saying(400, "x", events_with_invalid_fields={given["field"]: bad[:1]})
                if bad
                else (server.rule(present, now))
            )

        return name_the_first
    lost = given.get("transport_error")
    if lost is not None:
        return lambda server, present, now: Answer(lost=LOST[lost])
    return lambda server, present, now: Answer(given["status"], answer_body(given), given["headers"])


class Fates:
    """What became of each event of a vector's request after the given answer."""

    def __init__(self, vector: Vector, *, flushes: bool) -> None:
        sim = Simulation(CoreConfig())
        # What a vector says of refusals that name nobody holds for a server that takes events.
        sim.acquaint()
        behave = misbehaviour(vector)
        if "rule" in vector["given_response"]:
            sim.server.weather = behave
        else:
            sim.server.accidents.append(behave)
        records = [sim.record_of(event) for event in vector["request_body"]["events"]]
        self.bodies = [record.body for record in records]
        sim.submit_together(records)
        if flushes:
            sim.flush()
        assert [list(range(len(records)))] == [numbers for _, numbers in sim.uploads]
        sim.advance(sim.server.latency)
        self.answered_at = sim.now
        self.settled_by_it = {i for i, record in enumerate(records) if record.done()}
        sim.settle(4000.0)
        self.sim, self.records = sim, records
        self.later = sim.uploads[1:]

    def next_time(self, i: int) -> float | None:
        """When event `i` was sent again, in seconds after the answer."""
        return next((time - self.answered_at for time, numbers in self.later if i in numbers), None)

    def is_delivered(self, i: int) -> bool:
        outcome = self.records[i].outcome
        return outcome is not None and outcome.ok


@pytest.mark.parametrize("flushes", [False, True], ids=["by itself", "under a flush"])
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_core_does_what_the_vector_says(vector: Vector, flushes: bool) -> None:
    """After a client vector's answer each event meets the fate that the vector names, flush or no flush."""
    fates = Fates(vector, flushes=flushes)
    expected = dict(vector["expected_client"])
    one_round = "rule" not in vector["given_response"]

    if expected.pop("stop", False):
        # What the reference says to drop is kept for whoever mends the configuration: nothing is sent for a
        # while, then one event, which tells whether it is mended.
        assert expected.pop("resend") == []
        assert fates.settled_by_it == set()
        waited = min(filter(None, map(fates.next_time, expected.pop("drop"))))
        assert waited >= FAULT_FIRST_WAIT_SECONDS / 2
        assert len(fates.later[0][1]) == FAULT_PROBE_EVENTS
        assert all(map(fates.is_delivered, range(len(fates.records))))

    for i in expected.pop("delivered", []):
        assert fates.is_delivered(i)
        assert fates.next_time(i) is None or not one_round
    for i in expected.pop("drop", []):
        assert not fates.is_delivered(i)
        if one_round:
            assert i in fates.settled_by_it
            assert fates.next_time(i) is None
    at_once = expected.pop("resend", None)
    if at_once is not None:
        assert at_once == [i for i in range(len(fates.records)) if fates.next_time(i) == 0.0]
        assert all(map(fates.is_delivered, at_once))
        assert all(fates.records[i].attempts == 1 for i in at_once)
    for i in expected.pop("retry", []):
        time = fates.next_time(i)
        assert time is not None
        assert time > 0.0
        assert fates.is_delivered(i)
        assert fates.records[i].attempts == 2
    least = expected.pop("hold_ms_min", 0) / 1000
    for i in expected.pop("hold", []):
        time = fates.next_time(i)
        assert time is not None
        assert time >= least - 1e-6
        assert fates.is_delivered(i)
    for i in expected.pop("hold_or_drop", []):
        time = fates.next_time(i)
        assert i in fates.settled_by_it or (time is not None and time >= least)
    if "split" in expected:
        assert expected.pop("split") == [numbers for _, numbers in fates.later]
    if "split_any" in expected:
        assert len(fates.later) == expected.pop("split_any")
        assert sum(len(numbers) for _, numbers in fates.later) == len(fates.records)
    if not expected.pop("charge_retry", True):
        assert all(record.attempts <= 1 for record in fates.records)
    if expected.pop("same_insert_id", False):
        assert {event["insert_id"] for event in fates.sim.server.stored.values()} == {
            json.loads(body)["insert_id"] for body in fates.bodies
        }
    assert not expected, "every key of a vector is looked at"


def test_all_client_vectors_are_run() -> None:
    """The file holds the 31 client vectors of the reference."""
    assert len(VECTORS) == 31
