"""What the local Amplitude holds, beside what a file says should be there."""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from antinode.server import Api, Event


def shop_events(path: Path) -> Iterator[dict[str, Any]]:
    """Each row of the shop as the event that `SHOP_COLUMNS` should make of it, worked out on its own."""
    for row in _rows(path):
        moment = datetime.strptime(row["timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
        yield {
            "event_type": row["event"],
            "user_id": row["user_id"],
            "time": int(moment.timestamp()) * 1000,
            "platform": row["platform"],
            "event_properties": {
                key: row[key]
                for key in ("session_id", "acquisition_channel", "user_cohort", "user_lifecycle")
                if row[key]
            },
        }


def flight_events(path: Path) -> Iterator[dict[str, Any]]:
    """The same of the flights; without the flights whose tail number is not known."""
    for row in _rows(path):
        tail, at = row.pop("tailnum"), row.pop("time_hour")
        if tail == "NA":
            continue
        carrier = row.pop("carrier")
        moment = datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        yield {
            "event_type": "Flight",
            "user_id": tail,
            "time": int(moment.timestamp()) * 1000,
            "groups": {"carrier": carrier},
            "event_properties": {
                key: int(value) if value.lstrip("-").isdigit() else value
                for key, value in row.items()
                if value != "NA"
            },
        }


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def stored(api: Api, limit: int = 1_000_000) -> list[Event]:
    """The accepted events, in the order in which they came."""
    return [each for each in reversed(api.events(limit=limit)) if each.outcome == "accepted"]


def check(events: list[Event], wanted: list[dict[str, Any]]) -> None:
    """The events are exactly the wanted ones, each user's in the order of the file, no insert_id twice."""
    got: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in events:
        event = dict(each.event)
        event.pop("library")
        event.pop("insert_id")
        got[str(event["user_id"])].append(event)
    expected: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in wanted:
        expected[event["user_id"]].append(event)
    assert got.keys() == expected.keys()
    for user, its in expected.items():
        assert got[user] == its, f"the events of {user} differ"
    ids = Counter(each.insert_id for each in events)
    assert len(ids) == len(events)
