"""How many events a second a local Amplitude takes over HTTP, and what one costs it.

    python bench/server_http.py            the server on one core, the sender beside it

The server and the sender are processes of their own. The page's live stream is read meanwhile, as an open
page would. What counts is the server's CPU time per event: under 25 µs, one core is enough for 40,000 a
second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import threading
import time

from local_server import ServerProcess
from uploads import Connections, bodies, connect, get

GOAL = 40_000
WARM_UP = 20_000


class OpenPage(threading.Thread):
    """Reads the live stream, and counts its messages."""

    def __init__(self, url: str) -> None:
        super().__init__(name="open-page", daemon=True)
        self._connection = connect(url)
        self.ticks = 0
        self.longest_gap_s = 0.0

    def run(self) -> None:
        self._connection.request("GET", "/api/live", headers={"Accept": "text/event-stream"})
        last = time.perf_counter()
        for line in self._connection.getresponse():
            if line.startswith(b"event: tick"):
                now = time.perf_counter()
                self.longest_gap_s = max(self.longest_gap_s, now - last)
                last, self.ticks = now, self.ticks + 1


def run(arguments: argparse.Namespace, warm_up: list[bytes], requests: list[bytes]) -> dict[str, float]:
    """The figures of one round, against a fresh server; fails if not everything was stored."""
    core = None if arguments.all_cores else max(range(os.cpu_count() or 1))
    with ServerProcess(max_events=arguments.max_events, core=core) as server:
        connections = Connections(server.url, arguments.connections, path=arguments.path)
        connections.send(warm_up)
        page = OpenPage(server.url)
        page.start()
        before, begun = server.usage(), time.perf_counter()
        statuses = connections.send(requests)
        elapsed, after = time.perf_counter() - begun, server.usage()
        stored = get(server.url, "/api/stats")["totals"]["events"]
        connections.close()
    if set(statuses) != {200} or stored < arguments.events:
        raise SystemExit(f"answers {dict(statuses)}, {stored:,} events stored")
    return {
        "events_per_s": arguments.events / elapsed,
        "cpu_us_per_event": (after.cpu_s - before.cpu_s) / arguments.events * 1e6,
        "ticks_per_s": page.ticks / elapsed,
        "longest_gap_s": page.longest_gap_s,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=1_000, help="events per request")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--max-events", type=int, default=200_000, help="how many the server keeps")
    parser.add_argument("--path", default="/2/httpapi")
    parser.add_argument("--all-cores", action="store_true", help="do not hold the server to one core")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    everything = bodies(WARM_UP + arguments.events, size=arguments.size, users=arguments.users, mixed=False)
    warm_up = [next(everything) for _ in range(WARM_UP // arguments.size)]
    # Made beforehand, so that the sender is not what is measured.
    requests = list(everything)
    rounds = [run(arguments, warm_up, requests) for _ in range(arguments.rounds)]
    figures = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    capacity = 1e6 / figures["cpu_us_per_event"]
    if arguments.json:
        sys.stdout.write(json.dumps({**figures, "events_per_core_second": capacity}) + "\n")
        return
    size = sum(map(len, requests)) / arguments.events
    where = "on all cores" if arguments.all_cores else "on one core"
    verdict = "is" if capacity >= GOAL else "is NOT"
    sys.stdout.write(
        f"{arguments.events:,} events of {size:.0f} bytes, {arguments.size:,} per request, over "
        f"{arguments.connections} connections; the server {where}; median of {arguments.rounds} rounds\n"
        f"events a second            {figures['events_per_s']:9,.0f}\n"
        f"server CPU per event       {figures['cpu_us_per_event']:9.1f} µs\n"
        f"events a second of CPU     {capacity:9,.0f}      one core {verdict} enough for {GOAL:,} a second\n"
        f"live messages a second     {figures['ticks_per_s']:9.1f}      "
        f"longest pause {figures['longest_gap_s']:.2f} s\n"
    )


if __name__ == "__main__":
    main()
