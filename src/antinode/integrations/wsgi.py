"""Any WSGI application: a context for each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

import antinode
from antinode.integrations._requests import Capture, ServedRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["AntinodeMiddleware"]


class AntinodeMiddleware:
    """Opens `antinode.context` for each request, until its response has been sent.

    The arguments are those of `antinode.integrations.asgi.AntinodeMiddleware`; `context` is a function of the
    environ. A response that is made while it is sent, as by a generator, is made inside the context. Raises
    `ConfigurationError`.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        capture: Iterable[str] = (),
        exclude: Iterable[str] = (),
        browser_identity: bool | str = False,
        context: Callable[[WSGIEnvironment], Mapping[str, Any] | None] | None = None,
    ) -> None:
        self.app = app
        self._capture: Capture[WSGIEnvironment] = Capture(
            capture, exclude=exclude, browser_identity=browser_identity, context=context
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        fields = self._capture.fields_of(_request(environ), environ)
        if fields is None:
            return self.app(environ, start_response)
        # A copy of its own, in which the response is made as well: the server asks for that later.
        held = copy_context()
        scope = antinode.context(**fields)
        held.run(scope.__enter__)
        response = held.run(self.app, environ, start_response)
        return response if isinstance(response, (list, tuple)) else _Response(response, held)


class _Response:
    """A response whose parts are made in a context."""

    def __init__(self, response: Iterable[bytes], held: Context) -> None:
        self._response = response
        self._held = held
        self._parts = held.run(iter, response)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._held.run(next, self._parts)

    def close(self) -> None:
        """End the response, as a server does at its end or when the client has left."""
        close = getattr(self._response, "close", None)
        if close is not None:
            self._held.run(close)


def _request(environ: WSGIEnvironment) -> ServedRequest:
    def header(name: str) -> str | None:
        value = environ.get(f"HTTP_{name.upper().replace('-', '_')}")
        return value if isinstance(value, str) else None

    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    # WSGI has paths as bytes that were decoded as Latin-1 (PEP 3333).
    path = path.encode("latin-1", "replace").decode("utf-8", "replace")
    return ServedRequest(path, environ.get("REQUEST_METHOD", ""), environ.get("REMOTE_ADDR"), header)
