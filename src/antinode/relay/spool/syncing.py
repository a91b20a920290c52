"""Many requests share one sync: while a sync runs, those that come wait for the next one together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

_T = TypeVar("_T")


class GroupSync(Generic[_T]):
    """Makes things durable in the order in which they come. It belongs to one event loop's thread."""

    def __init__(self, sync: Callable[[_T], object], name: str) -> None:
        """`sync` returns once what it is given, and all before it, is durable; on a thread of this name."""
        self._sync = sync
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: list[asyncio.Future[None]] = []
        self._last: _T
        self._task: asyncio.Task[None] | None = None

    async def durable(self, last: _T) -> None:
        """Return once `last` and all before it are durable. Raises what `sync` does."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._last = last
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                error = await loop.run_in_executor(self._thread, self._tried, self._last)
                for future in waiting:
                    if future.done():
                        continue  # who waited has gone
                    if error is None:
                        future.set_result(None)
                    else:
                        future.set_exception(error)
        finally:
            self._task = None

    def _tried(self, last: _T) -> Exception | None:
        try:
            self._sync(last)
        except Exception as error:
            return error
        return None

    def close(self) -> None:
        """Let the thread end, once it has synced what it was given. Nobody may wait any more."""
        self._thread.shutdown(wait=False)
