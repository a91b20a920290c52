"""How long an import takes, and how long it is from nothing to the first event delivered."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from bench.suite.bench import TUNED, Bench, Failed
from bench.suite.peers import FLOOR, Peer
from bench.suite.sections import Column, Section
from bench.suite.sink_process import SinkProcess

SECTIONS = (
    Section(
        "import",
        "fresh",
        "Import, in a fresh interpreter",
        (Column("time", "time", "ms"), Column("modules", "modules", "#")),
        "time",
        "antinode",
    ),
    Section(
        "cold start",
        "first event",
        "From starting the interpreter to the first event's arrival",
        (Column("time", "time", "ms"),),
        "time",
        "antinode",
    ),
)
_IMPORT = """
import sys, time
loaded, begun = len(sys.modules), time.perf_counter()
import {name}
print('{{"time": %r, "modules": %d}}' % ((time.perf_counter() - begun) * 1e3, len(sys.modules) - loaded))
"""


def run(bench: Bench) -> None:
    peers = [peer for peer in bench.chosen() if peer != FLOOR]
    bench.rounds("import", "fresh", peers, 3 * bench.plan.rounds, lambda peer: _import(bench, peer))
    bench.rounds("cold start", "first event", peers, bench.plan.rounds, lambda peer: _cold(bench, peer))


def _import(bench: Bench, peer: Peer) -> dict[str, float]:
    if peer.is_node:
        return bench.figures(peer, {"task": "import", "imported": peer.imported})
    command = [sys.executable, "-I", "-c", _IMPORT.format(name=peer.imported)]
    figures: dict[str, float] = json.loads(subprocess.check_output(command, text=True))  # noqa: S603 - our own
    return figures


def _cold(bench: Bench, peer: Peer) -> dict[str, float]:
    with SinkProcess(keep=True) as sink:
        spec = {"task": "first", "url": sink.url, "workload": bench.flights, "settings": TUNED}
        started = time.monotonic_ns()
        bench.figures(peer, spec)
        arrivals = sink.arrivals()
    if not arrivals:
        raise Failed(f"{peer.name}: the first event did not arrive")
    return {"time": (arrivals[0][1] - started) / 1e6}
