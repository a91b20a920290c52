"""The middleware, for views that are plain functions and for async ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import Context, copy_context
from inspect import iscoroutinefunction
from typing import Any, cast

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

import antinode
from antinode.integrations._requests import Capture, ServedRequest
from antinode.integrations.django.settings import capture

_Answer = Callable[[HttpRequest], Any]


@sync_and_async_middleware
def antinode_middleware(get_response: _Answer) -> _Answer:
    """Opens `antinode.context` for each request, while its view runs and its response is streamed.

    `settings.ANTINODE` has the arguments of `antinode.integrations.asgi.AntinodeMiddleware`; `context` is a
    function of the request, or its dotted path. With `"user_id": True` the primary key of the user that
    Django has authenticated is the context's user; put this behind AuthenticationMiddleware then.
    """
    arguments = capture()
    takes_user = bool(arguments.pop("user_id", False))
    wanted: Capture[HttpRequest] = Capture(**arguments)

    def fields_of(request: HttpRequest) -> dict[str, Any] | None:
        return wanted.fields_of(_request(request), request)

    if iscoroutinefunction(get_response):

        async def serve_async(request: HttpRequest) -> HttpResponseBase:
            fields = fields_of(request)
            if fields is None:
                return await cast("Awaitable[HttpResponseBase]", get_response(request))
            if takes_user:
                _add_user(fields, await request.auser())
            with antinode.context(**fields):
                response: HttpResponseBase = await get_response(request)
                return _within_context(response)

        return serve_async

    def serve(request: HttpRequest) -> HttpResponseBase:
        fields = fields_of(request)
        if fields is None:
            return cast("HttpResponseBase", get_response(request))
        if takes_user:
            _add_user(fields, request.user)
        with antinode.context(**fields):
            return _within_context(get_response(request))

    return serve


def _add_user(fields: dict[str, Any], user: Any) -> None:
    if user is not None and user.is_authenticated:
        fields["user_id"] = str(user.pk)


def _within_context(response: HttpResponseBase) -> HttpResponseBase:
    """The response; if it is streamed, what makes it runs in the context that is in force now."""
    if isinstance(response, StreamingHttpResponse):
        held = copy_context()
        parts: Any = response.streaming_content
        response.streaming_content = (
            _streamed_async(parts, held) if response.is_async else _streamed(parts, held)
        )
    return response


def _streamed(parts: Any, held: Context) -> Iterator[Any]:
    running = held.run(iter, parts)
    while True:
        try:
            part = held.run(next, running)
        except StopIteration:
            return
        yield part


async def _streamed_async(parts: Any, held: Context) -> AsyncIterator[Any]:
    running = aiter(parts)
    while True:
        # A task copies the context in which it is made.
        has_part, part = await held.run(asyncio.ensure_future, _next_of(running))
        if not has_part:
            return
        yield part


async def _next_of(running: AsyncIterator[Any]) -> tuple[bool, Any]:
    try:
        return True, await anext(running)
    except StopAsyncIteration:
        return False, None


def _request(request: HttpRequest) -> ServedRequest:
    return ServedRequest(
        request.path,
        request.method or "",
        request.META.get("REMOTE_ADDR"),
        request.headers.get,
    )
