"""Flask: a client from the application's configuration, and a context for each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import antinode
from antinode.integrations.wsgi import AntinodeMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from flask import Flask

__all__ = ["Antinode"]


class Antinode:
    """The extension: `Antinode(app)`, or `Antinode()` and later `init_app(app)`.

    `app.config["ANTINODE_API_KEY"]` is the key (AMPLITUDE_API_KEY in the environment without it), and
    `app.config["ANTINODE_OPTIONS"]` a dict of the other options of `antinode.init`. The arguments are those
    of `antinode.integrations.asgi.AntinodeMiddleware`. Raises `ConfigurationError`.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        capture: Iterable[str] = (),
        exclude: Iterable[str] = (),
        browser_identity: bool | str = False,
        context: Callable[[WSGIEnvironment], Mapping[str, Any] | None] | None = None,
    ) -> None:
        self._arguments: dict[str, Any] = {
            "capture": capture,
            "exclude": exclude,
            "browser_identity": browser_identity,
            "context": context,
        }
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Make the client ready, and open a context for each request of this application."""
        options = dict(app.config.get("ANTINODE_OPTIONS") or {})
        app.extensions["antinode"] = antinode.init(app.config.get("ANTINODE_API_KEY"), **options)
        app.wsgi_app = AntinodeMiddleware(app.wsgi_app, **self._arguments)  # type: ignore[method-assign]
