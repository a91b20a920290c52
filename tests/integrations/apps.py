"""Applications for the tests of servers: each logs an event a request, under `drain_on_sigterm`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import antinode
from antinode.integrations.asgi import with_lifespan

logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
antinode.init(
    server_url=os.environ["ANTINODE_SERVER_URL"],
    upload_interval_in_sec=600,
    drain_on_sigterm="WITHOUT_DRAIN" not in os.environ,
)


def log(path: str) -> None:
    if path != "/health":
        antinode.log_event({"event_type": path, "user_id": "user-1"})


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    log(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


async def asgi(
    scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        raise ValueError("only HTTP")
    log(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


asgi_with_lifespan = with_lifespan(asgi)
