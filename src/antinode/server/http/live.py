"""The live stream: what arrives, sampled, as server-sent events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

import msgspec

from antinode.server.models import EventView, Totals, UploadView

MAX_EVENTS: Final = 50
"""Events in one message."""

MAX_UPLOADS: Final = 20
"""Uploads in one message."""

MAX_SUBSCRIBERS: Final = 64

_PAUSE_S: Final = 0.125
_HEARTBEAT_SECONDS: Final = 10.0
_RATE_STEPS: Final = 10


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """What came since the message before."""

    now: int
    """By the server's clock."""
    totals: Totals
    rate: int
    """Events accepted in the last second."""
    events: list[EventView]
    """Newest first, at most 50, a sample if more came."""
    omitted_events: int
    """How many more came since the message before."""
    uploads: list[UploadView]
    """Newest first, at most 20, a sample if more came."""
    omitted_uploads: int
    problems: int
    """Errors and warnings in all."""


class Live:
    """Hears of every upload and tells its subscribers, at most eight times a second each.

    Bounded: it keeps the newest 50 events and 20 uploads, once for all. A subscriber that reads slowly gets
    the newest of them later, and how many it missed. Belongs to the event loop's thread.
    """

    def __init__(self, now_ms: Callable[[], int], *, elapsed: Callable[[], float]) -> None:
        """`now_ms` is the server's clock; `elapsed` gives seconds and never goes back."""
        self._now_ms = now_ms
        self._elapsed = elapsed
        self._events: deque[tuple[int, EventView]] = deque(maxlen=MAX_EVENTS)
        self._uploads: deque[UploadView] = deque(maxlen=MAX_UPLOADS)
        self._heard_uploads = 0
        self._heard_events = 0
        self._sampled = 0
        self._rate = _Rate()
        self._totals = Totals()
        self._begun = _Place(0, 0, 0)
        self._subscribers = 0
        self._closed = asyncio.Event()
        self._news = asyncio.Event()

    @property
    def is_hungry(self) -> bool:
        """Whether views of the next upload's events are of use: somebody watches, and has not enough yet."""
        return self._subscribers > 0 and self._sampled < MAX_EVENTS

    @property
    def is_full(self) -> bool:
        """Whether there are as many subscribers as there may be."""
        return self._subscribers >= MAX_SUBSCRIBERS

    def hear(self, upload: UploadView, events: Sequence[EventView], totals: Totals) -> None:
        """Take in an upload that was committed; `events` are some of its events, newest first."""
        self._heard_uploads += 1
        self._heard_events += upload.events
        self._uploads.append(upload)
        self._events.extend((self._heard_uploads, event) for event in reversed(events))
        self._sampled += len(events)
        self._rate.add(upload.accepted, self._elapsed())
        self._totals = totals
        self._wake()

    def reset(self, totals: Totals) -> None:
        """Tell subscribers that the store has forgotten everything."""
        self._events.clear()
        self._uploads.clear()
        self._rate = _Rate()
        self._totals = totals
        self._begun = _Place(self._heard_uploads, self._heard_events, self._begun.resets + 1)
        self._wake()

    def touch(self) -> None:
        """Send a tick, though no upload came: what subscribers have read may be another now."""
        self._wake()

    def close(self) -> None:
        """End every stream."""
        self._closed.set()
        self._wake()

    async def messages(self, totals: Totals) -> AsyncGenerator[bytes, None]:
        """The stream of one subscriber, beginning with a tick of `totals`; it ends after `close`."""
        self._subscribers += 1
        try:
            self._totals = totals
            place = self._here()
            rate_told = 0
            while not self._closed.is_set():
                news = self._news
                if place.resets != self._begun.resets:
                    place = self._begun
                    yield b"event: reset\ndata: {}\n\n"
                tick = self._tick(place)
                place, rate_told = self._here(), tick.rate
                self._sampled = 0
                yield b"event: tick\ndata: %b\n\n" % msgspec.json.encode(tick)
                await _first_of(self._closed, _PAUSE_S)
                # A rate that was told would stay on show, so it is corrected when nothing comes any more.
                while not await _first_of(news, 1.0 if rate_told else _HEARTBEAT_SECONDS):
                    if rate_told:
                        break
                    yield b": still here\n\n"
        finally:
            self._subscribers -= 1

    def _here(self) -> _Place:
        return _Place(self._heard_uploads, self._heard_events, self._begun.resets)

    def _tick(self, since: _Place) -> Tick:
        events = [event for heard, event in self._events if heard > since.uploads]
        fresh = self._heard_uploads - since.uploads
        uploads = list(self._uploads)[-fresh:] if fresh else []
        return Tick(
            now=self._now_ms(),
            totals=self._totals,
            rate=self._rate.of(self._elapsed()),
            events=events[::-1],
            omitted_events=max(0, self._heard_events - since.events - len(events)),
            uploads=uploads[::-1],
            omitted_uploads=fresh - len(uploads),
            problems=self._totals.problems,
        )

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class _Place(msgspec.Struct, frozen=True):
    """How far a subscriber has been told."""

    uploads: int
    events: int
    resets: int


class _Rate:
    """Counts what came in the last second, by tenths of a second."""

    def __init__(self) -> None:
        self._counts = [0] * _RATE_STEPS
        self._step = 0

    def add(self, count: int, now: float) -> None:
        self._go_to(now)
        self._counts[self._step % _RATE_STEPS] += count

    def of(self, now: float) -> int:
        self._go_to(now)
        return sum(self._counts)

    def _go_to(self, now: float) -> None:
        step = int(now * _RATE_STEPS)
        for passed in range(max(self._step + 1, step - _RATE_STEPS + 1), step + 1):
            self._counts[passed % _RATE_STEPS] = 0
        self._step = max(self._step, step)


async def _first_of(event: asyncio.Event, within_s: float) -> bool:
    """Wait for `event`, at most `within_s` seconds; whether it was set."""
    try:
        await asyncio.wait_for(event.wait(), within_s)
    except asyncio.TimeoutError:
        return False
    return True
