"""Memory per queued event, with events of about 300 B queued against a server that never answers."""

from __future__ import annotations

import json
import statistics

from bench.suite.bench import TUNED, Bench
from bench.suite.peers import ANTINODE, FLOOR, Peer
from bench.suite.sections import TIMES, Column, Section
from bench.suite.sink_process import dead_server
from bench.suite.workloads import maker

QUEUED = 200_000
WORKLOAD = {"kind": "sized", "size": 300, "users": 100_000, "varied": True}
SECTIONS = (
    Section(
        "memory",
        "queued",
        f"Memory with up to {QUEUED:,} events of about 300 B queued against a dead server",
        (
            Column("grown", "memory/event", "B"),
            Column("encoded", "encoded", "B"),
            Column("ratio", "memory/encoded", TIMES),
        ),
        "grown",
        "antinode",
    ),
)


def run(bench: Bench) -> None:
    make = maker(WORKLOAD)
    encoded = statistics.mean(len(json.dumps(make(i), separators=(",", ":"))) for i in range(0, QUEUED, 997))
    with dead_server() as url:

        def queued(peer: Peer) -> dict[str, float]:
            # amplitude-analytics gives up on what does not fit its 20,000 events once a request has failed.
            count = QUEUED if peer.is_node or peer == ANTINODE else QUEUED // 10
            spec = {"task": "backlog", "url": url, "workload": WORKLOAD, "settings": TUNED, "events": count}
            grown = bench.figures(peer, spec)["grown"]
            return {"grown": grown, "encoded": encoded, "ratio": grown / encoded}

        peers = [peer for peer in bench.chosen() if peer != FLOOR]
        bench.rounds("memory", "queued", peers, min(bench.plan.few_rounds, 2), queued)
