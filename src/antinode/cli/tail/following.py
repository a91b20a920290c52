"""Every event that a server takes, in order, from a place on: also across its restarts.

The server's live stream is a sample, so it only says that something came; what came is asked for.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import urllib3

from antinode._delivery.http.failures import to_transport_error
from antinode._protocol.secrets import public_url
from antinode.server.client import Api, ApiError

if TYPE_CHECKING:
    from antinode.cli.tail.selection import Selection
    from antinode.server.client import Event, EventFilters

_PAGE: Final = 1_000
_LOOK_BACK: Final = 100_000
"""How many events are looked through for the last few that fit."""
_PATIENCE_SECONDS: Final = 25.0
"""The stream shows that it lives every ten seconds."""
_PAUSE_SECONDS: Final = 0.3
_FAR_BEHIND: Final = 5_000
_LONGEST_LINE: Final = 1 << 20
"""Bytes. The server's own are a hundredth of that."""


class Unreachable(Exception):
    """No local Amplitude answers."""


@dataclass(frozen=True)
class Place:
    """How far the events of a server were read."""

    seq: int = 0
    event: tuple[str | None, int] | None = None
    """By what the event there is known again, if it was seen."""

    @classmethod
    def of(cls, event: Event) -> Place:
        return cls(event.seq, (event.insert_id, event.received_at))

    def may_be(self, event: Event) -> bool:
        """Whether `event` may be the last one that was read."""
        return self.event in (None, (event.insert_id, event.received_at))


class Follower:
    """Reads a server's events. Belongs to one thread."""

    def __init__(self, url: str, selection: Selection, *, skips: bool, tell: Callable[[str], None]) -> None:
        """`skips`: leave out events that nobody could read any more, and count them in `omitted`.

        `tell` hears, once each, that the server has gone and that it is back.
        """
        self.omitted = 0
        self._url = url
        self._shown_url = public_url(url)
        self._api = Api(url, timeout=30.0)
        self._selection = selection
        self._skips = skips
        self._tell = tell
        self._place = Place()

    def last(self, count: int) -> list[Event]:
        """The newest `count` events that fit, oldest first; what comes later is for `follow`.

        Raises Unreachable when there is no server.
        """
        try:
            newest = self._api.events(limit=1)
            if not newest:
                return []
            self._place = Place.of(newest[0])
            return self._newest_that_fit(count) if count else []
        except urllib3.exceptions.HTTPError as error:
            # urllib3 calls a refused connection a timeout, so the socket's own error is told.
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            raise Unreachable(str(to_transport_error(cause, self._shown_url.partition("://")[2]))) from error
        except ApiError as error:
            raise Unreachable(f"what is there {error}") from error
        except msgspec.DecodeError:
            raise Unreachable("what is there is something else") from None

    def _newest_that_fit(self, count: int) -> list[Event]:
        found: list[Event] = []
        before, looked = self._place.seq + 1, 0
        while len(found) < count and looked < _LOOK_BACK:
            # Where the server does all the filtering, no more events are asked for than are wanted.
            size = _PAGE if self._selection.properties else count - len(found)
            wanted: EventFilters = {**self._selection.filters, "before": before, "limit": size}
            page = self._api.events(**wanted)
            found += [event for event in page if self._selection.fits(event)]
            if len(page) < size:
                break
            before, looked = page[-1].seq, looked + len(page)
        return found[:count][::-1]

    def follow(self) -> Iterator[list[Event]]:
        """Lists of events as they come, for ever. Call `last` first."""
        is_gone = False
        while True:
            with contextlib.suppress(urllib3.exceptions.HTTPError, ApiError, msgspec.DecodeError):
                for _ in self._bells():
                    if is_gone:
                        is_gone = False
                        self._tell(f"{self._shown_url} is back.")
                        self._find_place()
                    yield from self._news()
            if not is_gone:
                is_gone = True
                self._tell(f"{self._shown_url} is gone; waiting for it to come back. Ctrl-C ends this.")
            time.sleep(_PAUSE_SECONDS)

    def _bells(self) -> Iterator[None]:
        """Rings at the beginning and whenever something has come, until the stream ends."""
        timeout = urllib3.Timeout(connect=5.0, read=_PATIENCE_SECONDS)
        with urllib3.PoolManager(retries=False) as pool:
            response = pool.request(
                "GET", f"{self._url}/api/live", preload_content=False, decode_content=False, timeout=timeout
            )
            if response.status != 200:
                raise ApiError(response.status, "no live stream")
            try:
                lines = b""
                for piece in response.stream():
                    lines, _, rest = (lines + piece).rpartition(b"\n")
                    if b"event: reset" in lines:
                        self._place = Place()
                    # Several messages in one piece ring once: what came is read in any case.
                    if b"data: " in lines:
                        yield
                    if len(rest) > _LONGEST_LINE:
                        raise ApiError(200, "no live stream")
                    lines = rest
            finally:
                response.close()

    def _news(self) -> Iterator[list[Event]]:
        newest = self._api.events(limit=1)
        end = newest[0].seq if newest else 0
        if self._skips and end - self._place.seq > _FAR_BEHIND:
            self.omitted += end - _PAGE - self._place.seq
            self._place = Place(end - _PAGE)
        while self._place.seq < end:
            # The sequence is read in pieces, oldest first, however few of their events fit.
            start = self._place.seq
            stop = min(start + _PAGE, end)
            wanted: EventFilters = {**self._selection.filters, "after": start, "before": stop + 1}
            page = self._api.events(**wanted | {"limit": _PAGE})
            self._place = Place.of(newest[0]) if stop == end else Place(stop)
            if fitting := [event for event in reversed(page) if self._selection.fits(event)]:
                yield fitting

    def _find_place(self) -> None:
        """After a restart: go on, if the server still knows the last event; else it has begun anew."""
        place = self._place
        there = self._api.events(after=place.seq - 1, before=place.seq + 1, limit=1) if place.seq else []
        newest = self._api.events(limit=1)
        # The server may have forgotten the last event since, to stay within its bound.
        has_more = bool(newest) and newest[0].seq >= place.seq
        if not (place.may_be(there[0]) if there else has_more):
            self._place = Place()
