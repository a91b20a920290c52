"""Connections over TLS: accepted one by one, each with the certificate that is in force by then."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final

_BACKLOG: Final = 2048
_PAUSE_SECONDS: Final = 0.1
"""After an accept that failed, for want of descriptors for instance."""


class Handshakes:
    """Accepts connections and hands each to a protocol once its handshake is done.

    asyncio's own servers do so too, but know nothing of connections whose handshake goes on, which would keep
    them from closing.
    """

    def __init__(
        self,
        listening: socket.socket,
        context: Callable[[], ssl.SSLContext],
        protocol: Callable[[], asyncio.Protocol],
        within_s: float,
    ) -> None:
        """`within_s` bounds a handshake. Begins at once, on the event loop that runs."""
        self._listening = listening
        self._context = context
        self._protocol = protocol
        self._within_s = within_s
        self._running: set[asyncio.Task[None]] = set()
        listening.setblocking(False)
        listening.listen(_BACKLOG)
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._listening)
            except OSError:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            task = loop.create_task(self._shake_hands(accepted))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _shake_hands(self, accepted: socket.socket) -> None:
        # A client that does not trust the certificate, or speaks no TLS, learns of it by itself.
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol, accepted, ssl=self._context(), ssl_handshake_timeout=self._within_s
            )

    async def close(self) -> None:
        """Accept no more, and end the handshakes that go on."""
        # What is accepted already is taken over within three rounds of the loop, and so never lost.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().remove_reader(self._listening)
        for _ in range(3):
            await asyncio.sleep(0)
        self._accepting.cancel()
        await asyncio.gather(self._accepting, return_exceptions=True)
        self._listening.close()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
