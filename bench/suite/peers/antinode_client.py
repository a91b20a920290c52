"""antinode: `log_event` with a dict; the queue's limits raised so that nothing is dropped."""

from __future__ import annotations

from typing import Any

from bench.suite.peers import KEY
from bench.suite.peers.session import Session, Settings

import antinode


def open_session(url: str, settings: Settings) -> Session:
    options: dict[str, Any] = {"max_queue_events": 20_000_000, "max_queue_bytes": 8 << 30}
    if settings.get("blocks"):
        options = {"overflow": "block"}
    if "gzip" in settings:
        options["compress"] = settings["gzip"]
    if ca := settings.get("ca"):
        options["ca_bundle"] = ca
    if spool := settings.get("spool"):
        options |= {"storage": spool, "max_spool_bytes": 8 << 30}
    if "connections" in settings:
        options["connections"] = settings["connections"]
    client = antinode.init(KEY, server_url=f"{url}/2/httpapi", request_timeout_millis=60_000, **options)
    if settings.get("middleware"):
        client.add_event_middleware(_stamp)

    def finish() -> None:
        report = client.flush(120)
        if not report.complete:
            raise SystemExit(f"antinode: not everything was delivered within two minutes: {report}")

    return Session(client.log_event, finish)


def _stamp(payload: antinode.MiddlewarePayload, next: antinode.MiddlewareNext) -> None:
    payload.event["app_version"] = "1.4.2"
    next(payload)
