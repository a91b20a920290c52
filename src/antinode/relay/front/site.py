"""A front that listens, from opening to closing, with the intake behind it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final

import msgspec

from antinode.relay.figures import Delivering
from antinode.relay.front.app import Front
from antinode.relay.intake import Intake
from antinode.relay.projects import Projects
from antinode.server.http.connections import Listener, bind, url_of
from antinode.server.http.run import collect_rarely, signals_set

DEFAULT_PORT: Final = 8400

_log = logging.getLogger("antinode.relay")


class FrontSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a front listens, and how long its end may take."""

    host: str = "127.0.0.1"
    """Anything but loopback lets others in: who knows a project's API key can send events, anybody can read
    the figures."""
    port: int = DEFAULT_PORT
    """0: any free one."""
    tls: Callable[[], ssl.SSLContext] | None = None
    """Gives the context of each new connection over TLS; None: plain HTTP."""
    proxies: int = 0
    """How many proxies are in front, each of which adds to `X-Forwarded-For` whom it serves."""
    finish_within_s: float = 10.0
    """How long requests that are under way may take to end."""
    drain_within_s: float = 15.0
    """How long delivery may go on after that; what is left is there for the next process."""


class RelaySite:
    """Answers from `open` to `close`."""

    def __init__(
        self,
        settings: FrontSettings,
        projects: Projects,
        intake: Intake,
        *,
        delivering: Delivering | None = None,
        on_error: Callable[[Exception], None] | None = None,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        """The arguments are those of `Front`; mistakes are logged unless `on_error` hears of them."""
        clock = {} if now_ms is None else {"now_ms": now_ms}
        self.front = Front(
            projects,
            intake,
            delivering=delivering,
            proxies=settings.proxies,
            on_error=on_error or _tell,
            **clock,
        )
        self._settings = settings
        self._intake = intake

    async def open(self) -> str:
        """Take requests from now on. Returns the base URL; raises OSError if the address cannot be had, and
        what opening the intake raises."""
        settings = self._settings
        listening = bind(settings.host, settings.port)
        try:
            await self._intake.open()
        except BaseException:
            listening.close()
            raise
        self._listener = Listener(self.front)
        await self._listener.open(listening, settings.tls)
        return url_of(listening, "http" if settings.tls is None else "https")

    async def close(self) -> None:
        """Take no more requests, end those that are under way, and let delivery go on for its time."""
        self.front.end()
        try:
            await self._listener.close(self._settings.finish_within_s)
        finally:
            await self._intake.close(self._settings.drain_within_s)


def serve(
    settings: FrontSettings,
    projects: Projects,
    intake: Intake,
    announce: Callable[[str], None],
    *,
    delivering: Delivering | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then return; to be called from the main thread.

    `announce` is called with the base URL once requests are answered. Raises what `RelaySite.open` does.
    """
    asyncio.run(_serve(settings, projects, intake, announce, delivering))


async def _serve(
    settings: FrontSettings,
    projects: Projects,
    intake: Intake,
    announce: Callable[[str], None],
    delivering: Delivering | None,
) -> None:
    told = asyncio.Event()
    with signals_set(asyncio.get_running_loop(), told):
        site = RelaySite(settings, projects, intake, delivering=delivering)
        url = await site.open()
        collect_rarely()
        try:
            announce(url)
            await told.wait()
        finally:
            await site.close()


def _tell(error: Exception) -> None:
    _log.error("a request could not be answered", exc_info=error)
