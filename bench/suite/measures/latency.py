"""Whether a slow network is hidden: 4 connections and 50 ms of server latency, beside none."""

from __future__ import annotations

from bench.suite.bench import TUNED, Bench
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
        ),
    ),
)


def run(bench: Bench) -> None:
    with SinkProcess() as near, SinkProcess(latency=LATENCY) as far:

        def both(peer: Peer) -> dict[str, float]:
            spec = {"events": bench.events(peer)}
            alone: Settings = {**TUNED, "connections": 1}
            several: Settings = {**TUNED, "connections": CONNECTIONS}
            work = bench.deliver(peer, near, spec, alone)
            slow = bench.deliver(peer, far, spec, several)
            requests = spec["events"] / slow["batch"]
            return {
                "elapsed": slow["elapsed"],
                "work": work["elapsed"],
                "ratio": slow["elapsed"] / work["elapsed"],
                "bound": requests * LATENCY / CONNECTIONS,
            }

        bench.rounds("latency", "50 ms", bench.chosen(ANTINODE), bench.plan.few_rounds, both)
