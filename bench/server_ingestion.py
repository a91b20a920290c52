"""What the local Amplitude costs per event: from a request's bytes to the commit, without HTTP.

Ordinary events of about 300 bytes, of 1,000 users, each with an insert_id of its own. Prints, for several
sizes of request, the CPU time per event and how many events one core takes in a second: first while there is
room, then while each event kept makes the server forget an old one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import orjson

from antinode.server.engine import Amplitude
from antinode.server.ingest.requests import Received

USERS = 1_000
KEY = "0123456789abcdef0123456789abcdef"


def bodies(events: int, batch: int) -> Iterator[bytes]:
    """Requests with `events` events in all."""
    for start in range(0, events, batch):
        listed = [
            {
                "event_type": ("Product Viewed", "Added to Cart", "Order Completed")[position % 3],
                "user_id": f"user-{position * 7919 % USERS:05d}",
                "time": 1_793_817_970_000 + position,
                "insert_id": str(uuid.uuid4()),
                "platform": "Web",
                "library": "antinode/0.1.0",
                "event_properties": {
                    "session": f"session-{position % 4096}",
                    "channel": "organic",
                    "cohort": "2026-10",
                    "lifecycle": "active",
                    "amount": position % 977 / 8,
                },
            }
            for position in range(start, min(start + batch, events))
        ]
        yield orjson.dumps({"api_key": KEY, "events": listed})


def ingest(amplitude: Amplitude, requests: list[bytes]) -> float:
    """Seconds of CPU time that the engine takes for these requests."""
    begun = time.process_time()
    for body in requests:
        answer = amplitude.receive(
            Received(
                method="POST", path="/batch", body=body, content_type="application/json", wire_size=len(body)
            )
        )
        if answer.status != 200:
            raise RuntimeError(answer.body[:200])
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=40_000, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="*", default=[200, 1000, 2000])
    parser.add_argument("--file", action="store_true", help="keep them in a file instead of in memory")
    arguments = parser.parse_args()
    for batch in arguments.batches:
        for is_full in (False, True):
            # The rounds alternate with the making of their requests, which is not counted.
            with tempfile.TemporaryDirectory() as folder:
                data = Path(folder, "data.sqlite") if arguments.file else None
                with Amplitude(data=data, max_events=arguments.events if is_full else None) as amplitude:
                    if is_full:
                        ingest(amplitude, list(bodies(arguments.events, batch)))
                    costs = []
                    for _ in range(arguments.rounds):
                        requests = list(bodies(arguments.events, batch))
                        costs.append(ingest(amplitude, requests) / arguments.events)
            size = sum(map(len, requests)) / arguments.events
            cost = statistics.median(costs)
            room = "full" if is_full else "room"
            sys.stdout.write(
                f"{batch:>5} a request, {room}: {cost * 1e6:5.1f} us CPU an event, "
                f"{1 / cost:>8,.0f} events/s ({size:.0f} bytes each)\n"
            )


if __name__ == "__main__":
    main()
