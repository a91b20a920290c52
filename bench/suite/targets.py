"""What antinode is to reach, as ratios within one run."""

from __future__ import annotations

from typing import NamedTuple

from bench.suite.measures import variants
from bench.suite.peers import AMPLITUDE, ANTINODE, ENCODING, FLOOR, NODE
from bench.suite.results import Results


class Target(NamedTuple):
    """A ratio, and how small it should be."""

    what: str
    measure: str
    case: str
    figure: str
    to: str
    """The peer that the ratio is to; empty where the figure is a ratio already."""
    at_most: float
    aim: float
    ours: str = ANTINODE.name
    """Whose figure it is."""


_OURS, _FLOOR, _PEER, _NODE = ANTINODE.name, FLOOR.name, AMPLITUDE.name, NODE.name


def _production(what: str, variant: str, to: str, at_most: float, aim: float) -> Target:
    ours = variants.named(ANTINODE, variant)
    return Target(what, "variants", "flights", "cpu", to, at_most, aim, ours)


_SECURE_FLOOR = variants.named(FLOOR, variants.PRODUCTION)
_IDENTIFY_DICT = variants.named(ANTINODE, variants.IDENTIFY_DICT)
_REVENUE_DICT = variants.named(ANTINODE, variants.REVENUE_DICT)
TARGETS = (
    Target("CPU per delivered event, to the floor's", "delivery", "flights", "cpu", _FLOOR, 1.45, 1.25),
    _production("TLS and gzip, to a floor with both", variants.PRODUCTION, _SECURE_FLOOR, 1.5, 1.25),
    _production("a middleware that adds a property, to none", variants.ONE, _OURS, 2.0, 1.5),
    _production("three of them, to none", variants.THREE, _OURS, 3.0, 2.0),
    _production("an `Event` object, to its dict", variants.EVENT, _OURS, 2.0, 1.5),
    _production("a typed event, to its dict", variants.TYPED, _OURS, 1.5, 1.25),
    _production("`identify`, to the same as a dict", variants.IDENTIFY, _IDENTIFY_DICT, 3.0, 2.0),
    _production("`revenue`, to the same as a dict", variants.REVENUE, _REVENUE_DICT, 3.0, 2.0),
    _production("the spool, to none", variants.SPOOL, _OURS, 1.5, 1.3),
    Target(f"CPU per delivered event, to {_PEER}'", "delivery", "flights", "cpu", _PEER, 1 / 25, 1 / 35),
    Target(f"the same, to {_NODE}'s", "delivery", "flights", "cpu", _NODE, 1 / 4, 1 / 5),
    Target("caller's median time per call, to encoding alone", "hot path", "flights", "ratio", "", 2.5, 1.8),
    Target("caller's p99.9 under load, to encoding alone", "calls", "paced", "p999", ENCODING.name, 2.0, 1.5),
    Target(f"the same, to {_PEER}'", "calls", "paced", "p999", _PEER, 1 / 10, 1 / 20),
    Target("memory per queued event, to its encoded size", "memory", "queued", "ratio", "", 1.9, 1.6),
    Target(f"import time, to {_PEER}'", "import", "fresh", "time", _PEER, 1.5, 1.0),
    Target(f"cold start to first arrival, to {_PEER}'", "cold start", "first event", "time", _PEER, 1.2, 1.0),
    Target(f"exit with an empty queue, to {_PEER}'", "exit", "empty", "time", _PEER, 1.2, 1.0),
    Target("end to end with 50 ms latency, to the work without", "latency", "50 ms", "ratio", "", 1.3, 1.1),
    Target("or to what 4 connections let through, if longer", "latency", "50 ms", "overlap", "", 1.3, 1.1),
)  # fmt: skip


def measured(results: Results, target: Target) -> float | None:
    """The ratio that was measured; None if it was not."""
    if target.to:
        return results.ratio(target.measure, target.case, target.figure, target.ours, target.to)
    return results.median(target.measure, target.case, target.ours, target.figure)


def verdict(ratio: float | None, target: Target) -> str:
    """ "aim" and "yes" for what was reached, "no" for what was not."""
    if ratio is None:
        return "not measured"
    if ratio <= target.aim:
        return "aim"
    return "yes" if ratio <= target.at_most else "no"


def as_ratio(value: float) -> str:
    """1.75, or 1/25 for what is less than a half."""
    if value >= 0.5:
        return f"{value:.2f}"
    return f"1/{1 / value:.1f}".removesuffix(".0") if value > 0.1 else f"1/{1 / value:.0f}"
