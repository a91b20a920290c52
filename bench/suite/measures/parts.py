"""What each part of antinode adds to a call: middleware, contexts, compression, another encoder."""

from __future__ import annotations

from bench.suite.bench import Bench
from bench.suite.peers import ANTINODE, Peer
from bench.suite.sections import PLAIN_CALL, Column, Section

MEASURE, CASE = "parts", "flights"
WITHOUT = {
    f"{PLAIN_CALL}, encoded by msgspec": "orjson",
    f"{PLAIN_CALL}, all in Python": "antinode._native",
    "gzip by zlib": "isal",
}
"""The rows that are of a process without some module."""
ROWS = (
    PLAIN_CALL,
    "a middleware that adds a property",
    "three of them",
    "in a context of two fields",
    "in a context that is merged",
    "`add_properties`",
    "`rename`",
    "`allow`",
    "`drop`",
    "`sample`",
    "`rate_limit`",
    "`hash_ids`",
    "`redact`",
    "`tee`, to a function",
    "`conform`, to a plan of this event",
    f"{PLAIN_CALL}, encoded by msgspec",
    f"{PLAIN_CALL}, all in Python",
    "gzip by ISA-L",
    "gzip by zlib",
    "`is_interruption`, once something was raised",
)
SECTIONS = (
    Section(
        MEASURE,
        CASE,
        "What each part costs its caller, with the call; gzip and `is_interruption` by themselves",
        (Column("cpu", "CPU/event", "µs"),),
        "cpu",
        PLAIN_CALL,
    ),
)


def run(bench: Bench) -> None:
    def one(row: Peer) -> dict[str, float]:
        spec = {"task": "parts", "url": "", "workload": bench.flights, "settings": {}}
        return bench.figures(ANTINODE, {**spec, "part": row.name, "without": WITHOUT.get(row.name)})

    rows = [ANTINODE._replace(name=name) for name in ROWS]
    bench.rounds(MEASURE, CASE, rows, bench.plan.few_rounds, one)
