"""What `storage=` costs a client beside keeping events in memory alone, and how it delivers a long backlog.

`python bench/storage.py [--events N] [--rounds N]`. Each figure is the median over alternating rounds in
fresh processes. The caller's cost is the CPU time of the thread that logs; delivery's that of the whole
process, from the first call until everything is delivered through a transport that answers at once: what HTTP
costs is the same in every mode. Files go to a temporary directory (see TMPDIR).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import antinode
from spool import peak

KEY = "0123456789abcdef0123456789abcdef"
MODES = ("memory", "process", "interval", "strict")
STRICT_EVENTS = 2_000
"""Each waits for the disk."""


class Instant:
    """Accepts everything at once."""

    def __init__(self) -> None:
        self.first: float | None = None
        self._answer = antinode.HttpResponse(200, {}, b'{"code":200}')

    def send(self, request: antinode.Request) -> antinode.HttpResponse:  # noqa: ARG002 - a transport's signature
        if self.first is None:
            self.first = time.perf_counter()
        return self._answer

    def close(self) -> None:
        """Nothing is open."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000, help="per round (default: 100,000)")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument(
        "--backlog", type=int, default=1_000_000, help="events to recover (default: 1,000,000)"
    )
    parser.add_argument("--run", nargs=3, metavar=("WHAT", "DIRECTORY", "EVENTS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        what, directory, events = options.run
        figures = (recover if what == "recover" else log)(what, directory, int(events))
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    compare(options.events, options.rounds)
    backlog(options.backlog)


def compare(events: int, rounds: int) -> None:
    taken: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for _ in range(rounds):
        for mode, figures in taken.items():
            with tempfile.TemporaryDirectory() as directory:
                figures.append(run(mode, directory, STRICT_EVENTS if mode == "strict" else events))
    say(f"{'':12}{'call, µs':>12}{'more':>8}{'delivered, µs of CPU':>24}{'more':>8}")
    base = {name: median(taken["memory"], name) for name in ("call", "delivered")}
    for mode, figures in taken.items():
        call, delivered = median(figures, "call"), median(figures, "delivered")
        say(
            f"{mode:12}{call:12.2f}{call - base['call']:+8.2f}"
            f"{delivered:24.2f}{delivered - base['delivered']:+8.2f}"
        )


def backlog(events: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        run("leave", directory, events)
        figures = run("recover", directory, events)
    say(
        f"\n{events:,} events left by a killed process: the first upload {figures['first'] * 1000:.0f} ms "
        f"after init(), all delivered in {figures['seconds']:.1f} s ({figures['cpu']:.1f} s of CPU), "
        f"peak memory {figures['peak']:.0f} MB"
    )


def run(what: str, directory: str, events: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--run", what, directory, str(events)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this file itself
    if done.returncode not in {0, -9}:
        raise SystemExit(f"{what} failed")
    return json.loads(done.stdout) if done.returncode == 0 else {}


def log(mode: str, directory: str, events: int) -> dict[str, float]:
    """Log so many events and have them delivered; mode "leave": be killed before anything is."""
    options: dict[str, Any] = {} if mode == "memory" else {"storage": directory, "max_spool_bytes": 4 << 30}
    if mode in ("interval", "strict"):
        options["durability"] = mode
    if mode == "leave":
        options["server_url"] = "http://127.0.0.1:9/2/httpapi"
    else:
        options["transport"] = Instant()
    client = antinode.Client().init(KEY, max_queue_events=max(events, 1_000_000), **options)
    client.log_event(event(0))
    client.flush(60)
    cpu, own = time.process_time(), time.thread_time()
    for number in range(1, events):
        client.log_event(event(number))
    own = time.thread_time() - own
    if mode == "leave":
        os.kill(os.getpid(), 9)
    if not client.flush(120).complete:
        raise SystemExit("not everything was delivered")
    return {"call": own / events * 1e6, "delivered": (time.process_time() - cpu) / events * 1e6}


def recover(_: str, directory: str, events: int) -> dict[str, float]:
    transport = Instant()
    begun = time.perf_counter()
    client = antinode.Client().init(KEY, storage=directory, max_spool_bytes=4 << 30, transport=transport)
    report = client.flush(300)
    seconds, cpu = time.perf_counter() - begun, time.process_time()
    if report.delivered != events or transport.first is None:
        raise SystemExit(f"{report.delivered:,} of {events:,} events were delivered")
    return {"first": transport.first - begun, "seconds": seconds, "cpu": cpu, "peak": peak()}


def event(number: int) -> dict[str, Any]:
    """About 300 bytes as sent."""
    return {
        "event_type": "Song Played",
        "user_id": f"user-{number % 5000}",
        "event_properties": {
            "title": "Ascension",
            "artist": "John Coltrane",
            "seconds": 2417,
            "position": number,
            "playlist": "late-night-listening",
            "shuffle": False,
        },
    }


def median(figures: list[dict[str, float]], name: str) -> float:
    return statistics.median(each[name] for each in figures)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
