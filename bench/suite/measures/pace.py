"""What a call costs its caller at 2,000 calls a second, with each peer's defaults, uploads running."""

from __future__ import annotations

from bench.suite.bench import Bench
from bench.suite.peers import AMPLITUDE, ANTINODE, ENCODING, FLOOR, Peer
from bench.suite.sections import CALLS, Column, Section
from bench.suite.sink_process import SinkProcess

RATE = 2_000
MORE_ROUNDS = 2
"""Of the two that a target compares, and of encoding: of 8,000 calls, eight decide the p99.9."""
SECTIONS = (
    Section(
        "calls",
        "paced",
        "A call's time at 2,000 calls a second, default settings, uploads running",
        (*CALLS, Column("cpu", "CPU/event", "µs")),
        "p999",
        "antinode",
    ),
)


def run(bench: Bench) -> None:
    count = int(RATE * bench.plan.paced_seconds)
    with SinkProcess() as sink:

        def paced(peer: Peer) -> dict[str, float]:
            spec = {"events": count, "rate": RATE}
            if peer == ENCODING:
                return bench.stream(peer, sink, spec, {})
            figures = bench.deliver(peer, sink, spec, settings={})
            if peer.is_node:
                del figures["cpu"]  # its pacing polls a timer, which is not the peer's cost
            return figures

        peers = [ENCODING, *(peer for peer in bench.chosen() if peer != FLOOR)]
        bench.rounds("calls", "paced", peers, bench.plan.few_rounds, paced)
        bench.rounds("calls", "paced", [ENCODING, *bench.chosen(ANTINODE, AMPLITUDE)], MORE_ROUNDS, paced)
