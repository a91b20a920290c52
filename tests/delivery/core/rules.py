"""What the tests of the core's rules share."""

from __future__ import annotations

from tests.delivery.model_server import Answer, Misbehaviour
from tests.delivery.simulation import Simulation

HOUR = 3600.0


def once(answer: Answer) -> Misbehaviour:
    return lambda server, events, now: answer


def sent(sim: Simulation) -> list[list[int]]:
    return [numbers for _, numbers in sim.uploads]


def reasons(sim: Simulation) -> list[str]:
    return [record.outcome.reason if record.outcome else "pending" for record in sim.records]
