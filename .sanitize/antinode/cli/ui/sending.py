"""What the commands that send again have in common: how, what the SDK says meanwhile, and the waiting."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from antinode.cli.ui import console

if TYPE_CHECKING:
    from antinode import Client
    from antinode.cli.params.destination import Destination

_TICK: Final = 0.1


def init_options(destination: Destination) -> dict[str, Any]:
    """For `init`: what is sent again is wanted however old it is, and the end waits for nothing."""
    return {**destination.options, "max_event_age": None, "shutdown_timeout": 0}


@contextlib.contextmanager
def sdk_lines() -> Iterator[None]:
    """Prints what the SDK warns of, above a progress bar if there is one."""
    logger, handler = logging.getLogger("antinode"), _Lines(logging.WARNING)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("%d further lines"):
            return  # the command sums up by itself
        style = "red" if record.levelno >= logging.ERROR else "yellow"
        console.err().print(console.printable(record.getMessage(), 600), style=style, soft_wrap=True)


def flush_watched(client: Client, timeout: float | None, go_on: Callable[[], bool]) -> None:
    """`client.flush(timeout)`, with `go_on` asked on this thread meanwhile; False ends the waiting."""
    flushing = threading.Thread(target=client.flush, args=(timeout,), name="antinode-flush", daemon=True)
    flushing.start()
    while flushing.is_alive() and go_on():
        flushing.join(_TICK)


def paused(client: Client) -> str:
    """Why nothing is sent at the moment, in a word: an outage, a throttle, …; empty while all is well."""
    return (client.stats().stalled or "").partition(":")[0]


def is_faulted(client: Client) -> bool:
    """Whether the server said that the key or the URL is wrong, which waiting does not mend."""
    return paused(client) == "configuration"
