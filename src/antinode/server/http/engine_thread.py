"""The engine on the one thread that it belongs to, asked from the event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Sequence
from typing import TypeVar

from antinode.server.engine import Amplitude, OnUpload
from antinode.server.http.live import Live
from antinode.server.models import EventView, Totals, UploadView

_T = TypeVar("_T")


class Worker:
    """Opens an engine on a thread of its own and asks it, one question after the other.

    All methods belong to the event loop's thread. What an upload changed is known here (`totals`, `live`)
    before its answer is, so that a client that has its answer finds it counted.
    """

    def __init__(self, make: Callable[[OnUpload], Amplitude], told: OnUpload | None = None) -> None:
        """`told` hears of each upload on the engine's thread."""
        self.totals = Totals()
        self.is_closing = False
        self._make = make
        self._told = told
        self._loop = asyncio.get_running_loop()
        self.live = Live(self._now_ms, elapsed=self._loop.time)
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="antinode-server-engine")
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Make the engine. Raises what making it raises."""
        try:
            self._engine = await self._run(lambda: self._make(self._committed))
        except BaseException:
            self._thread.shutdown()
            raise
        self._count(await self.ask(Amplitude.totals))

    async def ask(self, question: Callable[[Amplitude], _T]) -> _T:
        """The result of `question(engine)`, called after every question that was asked before."""
        return await self._run(lambda: question(self._engine))

    async def reset(self, question: Callable[[Amplitude], None]) -> None:
        """Ask a `question` after which the store is empty, and tell those who watch."""

        def asked(engine: Amplitude) -> Totals:
            question(engine)
            return engine.totals()

        self._count(await self.ask(asked))
        self.live.reset(self.totals)

    async def change(self) -> None:
        """Return at the next change of `totals`."""
        await self._changed.wait()

    def end(self) -> None:
        """Wake everybody who waits for a change: none will come any more."""
        self.is_closing = True
        self.live.close()
        self._count(self.totals)

    async def close(self) -> None:
        """End the engine and its thread, after what was asked."""
        await self.ask(Amplitude.close)
        self._thread.shutdown()

    def _now_ms(self) -> int:
        # The engine's thread may set the clock meanwhile; a single read gives the time before or after.
        return self._engine.clock.now_ms()

    async def _run(self, question: Callable[[], _T]) -> _T:
        return await self._loop.run_in_executor(self._thread, question)

    def _committed(
        self, upload: UploadView, views: Callable[[], Sequence[EventView]], totals: Totals
    ) -> None:
        # This runs on the engine's thread, and reads only `is_hungry` of what belongs to the loop's thread.
        # If that is out of date, a sample is larger or smaller by one upload.
        events = views() if self.live.is_hungry else ()
        self._loop.call_soon_threadsafe(self._hear, upload, events, totals)
        if self._told is not None:
            self._told(upload, views, totals)

    def _hear(self, upload: UploadView, events: Sequence[EventView], totals: Totals) -> None:
        self._count(totals)
        self.live.hear(upload, events, totals)

    def _count(self, totals: Totals) -> None:
        self.totals = totals
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
