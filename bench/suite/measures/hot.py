"""The caller's median time per call, to encoding the same event alone."""

from __future__ import annotations

from bench.suite.bench import Bench
from bench.suite.peers import ANTINODE, Peer
from bench.suite.sections import TIMES, Column, Section

SECTIONS = (
    Section(
        "hot path",
        "flights",
        "`log_event` alone, beside encoding the same event (bare: antinode adds time and insert_id)",
        (
            Column("encode", "encoding", "ns"),
            Column("call", "log_event", "ns"),
            Column("ratio", "times", TIMES),
            Column("bare", "bare", "ns"),
            Column("bare_ratio", "times", TIMES),
        ),
    ),
)


def run(bench: Bench) -> None:
    def one(peer: Peer) -> dict[str, float]:
        spec = {"task": "hot_path", "url": "", "workload": bench.flights, "rounds": 25}
        return bench.figures(peer, {**spec, "settings": {"encoder": bench.encoder}})

    bench.rounds("hot path", "flights", bench.chosen(ANTINODE), bench.plan.few_rounds, one)
