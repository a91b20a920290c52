"""The ingestion APIs over HTTP: everything that a client sends to Amplitude arrives here."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from antinode._protocol.endpoints import Endpoint
from antinode.server.http.bodies import BODY_WITHIN_S, NO_ROOM, BodyLate, ClientGone, NoRoom, read_body
from antinode.server.http.connections import cut
from antinode.server.ingest.apis import IngestApi
from antinode.server.ingest.requests import IngestResponse, Received

_MEBIBYTE: Final = 2**20

_KEEP: Final = {Endpoint.BATCH.path: 20 * _MEBIBYTE}
"""How much of a body is kept, at least what the path takes; 1 MB is what all the others take."""

_PATHS: Final = frozenset(api.value for api in IngestApi)
_OTHERS: Final = frozenset(
    (method, api.value) for api in IngestApi for method in api.methods if method != "POST"
)
"""Requests of another method that hold events all the same."""

_CORS: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "retry-after",
    "x-content-type-options": "nosniff",
}

_ALLOWED_HEADERS: Final = "content-type, content-encoding, accept, x-apikey"


Take: TypeAlias = Callable[[Received], Awaitable[IngestResponse]]
"""Takes one whole request, and says what to answer."""


class Ingestion:
    """Reads each request whole, has `take` take it, and answers as it says."""

    def __init__(self, take: Take, *, proxies: int = 0) -> None:
        """`proxies`: so many of them are in front, and each has added to `X-Forwarded-For` whom it serves."""
        self._take = take
        self._proxies = proxies
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Answer at once the requests that a fault delays."""
        self._closed.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        if method == "OPTIONS":
            await preflight(scope)(scope, receive, send)
            return
        if method != "POST" and (method, path) not in _OTHERS:
            # The request cannot hold events: a browser looks for an icon, say.
            await _nothing_here(path)(scope, receive, send)
            return
        started = time.perf_counter()
        headers = Headers(scope=scope)
        try:
            body = await read_body(receive, _KEEP.get(path, _MEBIBYTE), BODY_WITHIN_S)
        except ClientGone:
            return
        except BodyLate:
            late = {"code": 408, "error": "The request's body did not arrive in time"}
            await answer_json(late, 408, {"connection": "close"})(scope, receive, send)
            return
        except NoRoom:
            full = {"code": 503, "error": NO_ROOM}
            await answer_json(full, 503, {"connection": "close"})(scope, receive, send)
            return
        received = Received(
            method=method,
            path=path,
            query=scope["query_string"].decode("latin-1"),
            body=body.data,
            content_type=headers.get("content-type", ""),
            content_encoding=headers.get("content-encoding", ""),
            user_agent=headers.get("user-agent", ""),
            address=_address(scope, headers, self._proxies),
            is_too_large=body.is_too_large,
            wire_size=body.size,
            started=started,
        )
        answer = await self._take(received)
        if answer.delay_s > 0:
            await self._delay(answer.delay_s)
        if answer.is_cut:
            cut(scope)
            while (await receive())["type"] != "http.disconnect":
                pass  # uvicorn takes a return before the end for a forgotten answer
            return
        await _response(answer, is_last=not body.is_whole)(scope, receive, send)

    async def _delay(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)


def _address(scope: Scope, headers: Headers, proxies: int) -> str:
    """The client's address; of one that speaks IPv4 to an IPv6 socket, the IPv4 one.

    What a header says beyond the proxies that are known may be made up; without as many entries there is no
    address that can be trusted.
    """
    host, _ = scope.get("client") or ("", 0)
    if proxies:
        forwarded = ",".join(headers.getlist("x-forwarded-for")).split(",")
        host = forwarded[-proxies].strip() if len(forwarded) >= proxies else ""
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def answer_json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer that a web page from anywhere may read."""
    return Response(
        msgspec.json.encode(content),
        status,
        headers=_CORS | (headers or {}),
        media_type="application/json",
    )


def preflight(scope: Scope) -> Response:
    """What a browser wants to know before it sends a request of another site's page."""
    asked = Headers(scope=scope)
    headers = _CORS | {
        "access-control-allow-methods": "GET, POST, OPTIONS",
        "access-control-allow-headers": asked.get("access-control-request-headers") or _ALLOWED_HEADERS,
        "access-control-max-age": "86400",
        "vary": "access-control-request-headers, access-control-request-private-network",
    }
    if asked.get("access-control-request-private-network") == "true":
        headers["access-control-allow-private-network"] = "true"
    return Response(status_code=204, headers=headers)


def _nothing_here(path: str) -> Response:
    if path in _PATHS:
        return answer_json({"code": 405, "error": "Method not allowed"}, 405, {"allow": "POST, OPTIONS"})
    return answer_json({"code": 404, "error": "Not found"}, 404)


def _response(answer: IngestResponse, *, is_last: bool) -> Response:
    headers = _CORS | answer.headers
    if is_last:
        headers["connection"] = "close"
    headers["content-type"] = answer.content_type  # as it is: Starlette would add a charset to text
    return Response(answer.body, answer.status, headers=headers)
