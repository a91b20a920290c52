"""Around a web application that answers as Amplitude: what is said of wrong requests, and of our mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from antinode.server.http.bodies import BODY_WITHIN_S, BodyLate, ClientGone, NoRoom, read_body
from antinode.server.http.ingestion import answer_json, preflight


class Answering:
    """Answers every request by `app`. What goes wrong in it is our mistake: answered 500, and told."""

    def __init__(self, app: ASGIApp, on_error: Callable[[Exception], None], failed: str) -> None:
        """`on_error` hears of every mistake; `failed` is what the client is told of it."""
        self._app = app
        self._on_error = on_error
        self._failed = failed

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
            else:
                await self._app(scope, receive, sending)
        except Exception as error:
            self._on_error(error)
            if not has_begun:
                await answer_json({"code": 500, "error": self._failed}, 500)(scope, receive, send)


def sdk_routes() -> list[BaseRoute]:
    """What SDKs ask for beside the ingestion APIs: `/config`, `/config/<key>`, `/v1/capture`."""
    return [
        Route("/config", _configuration, methods=["GET", "OPTIONS"]),
        Route("/config/{key:path}", _configuration, methods=["GET", "OPTIONS"]),
        Route("/v1/capture", _diagnostics, methods=["POST", "OPTIONS"]),
    ]


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
