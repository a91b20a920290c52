"""segment-analytics-python: `track`; the queue's limit raised so that nothing is dropped."""

from __future__ import annotations

from typing import Any

from bench.suite.peers import KEY
from bench.suite.peers.session import Session, Settings
from segment.analytics import Client  # type: ignore[import-not-found, import-untyped, unused-ignore]


def open_session(url: str, settings: Settings) -> Session:
    options: dict[str, Any] = {"upload_size": settings["batch"]} if "batch" in settings else {}
    if settings.get("gzip"):
        options["gzip"] = True
    client = Client(KEY, host=url, max_queue_size=20_000_000, **options)

    def log(event: dict[str, Any]) -> None:
        client.track(
            event["user_id"],
            event["event_type"],
            event["event_properties"],
            message_id=event["insert_id"],
        )

    return Session(log, client.flush)
