"""`python -m tests.crash`: kill processes that share a spool, and see whether anything is lost.

The long run, of some twenty minutes, is `python -m tests.crash --rounds 1000 --failures 10000`.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time

from tests.crash.judgement import Finding, judge
from tests.crash.rounds import WEATHER, Rounds, make_endpoint


def main() -> int:
    """Run and print what came of it. 1 if a promise was broken; the directory is then kept."""
    options = _arguments()
    started = time.monotonic()
    directory = tempfile.mkdtemp(prefix="antinode-crash-", dir=options.directory)
    rounds, finding = crash(directory, options.rounds, options.seed, options.failures)
    account = rounds.account
    print(
        f"seed {options.seed}: {account.rounds} rounds, {account.starts} processes "
        f"({', '.join(f'{count} {end}' for end, count in sorted(account.ends.items()))}), "
        f"{account.refusals} refusals of the disk, {time.monotonic() - started:.0f} s"
    )
    print(
        f"{account.calls} calls of log_event had returned; {finding.arrived} events arrived, "
        f"{finding.unreturned} of them from calls cut off by the kill, and {finding.repeated} repeats "
        "under the same insert_id"
    )
    print(
        *(finding.problems or ["nothing missing, nothing twice, every user in order, no file left"]), sep="\n"
    )
    return 1 if finding.problems else 0


def crash(directory: str, number: int, seed: int, failures: int = 0) -> tuple[Rounds, Finding]:
    """So many rounds at least in this directory, until there were so many failures, and what came of them."""
    rounds = Rounds(directory, seed, failures)
    with make_endpoint() as endpoint:
        endpoint.answer({**WEATHER, "seed": seed})
        try:
            rounds.run(number, endpoint.url)
            endpoint.answer(None)
            rounds.drain(endpoint.url)
        finally:
            rounds.end()
        return rounds, judge(
            rounds.account, endpoint.events(), endpoint.ledger(), rounds.left(), rounds.set_aside()
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="at least; default: 300")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="default: a new one")
    parser.add_argument(
        "--failures",
        type=int,
        default=0,
        help="goes on until so many operations of the disk were refused, and all rounds are over; default: 0",
    )
    parser.add_argument("--directory", help="where the spool is made; default: the temporary directory")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
