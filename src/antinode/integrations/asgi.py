"""Any ASGI application: a context for each request, and a lifespan that ends in a drained queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import antinode
from antinode.integrations._ends import ashut_down_all
from antinode.integrations._requests import Capture, ServedRequest

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AntinodeMiddleware", "lifespan", "running", "with_lifespan"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
# Each framework has types of its own for what ASGI says of scope, receive and send.
App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]


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

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
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


def with_lifespan(app: App) -> App:
    """An application that has sent what all instances hold when its server ends, within `shutdown_timeout`.

    For one whose lifespan is not yours to write, or that has none: `with_lifespan(get_asgi_application())`
    with Django. A lifespan that it has runs as before; what that logs at its end is sent as well.
    """

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _Lifespan(receive, send).run(app, scope)
        else:
            await app(scope, receive, send)

    return serve


class _Lifespan:
    """What an application and its server say to each other; where it is mute, it is answered for."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._heard: list[str] = []
        self._said: list[str] = []

    async def run(self, app: App, scope: Scope) -> None:
        failure = None
        try:
            await app(scope, self._hear, self._say)
        except Exception as error:
            failure = error
        if not self._said:
            # It knows no lifespan, as an exception says, by the specification of ASGI.
            failure = None
            if not self._heard:
                await self._hear()
            await self._say({"type": "lifespan.startup.complete"})
        if self._said == ["lifespan.startup.complete"]:
            # It has left before its end, or in the midst of it.
            if len(self._heard) < 2:
                await self._hear()
            if failure is None:
                await self._say({"type": "lifespan.shutdown.complete"})
            else:
                await ashut_down_all()
        if failure is not None:
            raise failure

    async def _hear(self) -> Message:
        message = await self._receive()
        self._heard.append(message["type"])
        return message

    async def _say(self, message: Message) -> None:
        if message["type"].startswith("lifespan.shutdown"):
            # First: once the server has heard of the end, the process may be gone.
            await ashut_down_all()
        self._said.append(message["type"])
        await self._send(message)
