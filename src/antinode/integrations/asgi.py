"""Any ASGI application: a context for each request, and a lifespan that ends in a drained queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import antinode
from antinode.integrations._requests import Capture, ServedRequest

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AntinodeMiddleware", "lifespan", "running"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class AntinodeMiddleware:
    """Opens `antinode.context` for each HTTP request and each WebSocket, while the application serves it.

    `capture` names what is taken of a request: "path" and "method" become event properties, "user_agent",
    "ip" and "language" fields of the event. Nothing is taken by default. Paths that match one of `exclude`,
    in which `*` stands for anything, are served without a context. `browser_identity=True` takes device,
    session and user from the cookie of Amplitude's browser SDK; the page's API key in its place tells which.
    `context` is a function of the scope that returns further fields, which win. Raises `ConfigurationError`.
    """

    def __init__(
        self,
        app: App,
        *,
        capture: Iterable[str] = (),
        exclude: Iterable[str] = (),
        browser_identity: bool | str = False,
        context: Callable[[Scope], Mapping[str, Any] | None] | None = None,
    ) -> None:
        self.app = app
        self._capture: Capture[Scope] = Capture(
            capture, exclude=exclude, browser_identity=browser_identity, context=context
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        fields = None
        if scope["type"] in ("http", "websocket"):
            fields = self._capture.fields_of(_request(scope), scope)
        if fields is None:
            await self.app(scope, receive, send)
            return
        with antinode.context(**fields):
            await self.app(scope, receive, send)


def _request(scope: Scope) -> ServedRequest:
    headers = scope.get("headers") or ()

    def header(name: str) -> str | None:
        wanted = name.encode("latin-1")
        values = [value.decode("latin-1") for key, value in headers if key.lower() == wanted]
        # HTTP/2 may send a cookie in pieces.
        return ("; " if name == "cookie" else ", ").join(values) if values else None

    client = scope.get("client")
    return ServedRequest(
        scope.get("path") or "", scope.get("method") or "", client[0] if client else None, header
    )


@asynccontextmanager
async def running(
    api_key: str | None = None, *, instance_name: str | None = None, **options: Unpack[antinode.OptionsDict]
) -> AsyncIterator[antinode.Client]:
    """`antinode.init` at the beginning and `ashutdown` at the end, for a lifespan of your own."""
    client = antinode.init(api_key, instance_name=instance_name, **options)
    try:
        yield client
    finally:
        await client.ashutdown()


def lifespan(
    api_key: str | None = None, *, instance_name: str | None = None, **options: Unpack[antinode.OptionsDict]
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A lifespan for an application that has no other: `FastAPI(lifespan=lifespan("API_KEY"))`.

    uvicorn raises SIGTERM again once the application has shut down, and with it no exit handler runs. With
    this, all that is queued has been sent by then, within `shutdown_timeout`.
    """

    @asynccontextmanager
    async def manage(_: Any) -> AsyncIterator[None]:
        async with running(api_key, instance_name=instance_name, **options):
            yield

    return manage
