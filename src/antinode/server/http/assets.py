"""The page's files: `/` is its index.html, and `/assets/<path>` the file of that path beside it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from antinode.server.http.security import PAGE_HEADERS

PAGE: Final = Path(__file__).parents[1] / "page"

_TYPES: Final = {
    "": "text/plain; charset=utf-8",  # licences
    ".css": "text/css; charset=utf-8",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

# A segment of a path: no hidden file, no `..`, and no name that means something else on some system.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\Z")


async def index(request: Request) -> Response:
    """The page."""
    return _file("index.html", request.headers)


async def asset(request: Request) -> Response:
    """One of the page's files; nothing outside of its folder."""
    return _file(request.path_params["path"], request.headers)


def _file(path: str, headers: Headers) -> Response:
    kind = _TYPES.get(Path(path).suffix)
    content = None
    if kind is not None and all(map(_NAME.match, path.split("/"))):
        content = _read(PAGE / path)
    if content is None or kind is None:
        return Response("not found", 404, headers=PAGE_HEADERS, media_type="text/plain")
    # The files are small: a digest costs less than remembering what was read when.
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    caching = PAGE_HEADERS | {"etag": tag, "cache-control": "no-cache"}
    if tag in (each.strip().removeprefix("W/") for each in headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=caching)
    return Response(content, headers=caching | {"content-type": kind})


def _read(file: Path) -> bytes | None:
    try:
        if file.resolve(strict=True).is_relative_to(PAGE.resolve()):
            return file.read_bytes()
    except OSError:
        pass
    return None
