"""What passes between a shell and its transport: one request, one response, or the lack of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from antinode._public import public


@public
@dataclass(frozen=True, repr=False)
class Request:
    """One upload as it goes on the wire.

    `body` is the JSON text, not yet compressed; whether to compress it is the transport's business.
    `timeout` is the total time in seconds that the request may take, connecting included. The repr shows
    neither the body, nor headers, nor what of the URL may be a secret.
    """

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0

    def __repr__(self) -> str:
        from antinode._protocol.secrets import public_url  # noqa: PLC0415 - seldom shown

        return f"Request(url={public_url(self.url)!r}, timeout={self.timeout!r})"


@public
@dataclass(frozen=True)
class HttpResponse:
    """What a server answered. Header names are lower-case; `body` is decompressed."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@public
class TransportError(Exception):
    """No usable answer came: refused, reset, not resolved, not trusted, cut short.

    Any other exception out of `Transport.send` is treated in the same way.
    """


@public
class TransportTimeout(TransportError):
    """The request's total time was over before the answer was complete."""


@public
@runtime_checkable
class Transport(Protocol):
    """Carries requests. The Node SDK's `transportClass`; give one to `init(transport=…)`.

    `send` is called from several threads at once and may block up to `request.timeout` seconds. It
    raises `TransportTimeout` or `TransportError` when there is no answer. `close` lets connections go;
    it may be called at any time, more than once, and `send` must work again after it.
    """

    def send(self, request: Request) -> HttpResponse: ...

    def close(self) -> None: ...
