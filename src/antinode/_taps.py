"""Where a test takes events off their way: in the place of a client's sender stands one that hands them over.

Nothing here is used, and nothing but the set of clients is kept, until a test kit installs its tap.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakKeyDictionary, WeakSet

import msgspec

from antinode._factory import is_on_this_machine, make_sender, upload_urls

if TYPE_CHECKING:
    from antinode._delivery.messages import HttpResponse, Request
    from antinode._delivery.shell.sender import Sender
    from antinode._options import Options

_NO_KEY: Final = "0" * 32


class Tap(Protocol):
    """Says whose events it takes, and takes them. Its methods are called on the thread that logs."""

    @property
    def takes_all(self) -> bool:
        """Whether it takes from every client, initialised and enabled or not."""

    def takes_from(self, host: str) -> bool:
        """Whether it takes from a client that would send to another machine; asked unless it takes all."""

    def take(self, body: bytes, client: str | None, host: str) -> None:
        """Take one event: its JSON as it would go on the wire, the instance's name and where it would go."""

    def complain(self, problem: str) -> None:
        """Hear what the log would tell of an event: it was refused or mended, or has an unknown key."""


class Tappable(Protocol):
    """What the taps need of a client."""

    _name: str | None
    _sender: Sender | None
    _options: Options

    def _make_sender(self, key: str, options: Options) -> Sender:
        """The sender of a client that nobody taps."""

    def _reroute(self, sender: Sender | None, options: Options) -> None:
        """Log to another sender from now on; None makes the client one that was never initialised."""


class _Route(msgspec.Struct, weakref=False, eq=False):
    """How a client was initialised, and its two senders, each made when it is first needed."""

    key: str | None
    """None for a client that was not initialised when its events were first taken."""
    options: Options
    real: Sender | None = None


clients: Final[WeakSet[Any]] = WeakSet()
"""All clients of the process."""

_routes: Final[WeakKeyDictionary[Any, _Route]] = WeakKeyDictionary()
_tap: Tap | None = None


def install(tap: Tap | None) -> None:
    """Have `tap` decide about each client from now on; None ends that, and every client sends as before."""
    global _tap
    _tap = tap
    review()
    if tap is None:
        _routes.clear()


def review() -> None:
    """Ask the tap again about each client that is there: it takes from others than before."""
    for client in list(clients):
        sender: Sender | None = client._sender
        if sender is None:
            continue
        route = _routes.get(client)
        if route is None:
            route = _routes[client] = _Route("", client._options, real=sender)
        if _takes(route.options):
            if not sender.is_tapped:
                route.real = sender
            if not sender.is_tapped or sender.is_closed:
                client._reroute(_tapped(client, route), _enabled(client._options))
        elif sender.is_tapped:
            client._reroute(_real(client, route), _as_given(client._options, route.options))


def is_taking_all() -> bool:
    """Whether a client needs neither a key nor `init` for its events to be taken."""
    return _tap is not None and _tap.takes_all


def adopt(client: Tappable) -> None:
    """Have the events of a client that was never initialised taken, too."""
    if is_taking_all():
        route = _routes[client] = _Route(None, client._options)
        client._reroute(_tapped(client, route), client._options)


def sender_for(client: Tappable, key: str, options: Options) -> tuple[Sender, Options] | None:
    """The sender, and the options in force, of a client that is initialised; None if it is to send itself."""
    if _tap is None:
        return None
    former = _routes.pop(client, None)
    if former is not None and former.real is not None and former.real is not client._sender:
        former.real.shutdown(former.options.shutdown_timeout)
    route = _Route(key, options)
    if not _takes(options):
        return None
    _routes[client] = route
    return _tapped(client, route), _enabled(options)


def _takes(options: Options) -> bool:
    if _tap is None:
        return False
    if _tap.takes_all:
        return True
    url, _ = upload_urls(options)
    is_near = not options.enabled or options.transport is not None or is_on_this_machine(url)
    return not is_near and _tap.takes_from(_host(url))


def _tapped(client: Tappable, route: _Route) -> Sender:
    from antinode._delivery.shell.tapped import TappedSender  # noqa: PLC0415 - only in tests

    options = msgspec.structs.replace(
        route.options, transport=_Nowhere(), storage=None, dead_letters=None, drain_on_sigterm=False
    )
    url, _ = upload_urls(route.options)
    tap = _ClientTap(client._name, _host(url))
    return make_sender(route.key or _NO_KEY, options, client._name, make=partial(TappedSender, tap=tap))


def _real(client: Tappable, route: _Route) -> Sender | None:
    if route.real is None and route.key is not None:
        route.real = client._make_sender(route.key, route.options)
        if route.options.enabled:
            route.real.open_store()
    return route.real


def _enabled(options: Options) -> Options:
    return options if options.enabled else msgspec.structs.replace(options, enabled=True)


def _as_given(now: Options, given: Options) -> Options:
    """The options of now, `enabled` or not as they were given."""
    return msgspec.structs.replace(now, enabled=given.enabled)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


class _ClientTap:
    """The tap in place, for the events of one client."""

    def __init__(self, name: str | None, host: str) -> None:
        self._name = name
        self._host = host

    def take(self, body: bytes) -> None:
        if _tap is not None:
            _tap.take(body, self._name, self._host)

    def complain(self, problem: str) -> None:
        if _tap is not None:
            _tap.complain(problem)


class _Nowhere:
    """The transport of a sender that never sends."""

    def send(self, request: Request) -> HttpResponse:
        raise AssertionError(f"a tapped sender sends nothing, and not to {request.url}")

    def close(self) -> None:
        """Nothing is open."""
