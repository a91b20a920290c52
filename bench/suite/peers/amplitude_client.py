"""amplitude-analytics: `track(BaseEvent(...))`."""

from __future__ import annotations

from typing import Any

from amplitude import Amplitude, BaseEvent  # type: ignore[import-not-found, import-untyped, unused-ignore]
from bench.suite.peers import KEY
from bench.suite.peers.session import Session, Settings


def open_session(url: str, settings: Settings) -> Session:
    client = Amplitude(KEY)
    client.configuration.server_url = f"{url}/2/httpapi"
    if batch := settings.get("batch"):
        client.configuration.flush_queue_size = batch

    def log(event: dict[str, Any]) -> None:
        client.track(BaseEvent(**event))

    def finish() -> None:
        for future in client.flush():
            if future is not None:
                future.result()
        # Batches taken before the flush are with the pool already; ending it is its way to wait for them.
        client.shutdown()

    return Session(log, finish)
