"""What the official SDKs are given to send: a shop's real events, and what is known of its users."""

from __future__ import annotations

import csv
import gzip
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeAlias

Step: TypeAlias = dict[str, Any]
"""One call of an SDK; `settle` waits until everything so far is answered."""

DATA = Path(__file__).parents[3] / "examples" / "data" / "ecom.csv.gz"
SETTLE: Step = {"settle": True}
KNOWN_USER = "user_0000"
CLEARED_USER = "user_0001"
GROUP = ["company", "Aurora Audio"]
REVENUE = {"productId": "turntable", "price": 249.5, "quantity": 2, "revenueType": "purchase"}


def shop_events(limit: int) -> list[dict[str, Any]]:
    """The shop's first events by time, as an application would log them; `line` numbers them."""
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["timestamp"])[:limit]
    return [_event(row, line) for line, row in enumerate(rows)]


def _event(row: dict[str, str], line: int) -> dict[str, Any]:
    moment = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=timezone.utc)
    return {
        "event_type": row["event"],
        "user_id": row["user_id"],
        "device_id": f"{row['platform']}-of-{row['user_id']}",
        "time": int(moment.timestamp() * 1000),
        "platform": row["platform"],
        "event_properties": {
            "line": line,
            "channel": row["acquisition_channel"],
            "lifecycle": row["user_lifecycle"],
            "session": row["session_id"],
            "article": {"tags": ["hi-fi", "vinyl"], "price": line / 4, "is_new": line % 2 == 0},
        },
    }


def tracks(events: list[dict[str, Any]], *, at_once: int = 500) -> list[Step]:
    """The steps that log `events`, and wait after every so many."""
    steps: list[Step] = []
    for start in range(0, len(events), at_once):
        steps += [{"track": event} for event in events[start : start + at_once]]
        steps.append(SETTLE)
    return steps


def identifies() -> list[Step]:
    """Every operation that the SDKs know, on users and on a group, and a purchase."""
    known, cleared = {"user_id": KNOWN_USER}, {"user_id": CLEARED_USER}
    return [
        {
            "identify": [
                ["set", "plan", "free"],
                ["setOnce", "first_channel", "email"],
                ["add", "visits", 1],
                ["append", "genres", ["jazz", "dub"]],
                ["set", "nickname", "Blue"],
                ["postInsert", "cities", "Berlin"],
            ],
            "for": known,
        },
        {
            "identify": [
                ["set", "plan", "pro"],
                ["setOnce", "first_channel", "ads"],
                ["add", "visits", 2.5],
                ["prepend", "genres", "soul"],
                ["unset", "nickname"],
                ["preInsert", "cities", "Oslo"],
            ],
            "for": known,
        },
        {"identify": [["remove", "genres", "dub"], ["postInsert", "cities", "Berlin"]], "for": known},
        {"identify": [["set", "plan", "pro"], ["set", "nickname", "Green"]], "for": cleared},
        {"identify": [["clearAll"]], "for": cleared},
        {"identify": [["set", "nickname", "Blue"]], "for": cleared},
        {"set_group": GROUP, "for": known},
        {
            "group_identify": [["set", "tier", "gold"], ["setOnce", "founded", 1959], ["add", "seats", 5]],
            "group": GROUP,
        },
        {
            "group_identify": [["setOnce", "founded", 2000], ["add", "seats", -2], ["append", "areas", "EU"]],
            "group": GROUP,
        },
        {"group_identify": [["unset", "tier"], ["prepend", "areas", "UK"]], "group": GROUP},
        {"revenue": REVENUE, "for": known},
        SETTLE,
    ]


KNOWN_USER_PROPERTIES = {
    "plan": "pro",
    "first_channel": "email",
    "visits": 3.5,
    "genres": ["soul", "jazz"],
    "cities": ["Oslo", "Berlin"],
    "company": "Aurora Audio",
}
"""Those of `KNOWN_USER` after `identifies()`."""

CLEARED_USER_PROPERTIES = {"nickname": "Blue"}
GROUP_PROPERTIES = {"founded": 1959, "seats": 3, "areas": ["UK", "EU"]}
