"""`python -m bench.suite`: measure, print the tables, and write them as JSON and as charts."""

from __future__ import annotations

import argparse
import json
import sys
import time
import timeit
from dataclasses import replace
from pathlib import Path

from bench.suite import chart, document, report
from bench.suite.bench import QUICK, Bench, Plan, opened
from bench.suite.environment import describe, prepare
from bench.suite.measures import MEASURES, delivery
from bench.suite.peers.floor import encoder
from bench.suite.results import Results
from bench.suite.sink_process import ROOT
from bench.suite.workloads import maker

RESULTS = ROOT / "bench" / "results" / "latest.json"
FULL_GROWTH = 10_000_000


def main() -> None:
    arguments = _arguments()
    if arguments.show:
        kept = json.loads(arguments.show.read_text("utf-8"))
        results, about = Results.from_json(kept["figures"]), kept["about"]
        results.left_out = kept["left_out"]
    else:
        results, about = _measure(arguments)
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        kept = {"about": about, "left_out": results.left_out, "figures": results.to_json()}
        arguments.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(report.text(results, about))
    if arguments.docs:
        document.write(results, about)
    elif not arguments.show:
        for name, drawn in chart.charts(results).items():
            (arguments.json.parent / name).write_text(drawn, encoding="utf-8")
        sys.stdout.write(f"\nWritten to {arguments.json}, and charts beside it.\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.suite", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes, rougher figures")
    parser.add_argument("--full", action="store_true", help="growth up to ten million events")
    parser.add_argument(
        "--only", action="append", choices=MEASURES, help="measure only this; may be repeated"
    )
    parser.add_argument("--json", type=Path, default=RESULTS, help="write the figures here")
    parser.add_argument("--show", type=Path, metavar="JSON", help="measure nothing: show these figures")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md's figures and charts")
    arguments = parser.parse_args()
    if arguments.show and not arguments.show.exists():
        parser.error(f"there is no file {arguments.show}")
    return arguments


def _measure(arguments: argparse.Namespace) -> tuple[Results, dict[str, object]]:
    environment = prepare()
    plan = QUICK if arguments.quick else Plan()
    if arguments.full:
        plan = replace(plan, growth_events=FULL_GROWTH)
    begun = time.monotonic()
    with opened(plan, environment) as bench:
        bench.encoder = _faster_encoder(bench)
        bench.results.left_out += environment.skipped
        chosen = arguments.only or list(MEASURES)
        _tell("verifying that every peer delivers every event")
        delivery.verify(bench)
        for name in chosen:
            _tell(f"{time.monotonic() - begun:4.0f} s  {name}")
            MEASURES[name].run(bench)
        about = {
            **describe(environment),
            "encoder": bench.encoder,
            "events": plan.events,
            "rounds": plan.rounds,
            "seconds": round(time.monotonic() - begun),
        }
        return bench.results, about


def _faster_encoder(bench: Bench) -> str:
    event = maker(bench.flights)(0)

    def cost(name: str) -> float:
        encode = encoder(name)
        return min(timeit.repeat(lambda: encode(event), number=20_000, repeat=5))

    return min(("orjson", "msgspec"), key=cost)


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
