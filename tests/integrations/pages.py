"""The example applications, each with the files of a directory in front of it, as of a proxy."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Any

_DIRECTORY = Path(os.environ["PAGES"])
_APPLICATION = import_module(os.environ["APPLICATION"])


def _file(path: str) -> tuple[bytes, str] | None:
    name = path.removeprefix("/") or "index.html"
    if name not in os.listdir(_DIRECTORY):
        return None
    return (_DIRECTORY / name).read_bytes(), mimetypes.guess_type(name)[0] or "text/plain"


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The application of gunicorn's tests."""
    if (found := _file(environ["PATH_INFO"])) is None:
        application = getattr(_APPLICATION, "application", None) or _APPLICATION.app
        answer: Iterable[bytes] = application(environ, start_response)
        return answer
    body, kind = found
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """The application of uvicorn's tests."""
    found = _file(scope["path"]) if scope["type"] == "http" else None
    if found is None:
        await _APPLICATION.app(scope, receive, send)
        return
    body, kind = found
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind.encode())]})
    await send({"type": "http.response.body", "body": body})
