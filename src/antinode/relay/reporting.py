"""What a process of the relay says of itself over HTTP, be it a front or a worker.

/healthz  /readyz     whether it runs as it should; whether it does its work at present
/metrics  /status     figures, in Prometheus' text format and as JSON
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router

from antinode.relay.prometheus import CONTENT_TYPE
from antinode.server.http.answering import Answering
from antinode.server.http.connections import Listener, bind, url_of
from antinode.server.http.ingestion import answer_json

_FINISH_SECONDS = 1.0


class Reporting(Protocol):
    """Whoever is reported on. Called on the thread of an event loop, so nothing may wait."""

    def why_unhealthy(self) -> str:
        """Why the process is to be restarted; "" while it is not."""

    def why_not_ready(self) -> str:
        """Why it does not do its work at present; "" while it does."""

    def metrics(self) -> str:
        """Its figures, in Prometheus' text format."""

    def status(self) -> msgspec.Struct:
        """Its figures, to be shown as JSON."""


def report_routes(process: Reporting) -> list[BaseRoute]:
    """The routes by which a process reports on itself."""

    async def health(_: Request) -> Response:
        why = process.why_unhealthy()
        return answer_json({"status": "failing", "why": why}, 503) if why else answer_json({"status": "ok"})

    async def ready(_: Request) -> Response:
        why = process.why_not_ready()
        return (
            answer_json({"status": "not ready", "why": why}, 503) if why else answer_json({"status": "ready"})
        )

    async def metrics(_: Request) -> Response:
        return Response(process.metrics(), headers={"content-type": CONTENT_TYPE})

    async def status(_: Request) -> Response:
        return answer_json(process.status())

    return [
        Route("/healthz", health, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
        Route("/status", status, methods=["GET"]),
    ]


@contextmanager
def reporting(
    process: Reporting, host: str, port: int, on_error: Callable[[Exception], None]
) -> Iterator[str]:
    """Report on a process, on a thread of its own, while this lasts. Gives the base URL.

    Raises OSError if the address cannot be had. `on_error` hears of every mistake of ours.
    """
    listening = bind(host, port)
    url = url_of(listening, "http")
    app = Answering(Router(report_routes(process), redirect_slashes=False), on_error, "The relay failed")
    loop = asyncio.new_event_loop()
    is_over = asyncio.Event()
    is_open = threading.Event()

    async def serve() -> None:
        listener = Listener(app)
        await listener.open(listening)
        is_open.set()
        try:
            await is_over.wait()
        finally:
            await listener.close(_FINISH_SECONDS)

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            is_open.set()
            loop.close()

    thread = threading.Thread(target=run, name="antinode-relay-reporting", daemon=True)
    thread.start()
    is_open.wait()
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(is_over.set)
        thread.join()
