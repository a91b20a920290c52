"""Runs peers in turn, each time in a fresh process, and keeps what they tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.suite.environment import NODE_PREFIX, Environment
from bench.suite.peers import BATCH, PEERS, Peer
from bench.suite.peers.session import Settings
from bench.suite.results import Results
from bench.suite.sink_process import ROOT, SinkProcess
from bench.suite.workloads import read_flights

HERE = Path(__file__).parent
ROWS = 20_000
"""Flights that are read; longer runs log them again under other insert_ids."""
TUNED: Settings = {"batch": BATCH}
SLOW = 5.0
"""Seconds; in the measures that mostly wait, what took longer is not repeated."""

Spec = dict[str, Any]


class Failed(Exception):
    """A run did not do what it should have; the peer is left out of that measure."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    events: int = 200_000
    """In a run of the floor and of antinode; the others get their share of it."""
    rounds: int = 5
    few_rounds: int = 3
    paced_seconds: float = 4.0
    growth_events: int = 1_000_000


QUICK = Plan(events=40_000, rounds=2, few_rounds=1, paced_seconds=1.5, growth_events=100_000)


class Bench:
    """The machinery that every measure uses."""

    def __init__(
        self, plan: Plan, environment: Environment, directory: Path, encoder: str = "orjson"
    ) -> None:
        self.plan = plan
        self.peers = environment.peers
        self.results = Results()
        self.directory = directory
        self.encoder = encoder
        self._node = environment.node
        rows = directory / "flights.json"
        rows.write_text(json.dumps(read_flights(ROWS)), encoding="utf-8")
        self.flights: Spec = {"kind": "flights", "rows": str(rows)}

    def events(self, peer: Peer, share: float = 1.0) -> int:
        """How many events `peer` logs in a run that is `share` of a full one."""
        return max(2 * BATCH, int(self.plan.events * peer.share * share))

    def chosen(self, *peers: Peer) -> list[Peer]:
        """Those of `peers` that are there, or all that are."""
        return [peer for peer in self.peers if not peers or peer in peers]

    def rounds(
        self,
        measure: str,
        case: str,
        peers: Sequence[Peer],
        count: int,
        run: Callable[[Peer], dict[str, float]],
    ) -> None:
        """Let each peer run in turn, `count` times over, the first of a round changing."""
        taking_part = list(peers)
        for number in range(count):
            start = number % max(len(taking_part), 1)
            for peer in taking_part[start:] + taking_part[:start]:
                begun = time.monotonic()
                try:
                    figures = run(peer)
                except Failed as failure:
                    self.results.left_out.append(f"{measure}, {case}: {failure}")
                    taking_part.remove(peer)
                    continue
                self.results.add(measure, case, peer.name, figures)
                if time.monotonic() - begun > SLOW and measure in {"exit", "arrival", "memory"}:
                    taking_part.remove(peer)

    def command(self, peer: Peer, spec: Spec) -> list[str]:
        spec = {"module": peer.module, **spec}
        if peer.is_node:
            return [self._node, "--expose-gc", str(HERE / "worker.mjs"), json.dumps(spec)]
        return [sys.executable, "-m", "bench.suite.worker", json.dumps(spec)]

    def start(self, peer: Peer, spec: Spec) -> subprocess.Popen[str]:
        """The peer's process, at work on `spec`."""
        return subprocess.Popen(  # noqa: S603 - our own
            self.command(peer, spec),
            cwd=ROOT,
            env={**os.environ, "BENCH_NODE": str(NODE_PREFIX), "PYTHONDONTWRITEBYTECODE": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def figures(self, peer: Peer, spec: Spec, timeout: float = 150.0) -> dict[str, Any]:
        """Run `spec` to its end, and return the figures that it printed."""
        with self.start(peer, spec) as process:
            try:
                output, errors = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Failed(f"{peer.name} was not done after {timeout:.0f} s") from None
        if process.returncode:
            last = errors.strip().splitlines()[-1:] or ["no message"]
            raise Failed(f"{peer.name} ended with {process.returncode}: {last[0]:.300}")
        lines = output.strip().splitlines()
        figures: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        return figures

    def stream(self, peer: Peer, sink: SinkProcess, spec: Spec, settings: Settings) -> dict[str, Any]:
        """Run a stream of events, by default flights."""
        chosen = {**settings, "encoder": self.encoder}
        full = {"task": "stream", "url": sink.url, "workload": self.flights, "settings": chosen, **spec}
        return self.figures(peer, full)

    def deliver(
        self, peer: Peer, sink: SinkProcess, spec: Spec, settings: Settings | None = None
    ) -> dict[str, Any]:
        """Run a stream of events, and make sure that the sink got every one of them."""
        before = sink.stats()
        figures = self.stream(peer, sink, spec, TUNED if settings is None else settings)
        wanted = before["events"] + spec["events"]
        after = sink.stats()
        deadline = time.monotonic() + 2
        while after["events"] < wanted and time.monotonic() < deadline:
            time.sleep(0.01)
            after = sink.stats()
        if after["events"] != wanted:
            raise Failed(
                f"{peer.name} delivered {after['events'] - before['events']:,} of {spec['events']:,} events"
            )
        requests = after["requests"] - before["requests"]
        sent = (after["bytes"] - before["bytes"]) / spec["events"]
        return {**figures, "batch": spec["events"] / requests, "bytes": sent}


@contextmanager
def opened(plan: Plan, environment: Environment, encoder: str = "orjson") -> Iterator[Bench]:
    """A bench with a directory of its own for as long as it is used."""
    with TemporaryDirectory(prefix="antinode-bench-") as directory:
        yield Bench(plan, environment, Path(directory), encoder)


def peer_named(name: str) -> Peer:
    """The peer of that name."""
    (peer,) = (peer for peer in PEERS if peer.name == name)
    return peer
