"""antinode beside its peers on the same events: medians over several alternating rounds, and ratios."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from antinode.testing import EndpointProcess

WORKLOAD = Path(__file__).with_name("workload.py")
# The slow contender gets fewer events: its figures are per event.
EVENTS = {"floor": 100_000, "antinode": 100_000, "amplitude-analytics": 10_000}
PACED_EVENTS = 6_000
PACED_RATE = 2_000.0


def run(contender: str, events: int, *, rate: float = 0.0) -> dict[str, float]:
    """One round in a fresh process against a fresh endpoint; fails if not every event arrived."""
    with EndpointProcess("--keep", "ids") as endpoint:
        command = [sys.executable, str(WORKLOAD), contender, endpoint.url, str(events), "--rate", str(rate)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own
        arrived = endpoint.ledger(events=events, timeout=60)["events"]
    if arrived != events:
        raise SystemExit(f"{contender}: {arrived} of {events} events arrived")
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    fast: dict[str, list[dict[str, float]]] = {name: [] for name in EVENTS}
    paced: dict[str, list[dict[str, float]]] = {name: [] for name in EVENTS if name != "floor"}
    for _ in range(arguments.rounds):
        for name, events in EVENTS.items():
            fast[name].append(run(name, events))
        for name, rounds in paced.items():
            rounds.append(run(name, PACED_EVENTS, rate=PACED_RATE))

    def median(rounds: list[dict[str, float]], figure: str) -> float:
        return statistics.median(each[figure] for each in rounds)

    lines = [f"{'':22}{'CPU/event':>12}{'call p50':>12}{'call p99.9':>14}{'events/s':>12}{'peak':>10}"]
    for name, rounds in fast.items():
        lines.append(
            f"{name:22}{median(rounds, 'cpu_us'):>9.1f} µs{median(rounds, 'p50_us'):>9.1f} µs"
            f"{median(rounds, 'p999_us'):>11.1f} µs{median(rounds, 'events_per_s'):>12,.0f}"
            f"{median(rounds, 'peak_mb'):>7.0f} MB"
        )
    lines.append("")
    lines.append(f"at {PACED_RATE:,.0f} calls a second, uploads running:")
    for name, rounds in paced.items():
        lines.append(
            f"{name:22}{median(rounds, 'cpu_us'):>9.1f} µs{median(rounds, 'p50_us'):>9.1f} µs"
            f"{median(rounds, 'p999_us'):>11.1f} µs"
        )
    own, floor, peer = (median(fast[name], "cpu_us") for name in ("antinode", "floor", "amplitude-analytics"))
    lines.append("")
    lines.append(
        f"CPU per delivered event: {own / floor:.2f} times the floor's, 1/{peer / own:.0f} of the peer's"
    )
    own, peer = (median(paced[name], "p999_us") for name in ("antinode", "amplitude-analytics"))
    lines.append(f"call p99.9 under load: 1/{peer / own:.0f} of the peer's")
    sys.stdout.write("\n".join(lines) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps({"fast": fast, "paced": paced}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
