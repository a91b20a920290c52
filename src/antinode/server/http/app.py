"""The web application: which path is answered by what.

/2/httpapi, /batch, /identify, /groupidentify, POST /, unknown paths   the ingestion APIs
/config, /config/<key>, /v1/capture                                    what SDKs ask for besides
GET /, /assets/<path>                                                  the page
/api/…                                                                 the server's own API
/healthz                                                               whether it is up
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from antinode.server.http.answering import Answering, sdk_routes
from antinode.server.http.api import JsonApi
from antinode.server.http.assets import asset, index
from antinode.server.http.engine_thread import Worker
from antinode.server.http.ingestion import Ingestion, answer_json
from antinode.server.http.operations import Desk
from antinode.server.http.security import Gate
from antinode.server.ingest.requests import IngestResponse, Received


class Application:
    """Answers every request. What goes wrong in it is our mistake: answered 500, and told to `on_error`."""

    def __init__(
        self, worker: Worker, host: str, allowed_hosts: Collection[str], on_error: Callable[[Exception], None]
    ) -> None:
        """`host` is what the server was bound to, `allowed_hosts` are names that it is asked by besides."""

        async def taken(received: Received) -> IngestResponse:
            return await worker.ask(lambda engine: engine.receive(received))

        self.ingestion = Ingestion(taken)
        self._desk = Desk(JsonApi(worker).operations, Gate(host, allowed_hosts))
        self._router = Router(
            [
                Route("/", index, methods=["GET"]),
                Route("/assets/{path:path}", asset, methods=["GET"]),
                Route("/healthz", _health, methods=["GET"]),
                *sdk_routes(),
            ],
            redirect_slashes=False,
            default=self.ingestion,
        )
        self._answering = Answering(self._answer, on_error, "The local Amplitude failed; see its log")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answering(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/api/"):
            # By no route of the router's: none takes a path with a line break in a name.
            await self._desk(scope, receive, send)
            return
        is_page = scope["path"] != "/" or scope["method"] in ("GET", "HEAD")
        await (self._router if is_page else self.ingestion)(scope, receive, send)


async def _health(_: Request) -> Response:
    return answer_json({"status": "ok"})
