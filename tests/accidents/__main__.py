"""`python -m tests.accidents`: have accidents happen, print the table, perhaps write the page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path

from tests.accidents import runner, table
from tests.accidents.catalogue import ACCIDENTS, Accident, with_sdk
from tests.accidents.judgement import Finding


def main() -> int:
    """Run what the command line names. 1 if something was not as expected; then no page is written."""
    options = _arguments()
    chosen = [accident for accident in ACCIDENTS if not options.names or accident.name in options.names]
    if options.sdk != "antinode":
        chosen = [with_sdk(accident, options.sdk) for accident in chosen]
    findings = happen(chosen)
    print(table.as_markdown(findings), end="")
    failed = [finding for finding in findings if finding.problems or finding.delays]
    for finding in failed:
        print(f"\n{finding.accident.name}:", *finding.problems, *finding.delays, sep="\n  ")
    if options.write is not None and not failed:
        options.write.write_text(table.as_page(findings), encoding="utf-8")
    return 1 if failed else 0


def happen(accidents: Sequence[Accident]) -> list[Finding]:
    """The findings in the order of the accidents; progress goes to standard error."""
    with runner.make_pool(accidents) as pool:
        futures = runner.start(accidents, pool)
        for count, future in enumerate(as_completed(futures.values()), start=1):
            name = future.result().accident.name
            print(f"{count}/{len(futures)} {name}", file=sys.stderr, flush=True)
    return [futures[accident.name].result() for accident in accidents]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.accidents", description=main.__doc__)
    names = [accident.name for accident in ACCIDENTS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which accidents: {', '.join(names)}")
    parser.add_argument(
        "--sdk",
        choices=("antinode", "antinode.amplitude", "amplitude"),
        default="antinode",
        help="what tracks the events: antinode, its drop-in, or the official SDK; default: antinode",
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep the table of all in this page")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"there is no accident {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if options.write is not None and (options.names or options.sdk != "antinode"):
        parser.error("the page has all accidents of antinode itself: give --write alone")
    return options


if __name__ == "__main__":
    sys.exit(main())
