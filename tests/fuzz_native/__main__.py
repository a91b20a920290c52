"""`python -m tests.fuzz_native`: log what changes, in hostile surroundings, until something is wrong."""

from __future__ import annotations

import argparse
import faulthandler
import sys
import time

from antinode import _speedups
from tests.fuzz_native.rounds import Round

HANG = 300
"""Seconds after which a round is taken to hang."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next has the next one")
    parser.add_argument("--seconds", type=float, help="go on for so long, rather than for some rounds")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=100, help="of each of three threads in a round")
    given = parser.parse_args()
    faulthandler.enable()
    started = time.monotonic()
    rounds = calls = sent = findings = 0
    while rounds < given.rounds if given.seconds is None else time.monotonic() < started + given.seconds:
        faulthandler.dump_traceback_later(HANG, exit=True)
        seed = given.seed + rounds
        played = Round(seed, given.calls)
        result = played.play()
        rounds, calls, sent = rounds + 1, calls + result.calls, sent + result.sent
        findings += len(result.findings)
        for finding in result.findings[:5]:
            sys.stdout.write(f"{played.told}: {finding}\n")
        if rounds % 100 == 0:
            tell(rounds, calls, sent, findings, started)
    faulthandler.cancel_dump_traceback_later()
    tell(rounds, calls, sent, findings, started)
    return 1 if findings else 0


def tell(rounds: int, calls: int, sent: int, findings: int, started: float) -> None:
    path = "in Python" if _speedups.native is None else "compiled"
    sys.stdout.write(
        f"{path}: {rounds:,} rounds, {calls:,} events logged, {sent:,} sent, {findings} findings, "
        f"{time.monotonic() - started:,.0f} s\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
