"""One run of one contender, in a process of its own: log events, wait for their delivery, print figures."""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "examples" / "data" / "ecom.csv.gz"
KEY = "0123456789abcdef0123456789abcdef"


def rows(count: int) -> list[dict[str, str]]:
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    return [read[position % len(read)] for position in range(count)]


def event(row: dict[str, str], position: int) -> dict[str, Any]:
    return {
        "event_type": row["event"],
        "user_id": row["user_id"],
        "time": 1_710_000_000_000 + position,
        "insert_id": f"bench-{position}",
        "platform": row["platform"],
        "event_properties": {
            "session": row["session_id"],
            "channel": row["acquisition_channel"],
            "cohort": row["user_cohort"],
            "lifecycle": row["user_lifecycle"],
            "at": row["timestamp"],
        },
    }


Log = Callable[[dict[str, Any]], object]
Finish = Callable[[], object]


def antinode(url: str) -> tuple[Log, Finish]:
    import antinode  # noqa: PLC0415 - each contender is imported in its own process only

    client = antinode.init(KEY, server_url=url)
    return client.log_event, lambda: client.flush(60)


def floor(url: str) -> tuple[Log, Finish]:
    import http.client  # noqa: PLC0415 - as above
    from urllib.parse import urlsplit  # noqa: PLC0415 - as above

    import orjson  # noqa: PLC0415 - as above

    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    waiting: list[bytes] = []

    def send() -> None:
        body = b'{"api_key":"%b","events":[%b]}' % (KEY.encode(), b",".join(waiting))
        connection.request("POST", parts.path, body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        waiting.clear()

    def log(event: dict[str, Any]) -> None:
        waiting.append(orjson.dumps(event))
        if len(waiting) == 2000:
            send()

    return log, send


def amplitude(url: str) -> tuple[Log, Finish]:
    from amplitude import Amplitude, BaseEvent  # type: ignore[import-not-found]  # noqa: PLC0415 - as above

    client = Amplitude(KEY)
    client.configuration.server_url = url

    def log(event: dict[str, Any]) -> None:
        client.track(BaseEvent(**event))

    def finish() -> None:
        for future in client.flush() or []:
            if future is not None:
                future.result()

    return log, finish


CONTENDERS = {"antinode": antinode, "floor": floor, "amplitude-analytics": amplitude}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("url")
    parser.add_argument("events", type=int)
    parser.add_argument("--rate", type=float, default=0.0, help="calls a second; 0: as fast as it goes")
    arguments = parser.parse_args()
    source = rows(arguments.events)
    log, finish = CONTENDERS[arguments.contender](arguments.url)
    clock = time.perf_counter
    calls = []
    pause = 1 / arguments.rate if arguments.rate else 0.0
    cpu, begun = time.process_time(), clock()
    for position, row in enumerate(source):
        if pause and (early := begun + position * pause - clock()) > 0:
            time.sleep(early)
        logged = event(row, position)
        before = clock()
        log(logged)
        calls.append(clock() - before)
    finish()
    cpu, elapsed = time.process_time() - cpu, clock() - begun
    calls.sort()
    figures = {
        "cpu_us": cpu / len(calls) * 1e6,
        "p50_us": calls[len(calls) // 2] * 1e6,
        "p999_us": calls[int(len(calls) * 0.999)] * 1e6,
        "events_per_s": len(calls) / elapsed,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
