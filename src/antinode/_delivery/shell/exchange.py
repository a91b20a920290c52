"""One exchange: the request that carries an upload, and what its answer means."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from antinode._delivery.core.backlog import ids_of
from antinode._delivery.messages import FullTransport, Request, TimedResponse, TransportTimeout
from antinode._delivery.shell.log_limiter import log, write
from antinode._protocol.responses import Action, Verdict, unreached
from antinode._protocol.secrets import public_url
from antinode._protocol.status import Status
from antinode._protocol.words import counted
from antinode._protocol.words import size as in_units

if TYPE_CHECKING:
    from antinode._delivery.core.batch import Upload
    from antinode._delivery.core.envelope import Envelope
    from antinode._delivery.core.withholding import Withheld
    from antinode._delivery.shell.consent import ConsentDesk
    from antinode._protocol.endpoints import Endpoint


class UploadRoute(msgspec.Struct, frozen=True):
    """How uploads reach an endpoint."""

    url: str
    envelope: Envelope

    def __repr__(self) -> str:
        return "UploadRoute()"  # a URL's query and the envelope may hold secrets


class Reply(msgspec.Struct, frozen=True):
    """What came of an upload."""

    number: int
    """The number of the upload."""
    verdict: Verdict | None
    """What the answer means; None if nothing was left to send."""
    size: int = 0
    """Bytes of the request's body; 0 if it was not made."""
    seconds: float | None = None
    """How long the server took to answer; None if no answer came."""
    withheld: Withheld | None = None
    """What of the upload was left out of the request."""


class Exchanger:
    """Makes exchanges over one transport, on whichever threads ask for them."""

    def __init__(
        self,
        make_transport: Callable[[], FullTransport],
        routes: Mapping[Endpoint, UploadRoute],
        *,
        headers: Mapping[str, str],
        clock: Callable[[], float],
        desk: ConsentDesk | None = None,
    ) -> None:
        self._make_transport = make_transport
        self._routes = routes
        self._headers = headers
        self._clock = clock
        self._desk = desk
        self._transport: FullTransport | None = None
        self.make_lock()

    def make_lock(self) -> None:
        """Make the lock anew under which the transport is made; before any thread may hold it."""
        self._making = threading.RLock()

    @property
    def transport(self) -> FullTransport:
        """The transport, made when it is first needed."""
        transport = self._transport
        if transport is None:
            with self._making:
                transport = self._transport
                if transport is None:
                    transport = self._transport = self._make_transport()
        return transport

    def exchange(
        self,
        upload: Upload,
        timeout: float,
        post: Callable[[Reply], object],
        is_awaited: Callable[[int], bool],
    ) -> None:
        """Make one request within `timeout` seconds, and post what came of it, whatever happened.

        No request is made if, when everything else is ready for it, the upload of this number is not awaited
        any more: it was given up for lost, or the client has ended.
        """
        verdict: Verdict | None
        verdict = _ENDED
        withheld: Withheld | None = None
        size, seconds, lasted, begun = 0, None, None, 0.0
        try:
            if timeout <= 0:
                raise TransportTimeout("there was no time left for a request")
            if self._desk is not None:
                allowed, withheld = self._desk.sort(upload.records, timeout)
                upload = msgspec.structs.replace(upload, records=allowed)
                if not allowed:
                    verdict = None
                    return
            body, unusable = self._body_of(upload)
            if unusable is not None:
                verdict = unusable
                return
            request = Request(self._routes[upload.endpoint].url, body, self._headers, timeout)
            if not is_awaited(upload.number):
                raise TransportTimeout("the upload was given up before its request was made")
            transport = self.transport
            size = len(body)
            begun = self._clock()
            response = transport.send(request)
            lasted = self._clock() - begun
            seconds = response.took if isinstance(response, TimedResponse) else lasted
            verdict = _judge(response, upload)
        except TransportTimeout as error:
            verdict = unreached(Status.TIMEOUT, _text(error))
        except KeyboardInterrupt:
            # Ctrl-C, which interrupts the main thread alone: it makes requests itself at exit.
            raise
        except BaseException as error:
            verdict = unreached(Status.SYSTEM_ERROR, f"{type(error).__name__}: {_text(error)}")
        finally:
            if size and verdict is not None and log.isEnabledFor(logging.DEBUG):
                took = self._clock() - begun if lasted is None else lasted
                _tell(self._routes[upload.endpoint].url, len(upload.records), size, verdict, took)
            post(Reply(upload.number, verdict, size, seconds, withheld))

    def _body_of(self, upload: Upload) -> tuple[bytes, Verdict | None]:
        """The request's body, or, if some record cannot be put into it, the verdict on all of them."""
        try:
            return self._routes[upload.endpoint].envelope.wrap(upload.records), None
        except MemoryError:
            raise  # this is about no record
        except Exception as error:
            return b"", _unusable(f"no request could be made of it: {type(error).__name__}")

    def is_late(self, under_way: int) -> bool:
        """Whether one of so many exchanges waits for this process at the moment, as far as is known."""
        transport = self._transport
        return transport is None or transport.is_late(under_way)

    def abandon(self) -> None:
        """In a forked child: let go of the parent's connections."""
        if self._transport is not None:
            self._transport.abandon()

    def close(self, *, cancels: bool) -> None:
        """Let connections go; `cancels` has requests under way fail. Raises what the transport does."""
        transport = self._transport
        if transport is None:
            return
        if cancels:
            transport.cancel_all()
        transport.close()


_ENDED = unreached(Status.SYSTEM_ERROR, "the thread that made the request was ended")


def _tell(url: str, events: int, size: int, verdict: Verdict, seconds: float) -> None:
    """Log one exchange: `POST /2/httpapi 12 events 3.4 kB → 200 in 45 ms`."""
    path = public_url(url).partition("://")[2].partition("/")[2]
    answer = str(verdict.code) if verdict.code else "no answer"
    why = "" if verdict.action is Action.DELIVERED else f": {verdict.message}"
    request = f"POST /{path} {counted(events, 'event')} {in_units(size)}"
    write(logging.DEBUG, f"{request} → {answer} in {seconds * 1000:.0f} ms{why}")


def _judge(response: Any, upload: Upload) -> Verdict:
    records = upload.records
    status, headers, body = response.status, response.headers, response.body
    if not isinstance(status, int) or not isinstance(headers, Mapping) or body is None:
        raise TypeError("the transport returned what is no HttpResponse")  # which is about no record
    try:
        return upload.endpoint.judge(status, headers, body, len(records), lambda i: ids_of(records[i]))
    except Exception as error:
        return _unusable(f"the answer to it could not be read: {type(error).__name__}")


def _unusable(message: str) -> Verdict:
    """The verdict on records of which one fails in whatever is done with it: halve, until it is alone."""
    return Verdict(Action.BISECT, Status.SYSTEM_ERROR, 0, message)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "an exception that cannot be shown"
