"""Events as the front hands them to an intake."""

from __future__ import annotations

import json

from antinode.relay.intake import KeptEvent
from antinode.relay.projects import Project
from antinode.relay.streams import stream_of

WEB = Project(name="web", api_key="0" * 31 + "1")
APP = Project(name="app", api_key="0" * 31 + "2")


def event(number: int, user: str = "user-1", size: int = 0) -> KeptEvent:
    """The event of a user with this number, and so many bytes of properties."""
    body = {
        "event_type": "Played",
        "user_id": user,
        "time": 1_760_000_000_000 + number,
        "insert_id": f"{user}-{number}",
        "event_properties": {"n": number, "text": "x" * size},
    }
    return KeptEvent(json.dumps(body).encode(), user, None, stream_of(user, None))


def numbers_by_user(bodies: list[bytes]) -> dict[str, list[int]]:
    """The numbers of events, in order, by user."""
    found: dict[str, list[int]] = {}
    for body in bodies:
        each = json.loads(body)
        found.setdefault(each["user_id"], []).append(each["event_properties"]["n"])
    return found
