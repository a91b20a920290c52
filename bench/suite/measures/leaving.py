"""How long a program takes to end after its last line, and what of its events is delivered."""

from __future__ import annotations

import json
import subprocess
import time

from bench.suite.bench import Bench, Failed
from bench.suite.peers import FLOOR, Peer
from bench.suite.sections import Column, Section
from bench.suite.sink_process import SinkProcess

FULL = 10_000
LONGEST = 40.0
SECTIONS = (
    Section(
        "exit", "empty", "Exit with an empty queue", (Column("time", "time", "ms"),),
        "time", "antinode",
    ),
    Section(
        "exit",
        "full",
        f"Exit right after logging {FULL:,} events, default settings, without a call to flush",
        (Column("time", "time", "ms"), Column("delivered", "delivered", "%")),
        "time",
        "antinode",
    ),
)  # fmt: skip


def run(bench: Bench) -> None:
    peers = [peer for peer in bench.chosen() if peer != FLOOR]
    # Milliseconds, of which one interruption is a fifth.
    bench.rounds("exit", "empty", peers, bench.plan.rounds, lambda peer: _leave(bench, peer, 0))
    rounds = min(bench.plan.few_rounds, 2)
    bench.rounds("exit", "full", peers, rounds, lambda peer: _leave(bench, peer, FULL))


def _leave(bench: Bench, peer: Peer, events: int) -> dict[str, float]:
    with SinkProcess() as sink:
        spec = {"task": "leave", "url": sink.url, "workload": bench.flights, "settings": {}, "events": events}
        with bench.start(peer, spec) as process:
            try:
                output, errors = process.communicate(timeout=LONGEST)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Failed(f"{peer.name} had not ended after {LONGEST:.0f} s") from None
            ended = time.monotonic_ns()
        if process.returncode:
            raise Failed(f"{peer.name} ended with {process.returncode}: {errors[-300:]}")
        arrived = sink.stats()["events"]
    last_line = json.loads(output.splitlines()[-1])["ended"]
    figures = {"time": (ended - last_line) / 1e6}
    return {**figures, "delivered": arrived / events * 100} if events else figures
