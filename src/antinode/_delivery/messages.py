"""What passes between a shell and its transport: one request, one response, or the lack of one."""

# No postponed annotations: `public` would have to evaluate them one by one.
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import msgspec

from antinode._public import public


@public
class Request(msgspec.Struct, frozen=True):
    """One upload as it goes on the wire.

    `body` is the JSON text, not yet compressed; whether to compress it is the transport's business.
    `timeout` is the total time in seconds that the request may take, connecting included. The repr shows
    neither the body, nor headers, nor what of the URL may be a secret.
    """

    url: str
    body: bytes
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    timeout: float = 10.0

    def __repr__(self) -> str:
        from antinode._protocol.secrets import public_url  # noqa: PLC0415 - seldom shown

        return f"Request(url={public_url(self.url)!r}, timeout={self.timeout!r})"


@public
class HttpResponse(msgspec.Struct, frozen=True):
    """What a server answered. Header names are lower-case; `body` is decompressed."""

    status: int
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""

    def __repr__(self) -> str:
        return f"HttpResponse(status={self.status!r})"


class TimedResponse(HttpResponse, frozen=True):
    """An answer of which the transport knows how long it took."""

    took: float = 0.0
    """Seconds from the first byte of the request to the last of the answer, without connecting, and without
    what this process was late in reading it."""


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

    It may have `cancel_all()`, which makes the sends under way fail soon, and `abandon()`, which a forked
    child calls before anything else, to let go of what the parent has open without a word to the server.
    Without them a shutdown leaves requests under way to their timeouts, and a forked child goes on with the
    same object. `antinode.testing.check_transport` tries one.
    """

    def send(self, request: Request) -> HttpResponse: ...

    def close(self) -> None: ...


class FullTransport(Transport, Protocol):
    """What the shell calls: a transport with the methods that one may go without."""

    def cancel_all(self) -> None:
        """Make the sends under way fail soon with `TransportError`. Later ones are not affected."""
        return

    def abandon(self) -> None:
        """In a forked child, before anything else: let go of the parent's connections, unharmed."""
        return

    def is_late(self, sends: int) -> bool:  # noqa: ARG002 - known to some
        """Whether one of so many sends waits for this process at the moment, and not for its server."""
        return False


class CompletedTransport(FullTransport):
    """A transport that goes without some methods, with their defaults: to do nothing."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        for name in ("cancel_all", "abandon"):
            method = getattr(transport, name, None)
            if callable(method):
                setattr(self, name, method)

    def send(self, request: Request) -> HttpResponse:
        return self._transport.send(request)

    def close(self) -> None:
        self._transport.close()
