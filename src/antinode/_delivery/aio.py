"""Waiting, in asyncio or trio, for what happens on another thread."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Awaited(Protocol):
    """What a task waits at until any thread opens it."""

    def open(self) -> None:
        """Let the task go on; does nothing once its loop has ended."""

    @property
    def is_open(self) -> bool: ...

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until it is open, or so many seconds are over."""

    async def in_thread(self, fn: Callable[[], T]) -> T:
        """Run what blocks. Raises `RuntimeError` where no thread can be started."""
        ...


class AsyncioGate:
    """A gate for a task of asyncio, or of a loop that stands in for it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()

    def open(self) -> None:
        # The loop may be closed: nobody is waiting any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._complete)

    def _complete(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    @property
    def is_open(self) -> bool:
        return self._future.done()

    async def wait(self, seconds: float | None = None) -> None:
        if seconds is None:
            await self._future
        else:
            await asyncio.wait([self._future], timeout=seconds)

    async def in_thread(self, fn: Callable[[], T]) -> T:
        return await asyncio.to_thread(fn)


class TrioGate:
    """A gate for a task of trio."""

    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._event = trio.Event()

    def open(self) -> None:
        with suppress(self._trio.RunFinishedError):
            self._token.run_sync_soon(self._event.set)

    @property
    def is_open(self) -> bool:
        return bool(self._event.is_set())

    async def wait(self, seconds: float | None = None) -> None:
        with self._trio.move_on_after(float("inf") if seconds is None else seconds):
            await self._event.wait()

    async def in_thread(self, fn: Callable[[], T]) -> T:
        result: T = await self._trio.to_thread.run_sync(fn)
        return result


def new_gate() -> Awaited:
    """A gate for the running task. Raises `RuntimeError` in a loop that is neither asyncio's nor trio's."""
    trio = sys.modules.get("trio")
    # asyncio and trio may run inside each other, and then both say that they are running.
    if trio is not None and trio.lowlevel.in_trio_task() and not _is_asyncio_task():
        return TrioGate(trio)
    try:
        return AsyncioGate()
    except RuntimeError:
        raise RuntimeError(
            "aflush(), ashutdown() and `await` of a delivery need asyncio or trio; "
            "elsewhere call flush(), shutdown() or result() on a thread"
        ) from None


def _is_asyncio_task() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


async def wait_for(
    gate: Awaited, timeout: float | None, *, check: Callable[[], object], every: float
) -> None:
    """Wait at `gate`, at most `timeout` seconds, running `check` now and then."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while not gate.is_open:
        check()
        left = every if deadline is None else min(every, deadline - time.monotonic())
        if left <= 0:
            return
        await gate.wait(left)


def called(
    add: Callable[[Callable[[object], None]], object], remove: Callable[[Callable[[object], None]], object]
) -> Generator[Any, None, None]:
    """Suspend the running task until the callback that `add` is given has been called.

    `remove` is given it afterwards.
    """
    gate = new_gate()

    def opened(_: object) -> None:
        gate.open()

    add(opened)
    try:
        yield from gate.wait().__await__()
    finally:
        # Waiting for a second, again and again, must not leave a callback each time.
        remove(opened)
