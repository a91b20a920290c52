"""A long run of a local Amplitude over HTTP, to show that its memory does not grow with what it has taken.

    python bench/server_soak.py --events 1000000

Identifies, duplicates and refused requests are among the events. The server's resident memory is read when
a fifth of the events are sent, which is after it began to forget the oldest, and again at the end. Exit
status 1 if it grew by more than `--allowed-mb`, if anything went uncounted, or if more was kept than asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

from local_server import ServerProcess
from uploads import Connections, bodies, get

STEPS = 10


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The figures of one run."""
    requests = bodies(arguments.events, size=arguments.size, users=arguments.users, mixed=True)
    each = -(-arguments.events // arguments.size) // STEPS
    statuses: Counter[int] = Counter()
    resident: list[float | None] = []
    with ServerProcess(max_events=arguments.max_events, data=arguments.data) as server:
        connections = Connections(server.url, arguments.connections)
        for step in range(STEPS):
            statuses += connections.send(islice(requests, each if step < STEPS - 1 else None))
            resident.append(server.usage().resident_mb)
        stats = get(server.url, "/api/stats")
        connections.close()
    totals = stats["totals"]
    return {
        "events": arguments.events,
        "requests": statuses,
        "counted": sum(totals[each] for each in ("events", "duplicates", "rejected", "returned")),
        "totals": totals,
        "kept": stats["stored_events"],
        "max_events": arguments.max_events,
        "users": stats["users"],
        "resident_mb": resident,
    }


def failures(figures: dict[str, Any], allowed_mb: float) -> list[str]:
    """What is wrong with the figures, in words."""
    found = []
    if set(figures["requests"]) - {200, 400}:
        found.append(f"answers: {dict(figures['requests'])}")
    if figures["counted"] != figures["events"]:
        found.append(f"{figures['counted']:,} of {figures['events']:,} events were counted")
    if figures["kept"] > figures["max_events"]:
        found.append(f"{figures['kept']:,} events are kept, more than {figures['max_events']:,}")
    early, late = figures["resident_mb"][STEPS // 5 - 1], figures["resident_mb"][-1]
    if early is not None and late - early > allowed_mb:
        found.append(f"memory grew from {early:.1f} MB to {late:.1f} MB")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--max-events", type=int, default=50_000, help="how many the server keeps")
    parser.add_argument("--size", type=int, default=500, help="events per request")
    parser.add_argument("--users", type=int, default=1_000_000, help="how many users they come from")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--data", type=Path, help="a new file to store in, instead of memory")
    parser.add_argument("--allowed-mb", type=float, default=20.0)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    figures = run(arguments)
    wrong = failures(figures, arguments.allowed_mb)
    if arguments.json:
        sys.stdout.write(json.dumps({**figures, "failures": wrong}) + "\n")
    else:
        memory = ", ".join("?" if each is None else f"{each:.0f}" for each in figures["resident_mb"])
        sys.stdout.write(
            f"{figures['events']:,} events in {sum(figures['requests'].values()):,} requests\n"
            f"stored {figures['totals']['events']:,}, duplicates {figures['totals']['duplicates']:,}, "
            f"refused {figures['totals']['rejected'] + figures['totals']['returned']:,}\n"
            f"kept {figures['kept']:,} of at most {figures['max_events']:,}; {figures['users']:,} users\n"
            f"resident memory at each tenth, in MB: {memory}\n"
        )
        sys.stdout.writelines(f"FAILED: {each}\n" for each in wrong)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
