"""The shop's events, which the server benchmarks send."""

from __future__ import annotations

import csv
import gzip
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
