"""A whole server on one event loop: engine, application and listening socket, from opening to closing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from functools import partial

from antinode.server.engine import Amplitude
from antinode.server.http.app import Application
from antinode.server.http.connections import Listener, bind, url_of
from antinode.server.http.engine_thread import Worker
from antinode.server.plan_file import LOOK_EVERY_SECONDS, PlanFile, PlanReading
from antinode.server.settings import ServerSettings

_logger = logging.getLogger("antinode.server")

_ENDS_WITHIN_SECONDS = 0.7
"""How long requests that are being answered may take to end: less than a person waits after Ctrl-C."""


class Site:
    """A server that answers from `open` to `close`."""

    def __init__(self, settings: ServerSettings, on_error: Callable[[Exception], None]) -> None:
        """`on_error` hears of every mistake of ours that a request brought to light."""
        self._settings = settings
        self._on_error = on_error
        self._following: asyncio.Task[None] | None = None

    async def open(self) -> str:
        """Answer requests from now on. Returns the base URL; raises OSError if the address cannot be had."""
        settings = self._settings
        listening: socket.socket = bind(settings.host, settings.port)
        try:
            self._worker = Worker(settings.engine, settings.on_upload)
            await self._worker.open()
        except BaseException:
            listening.close()
            raise
        self._application = Application(self._worker, settings.host, settings.allowed_hosts, self._on_error)
        self._listener = Listener(self._application)
        await self._listener.open(listening, settings.tls)
        if isinstance(settings.plan, PlanFile):
            self._following = asyncio.create_task(self._follow(settings.plan))
        return url_of(listening, "http" if settings.tls is None else "https")

    async def close(self) -> None:
        """Take no more requests, end those that are being answered, and keep what was stored."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
        self._worker.end()
        self._application.ingestion.close()
        try:
            await self._listener.close(_ENDS_WITHIN_SECONDS)
        finally:
            await self._worker.close()

    async def _follow(self, file: PlanFile) -> None:
        """Put the plan of a file in force whenever it has changed."""
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            # Beside what is answered: a plan may have megabytes.
            found = await asyncio.to_thread(file.look)
            if found is not None:
                await self._worker.ask(partial(_replan, found))
                self._worker.live.touch()
                if self._settings.on_plan is not None:
                    self._settings.on_plan(found)
                else:
                    _log_plan(file, found)


def _replan(found: PlanReading, engine: Amplitude) -> None:
    engine.replan(found.plan, found.error)


def _log_plan(file: PlanFile, found: PlanReading) -> None:
    _logger.log(logging.WARNING if found.error else logging.INFO, "%s", found.told(file.path))
