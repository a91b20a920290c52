"""aiohttp: a context for each request, and a clean-up that ends in a drained queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

import antinode
from antinode.integrations._requests import Capture, ServedRequest

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware
    from typing_extensions import Unpack

__all__ = ["antinode_middleware", "running"]


def antinode_middleware(
    *,
    capture: Iterable[str] = (),
    exclude: Iterable[str] = (),
    browser_identity: bool | str = False,
    context: Callable[[web.Request], Mapping[str, Any] | None] | None = None,
) -> Middleware:
    """A middleware: `web.Application(middlewares=[antinode_middleware()])`.

    It opens `antinode.context` for each request, while its handler runs. The arguments are those of
    `antinode.integrations.asgi.AntinodeMiddleware`; `context` is a function of the request. Raises
    `ConfigurationError`.
    """
    wanted: Capture[web.Request] = Capture(
        capture, exclude=exclude, browser_identity=browser_identity, context=context
    )

    @web.middleware
    async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
        fields = wanted.fields_of(_request(request), request)
        if fields is None:
            return await handler(request)
        with antinode.context(**fields):
            return await handler(request)

    return serve


def running(
    api_key: str | None = None, *, instance_name: str | None = None, **options: Unpack[antinode.OptionsDict]
) -> Callable[[web.Application], AsyncIterator[None]]:
    """`antinode.init` when the application starts and `ashutdown` when it ends.

    For its clean-up: `app.cleanup_ctx.append(running("API_KEY"))`. Append it before what logs at its own end,
    since that is cleaned up in reverse order.
    """

    async def manage(_: web.Application) -> AsyncIterator[None]:
        client = antinode.init(api_key, instance_name=instance_name, **options)
        yield
        await client.ashutdown()

    return manage


def _request(request: web.Request) -> ServedRequest:
    return ServedRequest(request.path, request.method, request.remote, request.headers.get)
