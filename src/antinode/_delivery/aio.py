"""Waiting in asyncio for what settles on another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from antinode._delivery.record import remove_callback

if TYPE_CHECKING:
    from antinode._delivery.record import Delivery


def new_future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


def waker(future: asyncio.Future[None]) -> Callable[[], None]:
    """A function that completes `future` from any thread; it does nothing once the loop is closed."""
    loop = future.get_loop()

    def complete() -> None:
        if not future.done():
            future.set_result(None)

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(complete)
        except RuntimeError:
            # The loop was closed while the event was under way: nobody is waiting any more.
            return

    return wake


async def wait_for(
    future: asyncio.Future[None], timeout: float | None, *, check: Callable[[], object], every: float
) -> None:
    """Wait for `future`, at most `timeout` seconds, running `check` now and then."""
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else loop.time() + timeout
    while not future.done():
        check()
        left = every if deadline is None else min(every, deadline - loop.time())
        if left <= 0:
            return
        await asyncio.wait([future], timeout=left)


def settled(record: Delivery) -> Generator[Any, None, None]:
    """Suspend the running task until `record` has settled."""
    future = new_future()
    wake = waker(future)

    def woken(_: Delivery) -> None:
        wake()

    record.add_done_callback(woken)
    try:
        yield from future
    finally:
        # Waiting for a second, again and again, must not leave a callback each time.
        remove_callback(record, woken)
