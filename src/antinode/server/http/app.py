"""The web application: which path is answered by what.

/2/httpapi, /batch, /identify, /groupidentify, POST /, unknown paths   the ingestion APIs
/config, /config/<key>, /v1/capture                                    what SDKs ask for besides
GET /, /assets/<path>                                                  the page
/api/…                                                                 the server's own API
/healthz                                                               whether it is up
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router
from starlette.types import Message, Receive, Scope, Send

from antinode.server.http.api import JsonApi
from antinode.server.http.assets import asset, index
from antinode.server.http.bodies import BODY_WITHIN_S, BodyLate, ClientGone, NoRoom, read_body
from antinode.server.http.engine_thread import Worker
from antinode.server.http.ingestion import Ingestion, answer_json, preflight
from antinode.server.http.operations import Desk
from antinode.server.http.security import Gate


class Application:
    """Answers every request. What goes wrong in it is our mistake: answered 500, and told to `on_error`."""

    def __init__(
        self, worker: Worker, host: str, allowed_hosts: Collection[str], on_error: Callable[[Exception], None]
    ) -> None:
        """`host` is what the server was bound to, `allowed_hosts` are names that it is asked by besides."""
        self.ingestion = Ingestion(worker)
        self._on_error = on_error
        self._router = Router(
            [
                Route("/", index, methods=["GET"]),
                Route("/assets/{path:path}", asset, methods=["GET"]),
                Route("/healthz", _health, methods=["GET"]),
                Route("/config", _configuration, methods=["GET", "OPTIONS"]),
                Route("/config/{key:path}", _configuration, methods=["GET", "OPTIONS"]),
                Route("/v1/capture", _diagnostics, methods=["POST", "OPTIONS"]),
                Mount("/api", Desk(JsonApi(worker).operations, Gate(host, allowed_hosts))),
            ],
            redirect_slashes=False,
            default=self.ingestion,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            if sum(name == b"host" for name, _ in scope["headers"]) > 1:
                # A proxy in between may have gone by the other header.
                refused = {"code": 400, "error": "The request has more than one Host header"}
                await answer_json(refused, 400, {"connection": "close"})(scope, receive, sending)
            elif scope["path"] == "/" and scope["method"] not in ("GET", "HEAD"):
                await self.ingestion(scope, receive, sending)
            else:
                await self._router(scope, receive, sending)
        except Exception as error:
            self._on_error(error)
            if not has_begun:
                body = {"code": 500, "error": "The local Amplitude failed; see its log"}
                await answer_json(body, 500)(scope, receive, send)


async def _health(_: Request) -> Response:
    return answer_json({"status": "ok"})


async def _configuration(request: Request) -> Response:
    """Remote configuration: nothing is configured."""
    if request.method == "OPTIONS":
        return preflight(request.scope)
    nothing: dict[str, Any] = {"configs": {}}
    return answer_json(nothing)


async def _diagnostics(request: Request) -> Response:
    """What SDKs tell of themselves is taken and dropped."""
    if request.method == "OPTIONS":
        return preflight(request.scope)
    try:
        await read_body(request.receive, 0, BODY_WITHIN_S)
    except (BodyLate, ClientGone, NoRoom):
        return answer_json({}, 408, {"connection": "close"})
    return answer_json({})
