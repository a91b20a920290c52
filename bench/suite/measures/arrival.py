"""How long an event takes from the call to its arrival, when few are logged; each peer's own intervals."""

from __future__ import annotations

import json
import statistics
import time

from bench.suite.bench import Bench, Failed
from bench.suite.peers import FLOOR, Peer
from bench.suite.quantiles import quantile
from bench.suite.sections import Column, Section
from bench.suite.sink_process import SinkProcess

EVENTS, RATE = 40, 20
LONGEST = 20.0
SECTIONS = (
    Section(
        "arrival",
        "low rate",
        f"From the call to the arrival, at {RATE} events a second, default settings",
        (Column("p50", "p50", "ms"), Column("max", "max", "ms")),
        "p50",
        "antinode",
    ),
)


def run(bench: Bench) -> None:
    peers = [peer for peer in bench.chosen() if peer != FLOOR]
    bench.rounds(
        "arrival", "low rate", peers, min(bench.plan.few_rounds, 2), lambda peer: _trickle(bench, peer)
    )


def _trickle(bench: Bench, peer: Peer) -> dict[str, float]:
    with SinkProcess(keep=True) as sink:
        spec = {
            "task": "trickle",
            "url": sink.url,
            "workload": bench.flights,
            "settings": {},
            "events": EVENTS,
            "rate": RATE,
        }
        with bench.start(peer, spec) as process:
            deadline = time.monotonic() + LONGEST
            while sink.stats()["events"] < EVENTS and time.monotonic() < deadline:
                time.sleep(0.05)
            output, errors = process.communicate()
        arrivals = dict(sink.arrivals())
    if len(arrivals) != EVENTS:
        raise Failed(
            f"{peer.name}: {len(arrivals)} of {EVENTS} events had arrived after {LONGEST:.0f} s {errors}"
        )
    logged = json.loads(output.splitlines()[-1])["logged"]
    times = sorted((arrivals[row] - at) / 1e6 for row, at in enumerate(logged))
    return {"p50": quantile(times, 0.5), "max": times[-1], "mean": statistics.mean(times)}
