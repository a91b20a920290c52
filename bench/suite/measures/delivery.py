"""CPU per delivered event and events a second, as fast as it goes, with events of three sizes."""

from __future__ import annotations

from bench.suite.bench import Bench, Failed, Spec
from bench.suite.peers import Peer
from bench.suite.peers.session import Settings
from bench.suite.sections import CALLS, Column, Section
from bench.suite.sink_process import SinkProcess

VERIFIED = 5_000
COLUMNS = (
    Column("cpu", "CPU/event", "µs"),
    Column("rate", "events/s", "/s"),
    Column("batch", "events/request", "#"),
    Column("bytes", "sent/event", "B"),
)
# Share of a full run's events, bytes, and events in a request: as many as the API's megabyte holds.
SIZES = {"small": (1.0, 150, 2_000), "large": (0.1, 5_000, 180)}
SECTIONS = (
    Section(
        "delivery",
        "flights",
        "Delivery, flights: building, logging, sending; the whole process",
        COLUMNS,
        "cpu",
    ),
    Section("delivery", "small", "Delivery, events of about 150 B", COLUMNS, "cpu"),
    Section("delivery", "large", "Delivery, events of about 5 KB", COLUMNS, "cpu"),
    Section(
        "calls", "saturated", "A call's time, as fast as it goes, uploads running", CALLS, "p50", "antinode"
    ),
)


def verify(bench: Bench) -> None:
    """Leave out every peer that does not deliver each event exactly once, seen by decoding its requests."""
    trusted = []
    for peer in bench.peers:
        with SinkProcess(keep=True) as sink:
            try:
                bench.deliver(peer, sink, {"events": VERIFIED})
            except Failed as failure:
                bench.results.left_out.append(f"everywhere: {failure}")
                continue
            rows = sorted(row for row, _ in sink.arrivals())
        if rows == list(range(VERIFIED)):
            trusted.append(peer)
        else:
            bench.results.left_out.append(f"everywhere: {peer.name} did not deliver each event exactly once")
    bench.peers = tuple(trusted)


def run(bench: Bench) -> None:
    with SinkProcess() as sink:

        def flights(peer: Peer) -> dict[str, float]:
            return bench.deliver(peer, sink, {"events": bench.events(peer)})

        def timed(peer: Peer) -> dict[str, float]:
            return bench.deliver(peer, sink, {"events": bench.events(peer, 0.5), "timed": True})

        bench.rounds("delivery", "flights", bench.chosen(), bench.plan.rounds, flights)
        bench.rounds("calls", "saturated", bench.chosen()[1:], bench.plan.few_rounds, timed)
        for case, (share, size, batch) in SIZES.items():
            workload: Spec = {"kind": "sized", "size": size, "users": 10_000}

            settings: Settings = {"batch": batch}

            def sized(
                peer: Peer, share: float = share, workload: Spec = workload, settings: Settings = settings
            ) -> dict[str, float]:
                # A slow peer's share of a tenth would be too few events to tell anything.
                count = max(int(bench.events(peer) * share), 4_000)
                return bench.deliver(peer, sink, {"events": count, "workload": workload}, settings)

            bench.rounds("delivery", case, bench.chosen(), min(bench.plan.few_rounds, 2), sized)
