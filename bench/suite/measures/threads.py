"""The same events logged by 1, 4 and 16 threads at once."""

from __future__ import annotations

from bench.suite.bench import Bench
from bench.suite.peers import AMPLITUDE, ANTINODE, POSTHOG, SEGMENT, Peer
from bench.suite.sections import CALLS, Column, Section
from bench.suite.sink_process import SinkProcess

THREADS = (1, 4, 16)
SECTIONS = tuple(
    Section(
        "threads",
        str(count),
        f"Logged by {count} thread{'s' if count > 1 else ''}, as fast as it goes",
        (Column("cpu", "CPU/event", "µs"), Column("rate", "events/s", "/s"), *CALLS),
        "cpu",
        "antinode",
    )
    for count in THREADS
)


def run(bench: Bench) -> None:
    with SinkProcess() as sink:
        for count in THREADS:

            def threaded(peer: Peer, count: int = count) -> dict[str, float]:
                spec = {"events": bench.events(peer, 0.5), "timed": True, "threads": count}
                return bench.deliver(peer, sink, spec)

            peers = bench.chosen(ANTINODE, AMPLITUDE, POSTHOG, SEGMENT)
            bench.rounds("threads", str(count), peers, bench.plan.few_rounds, threaded)
