"""What the demo sends: a shop's clickstream, made up here or read from a file."""

from __future__ import annotations

import csv
import gzip
import random
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final, TypeAlias

from antinode._events import EventDict

Event: TypeAlias = EventDict

_USERS: Final = 180
_EVENTS: Final = 9_000
_BEGIN: Final = datetime(2026, 11, 2, 8, tzinfo=timezone.utc)
_NEXT: Final = {
    "main": ["catalog", "catalog", "search", "product"],
    "catalog": ["product", "product", "catalog", "search"],
    "search": ["product", "catalog", "search"],
    "product": ["cart", "catalog", "product", "search"],
    "cart": ["delivery", "catalog", "product"],
    "delivery": ["payment"],
    "payment": ["purchase", "purchase", "payment"],
    "purchase": ["main"],
}
"""From each page, the ones that may be next."""
_PLATFORMS: Final = ("web", "ios", "android")
_CHANNELS: Final = ("organic", "email", "ads", "referral")


def made_up(limit: int | None = None) -> list[Event]:
    """Visits of shoppers, by time, so that users interleave; the same ones each time."""
    chance = random.Random(20)  # noqa: S311 - a demo, not a secret
    rows: list[tuple[datetime, int, str, str]] = []
    visit = 0
    while len(rows) < _EVENTS:
        visit += 1
        # A few shoppers come often.
        user = int(_USERS * chance.random() ** 2)
        moment = _BEGIN + timedelta(seconds=chance.uniform(0, 5 * 86_400))
        page = "main"
        for _ in range(chance.randint(3, 25)):
            rows.append((moment, user, f"visit-{visit:04}", page))
            moment += timedelta(seconds=chance.uniform(2, 90))
            page = chance.choice(_NEXT[page])
    rows.sort()
    starts: dict[str, int] = {}
    events: list[Event] = []
    for number, (moment, user, session, page) in enumerate(rows[: min(limit or _EVENTS, _EVENTS)]):
        milliseconds = int(moment.timestamp() * 1000)
        events.append(
            {
                "event_type": page,
                "user_id": f"shopper-{user:03}",
                "time": milliseconds,
                "event_id": number,
                "session_id": starts.setdefault(session, milliseconds),
                "platform": _PLATFORMS[user % len(_PLATFORMS)],
                "event_properties": {"channel": _CHANNELS[user % len(_CHANNELS)], "session": session},
            }
        )
    return events


def read_shop(path: Path, limit: int | None = None) -> list[Event]:
    """The events of a file such as `examples/data/ecom.csv.gz`, by time; `event_id` numbers them so.

    Raises OSError and ValueError when it cannot be read as such a file.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows = sorted(csv.DictReader(file), key=lambda row: row["timestamp"])[:limit]
        return _from_rows(rows)
    except (KeyError, csv.Error, EOFError) as error:
        raise ValueError(f"it has no {error}" if isinstance(error, KeyError) else str(error)) from None


def _from_rows(rows: list[dict[str, str]]) -> list[Event]:
    starts: dict[str, int] = {}
    events: list[Event] = []
    for number, row in enumerate(rows):
        moment = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=timezone.utc)
        milliseconds = int(moment.timestamp() * 1000)
        events.append(
            {
                "event_type": row["event"],
                "user_id": row["user_id"],
                "time": milliseconds,
                "event_id": number,
                "session_id": starts.setdefault(row["session_id"], milliseconds),
                "platform": row["platform"],
                "event_properties": {
                    "channel": row["acquisition_channel"],
                    "cohort": row["user_cohort"],
                    "lifecycle": row["user_lifecycle"],
                    "session": row["session_id"],
                },
            }
        )
    return events


def busiest_early_user(events: list[Event]) -> str:
    """Who has the most events among those who appear in the first twentieth: the one to throttle."""
    early = {event["user_id"] for event in events[: max(1, len(events) // 20)]}
    counts = Counter(event["user_id"] for event in events if event["user_id"] in early)
    return str(counts.most_common(1)[0][0])
