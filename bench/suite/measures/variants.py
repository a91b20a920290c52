"""antinode and the floor with gzip and TLS, antinode with the spool and with a middleware."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.suite.bench import TUNED, Bench
from bench.suite.certificate import make_certificate
from bench.suite.peers import ANTINODE, FLOOR, Peer
from bench.suite.peers.session import Settings
from bench.suite.sections import Column, Section
from bench.suite.sink_process import SinkProcess


class Variant(NamedTuple):
    """What is switched on."""

    name: str
    settings: Settings
    has_floor: bool = False
    """Whether the floor can do it too."""


SPOOL, TLS = "with the spool", "with TLS"
VARIANTS = (
    Variant("", {}, has_floor=True),
    Variant("with gzip", {"gzip": True}, has_floor=True),
    Variant(TLS, {}, has_floor=True),
    Variant(SPOOL, {}),
    Variant("with a middleware", {"middleware": True}),
)
SECTIONS = (
    Section(
        "variants",
        "flights",
        "Delivery, flights, with one thing switched on",
        (
            Column("cpu", "CPU/event", "µs"),
            Column("rate", "events/s", "/s"),
            Column("bytes", "sent/event", "B"),
        ),
        "cpu",
    ),
)


def run(bench: Bench) -> None:
    certificate = make_certificate(bench.directory)
    # Each variant takes part as a peer of its own, so that all of them alternate.
    taking_part: dict[Peer, Variant] = {}
    for variant in VARIANTS:
        for peer in (FLOOR, ANTINODE) if variant.has_floor else (ANTINODE,):
            taking_part[peer._replace(name=f"{peer.name} {variant.name}".strip())] = variant
    with SinkProcess() as sink, SinkProcess(certificate=certificate.key) as secure:

        def one(peer: Peer) -> dict[str, float]:
            variant = taking_part[peer]
            with TemporaryDirectory(dir=bench.directory) as directory:
                settings: Settings = {**TUNED, **variant.settings}
                if variant.name == SPOOL:
                    settings["spool"] = str(Path(directory))
                if variant.name == TLS:
                    settings["ca"] = certificate.authority
                spec = {"events": bench.events(peer, 0.5)}
                return bench.deliver(peer, secure if variant.name == TLS else sink, spec, settings)

        bench.rounds("variants", "flights", list(taking_part), bench.plan.few_rounds, one)
