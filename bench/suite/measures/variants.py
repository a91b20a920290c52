"""antinode as production has it: TLS and gzip, the spool, middleware, objects for events."""

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

    is_secure: bool = False
    has_spool: bool = False


PRODUCTION = "with TLS and gzip"
SPOOL, ONE, THREE = "with the spool", "with a middleware", "with three middlewares"
EVENT, TYPED = "logging Event objects", "logging typed events"
IDENTIFY, REVENUE = "calling identify", "calling revenue"
IDENTIFY_DICT, REVENUE_DICT = "logging identify as a dict", "logging revenue as a dict"
VARIANTS = (
    Variant(PRODUCTION, {"gzip": True}, has_floor=True, is_secure=True),
    Variant("", {}, has_floor=True),
    Variant("with gzip", {"gzip": True}, has_floor=True),
    Variant("with TLS", {}, has_floor=True, is_secure=True),
    Variant(SPOOL, {}, has_spool=True),
    Variant(ONE, {"middleware": 1}),
    Variant(THREE, {"middleware": 3}),
    Variant(EVENT, {"form": "Event"}),
    Variant(TYPED, {"form": "typed"}),
    Variant(IDENTIFY, {"form": "identify"}),
    Variant(IDENTIFY_DICT, {"form": "identify as a dict"}),
    Variant(REVENUE, {"form": "revenue"}),
    Variant(REVENUE_DICT, {"form": "revenue as a dict"}),
)
SECTIONS = (
    Section(
        "variants",
        "flights",
        "Delivery, flights, as production has it",
        (
            Column("cpu", "CPU/event", "µs"),
            Column("rate", "events/s", "/s"),
            Column("bytes", "sent/event", "B"),
        ),
        "cpu",
    ),
)


def named(peer: Peer, variant: str) -> str:
    """What the peer is called in a row."""
    return f"{peer.name} {variant}".strip()


def run(bench: Bench) -> None:
    certificate = make_certificate(bench.directory)
    # Each variant takes part as a peer of its own, so that all of them alternate.
    taking_part: dict[Peer, Variant] = {}
    for variant in VARIANTS:
        for peer in (FLOOR, ANTINODE) if variant.has_floor else (ANTINODE,):
            taking_part[peer._replace(name=named(peer, variant.name))] = variant
    with SinkProcess() as sink, SinkProcess(certificate=certificate.key) as secure:

        def one(peer: Peer) -> dict[str, float]:
            variant = taking_part[peer]
            with TemporaryDirectory(dir=bench.directory) as directory:
                settings: Settings = {**TUNED, **variant.settings}
                if variant.has_spool:
                    settings["spool"] = str(Path(directory))
                if variant.is_secure:
                    settings["ca"] = certificate.authority
                spec = {"events": bench.events(peer, 0.5)}
                return bench.deliver(peer, secure if variant.is_secure else sink, spec, settings)

        bench.rounds("variants", "flights", list(taking_part), bench.plan.few_rounds, one)
