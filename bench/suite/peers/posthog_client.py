"""posthog: `capture`; the queue's limit raised so that nothing is dropped."""

from __future__ import annotations

from typing import Any

from bench.suite.peers import KEY
from bench.suite.peers.session import Session, Settings
from posthog import Posthog  # type: ignore[import-not-found, import-untyped, unused-ignore]


def open_session(url: str, settings: Settings) -> Session:
    options: dict[str, Any] = {"flush_at": settings["batch"]} if "batch" in settings else {}
    if settings.get("gzip"):
        options["gzip"] = True
    client = Posthog(KEY, host=url, max_queue_size=20_000_000, **options)

    def log(event: dict[str, Any]) -> None:
        client.capture(
            event["event_type"], distinct_id=event["user_id"], properties=event["event_properties"]
        )

    return Session(log, client.flush)
