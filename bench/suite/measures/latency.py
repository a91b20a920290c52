"""Whether a slow network is hidden: 4 connections and 50 ms of server latency, beside none."""

from __future__ import annotations

from typing import NamedTuple

from bench.suite.bench import TUNED, Bench
from bench.suite.certificate import make_certificate
from bench.suite.peers import ANTINODE, Peer
from bench.suite.peers.session import Settings
from bench.suite.sections import TIMES, Column, Section
from bench.suite.sink_process import SinkProcess

CONNECTIONS, LATENCY = 4, 0.05
SECTIONS = (
    Section(
        "latency",
        "50 ms",
        f"End to end with {CONNECTIONS} connections and {LATENCY * 1000:.0f} ms of server latency",
        (
            Column("elapsed", "elapsed", "s"),
            Column("work", "without latency", "s"),
            Column("ratio", "times", TIMES),
            Column("bound", "latency alone", "s"),
            Column("overlap", "to the longer", TIMES),
        ),
    ),
)


class Variant(NamedTuple):
    """How much work there is beside the waiting."""

    settings: Settings
    share: float
    has_tls: bool = False


VARIANTS = {
    ANTINODE: Variant({}, 1.7),  # about a year of flights
    ANTINODE._replace(name="antinode with TLS and gzip"): Variant({"gzip": True}, 1.0, has_tls=True),
    ANTINODE._replace(name="antinode with a middleware"): Variant({"middleware": 1}, 0.25),
}


def run(bench: Bench) -> None:
    certificate = make_certificate(bench.directory)
    with (
        SinkProcess() as near,
        SinkProcess(latency=LATENCY) as far,
        SinkProcess(certificate=certificate.key) as near_tls,
        SinkProcess(certificate=certificate.key, latency=LATENCY) as far_tls,
    ):

        def both(peer: Peer) -> dict[str, float]:
            variant = VARIANTS[peer]
            spec = {"events": bench.events(peer, variant.share)}
            settings: Settings = {**TUNED, **variant.settings}
            if variant.has_tls:
                settings["ca"] = certificate.authority
            sinks = (near_tls, far_tls) if variant.has_tls else (near, far)
            work = bench.deliver(peer, sinks[0], spec, {**settings, "connections": 1})
            slow = bench.deliver(peer, sinks[1], spec, {**settings, "connections": CONNECTIONS})
            # What so many connections let through in this time, if each request is full.
            bound = spec["events"] / settings["batch"] * LATENCY / CONNECTIONS
            return {
                "elapsed": slow["elapsed"],
                "work": work["elapsed"],
                "ratio": slow["elapsed"] / work["elapsed"],
                "bound": bound,
                "overlap": slow["elapsed"] / max(work["elapsed"], bound),
            }

        bench.rounds("latency", "50 ms", list(VARIANTS), bench.plan.few_rounds, both)
