"""The end of a process that runs no exit handlers."""

from __future__ import annotations

import asyncio

import antinode


def shut_down_all() -> None:
    """Send what all instances have queued, each within its `shutdown_timeout`."""
    for client in antinode.get_instances():
        client.shutdown()


async def ashut_down_all() -> None:
    """The same at once, without blocking the event loop."""
    await asyncio.gather(*(client.ashutdown() for client in antinode.get_instances()))
