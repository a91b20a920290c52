"""Serving until told to stop: what `antinode serve` does."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import Callable, Iterator

from antinode.server.http.server import Site
from antinode.server.settings import DEFAULT_PORT, ServerSettings

__all__ = ["DEFAULT_PORT", "ServerSettings", "collect_rarely", "serve"]

_logger = logging.getLogger("antinode.server")


def serve(settings: ServerSettings, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, then return; to be called from the main thread.

    `announce` is called with the base URL (`http://127.0.0.1:8300`) once requests are answered. Raises
    OSError if the address cannot be had, `DataInUse` or `DataUnreadable` for the file.
    """
    asyncio.run(_serve(settings, announce))


def collect_rarely() -> None:
    """Have the garbage collector look less often, in a process that only serves.

    Requests are thousands of short-lived objects without cycles: looking through them was a fifth of the cost
    of an event.
    """
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


async def _serve(settings: ServerSettings, announce: Callable[[str], None]) -> None:
    told = asyncio.Event()
    with signals_set(asyncio.get_running_loop(), told):
        site = Site(settings, _log)
        url = await site.open()
        collect_rarely()
        try:
            announce(url)
            await told.wait()
        finally:
            await site.close()


@contextlib.contextmanager
def signals_set(loop: asyncio.AbstractEventLoop, told: asyncio.Event) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM set `told`, and what they did before afterwards."""
    ends = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        ends.append(signal.SIGBREAK)
    before = {each: signal.getsignal(each) for each in ends}
    for each in ends:
        signal.signal(each, lambda *_: loop.call_soon_threadsafe(told.set))
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _log(error: Exception) -> None:
    _logger.error("a request could not be answered", exc_info=error)
