"""How antinode's cost grows: with the events of a run, distinct users, the size of an event, the backlog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.suite.bench import TUNED, Bench, Spec
from bench.suite.peers import ANTINODE, Peer
from bench.suite.peers.session import Settings
from bench.suite.sink_process import SinkProcess

MEASURE = "growth"
EVENTS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
USERS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
SIZES = (150, 500, 1_500, 5_000, 15_000, 50_000, 100_000)
BACKLOGS = (1, 10_000, 30_000, 100_000, 300_000, 1_000_000)
ROUNDS = 2
LEAST = 100_000
"""Events in a run whose number is not what varies: enough that starting weighs little."""
MOST_BYTES = 150_000_000


class Axis(NamedTuple):
    """What varies, and the figure that must not grow with it."""

    name: str
    unit: str
    figure: str
    heading: str
    steps: Callable[[int], Sequence[int]]
    """The steps of a plan, given the most events it wants logged in one run."""


AXES = (
    Axis(
        "events",
        "events logged",
        "cpu",
        "CPU µs/event",
        lambda most: [step for step in EVENTS if step <= most],
    ),
    Axis(
        "users",
        "distinct users",
        "cpu",
        "CPU µs/event",
        lambda most: [step for step in USERS if step <= most],
    ),
    Axis("size", "bytes an event", "byte", "CPU ns/byte", lambda _: SIZES),
    Axis(
        "backlog",
        "events waiting",
        "cpu",
        "CPU µs/event",
        lambda most: [step for step in BACKLOGS if step <= most],
    ),
)


def run(bench: Bench) -> None:
    for axis in AXES:
        for step in axis.steps(bench.plan.growth_events):

            def one(peer: Peer, axis: Axis = axis, step: int = step) -> dict[str, float]:
                return _one(bench, peer, axis.name, step)

            rounds = ROUNDS if step < 1_000_000 else 1
            bench.rounds(f"{MEASURE}: {axis.name}", str(step), bench.chosen(ANTINODE), rounds, one)


def _one(bench: Bench, peer: Peer, axis: str, step: int) -> dict[str, float]:
    events, users, size = LEAST, 10_000, 150
    if axis == "events":
        events = step
    elif axis == "users":
        users, events = step, max(LEAST, step)
    elif axis == "size":
        size, events = step, max(min(LEAST, MOST_BYTES // step), 500)
    else:
        events = max(LEAST, step)
    settings: Settings = {**TUNED}
    if axis == "events":
        settings["blocks"] = True  # ten million are more than anybody would keep in memory
    spec: Spec = {"events": events, "workload": {"kind": "sized", "size": size, "users": users}}
    is_held = axis == "backlog" and step > 1
    with SinkProcess(hold=is_held) as sink:
        if is_held:
            spec["release"] = f"{sink.url}/release"
        figures = bench.deliver(peer, sink, spec, settings)
    figures["byte"] = figures["cpu"] * 1000 / figures["bytes"]
    return figures
