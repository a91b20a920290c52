"""What the commands that send again have in common: how, what the SDK says meanwhile, and the waiting."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from antinode._delivery.shell.log_limiter import PREFIX
from antinode.cli.ui import console

if TYPE_CHECKING:
    from antinode import Client
    from antinode.cli.params.destination import Destination

_TICK_SECONDS: Final = 0.1


def init_options(destination: Destination) -> dict[str, Any]:
    """Options for `init` with which no event is too old to be sent, and the end waits for nothing."""
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
        if "further line" in record.msg and "kept back" in record.msg:
            return  # the command sums up by itself
        style = "red" if record.levelno >= logging.ERROR else "yellow"
        text = record.getMessage().removeprefix(PREFIX)
        console.err().print(console.printable(text, 600), style=style, soft_wrap=True)


def flush_watched(client: Client, timeout: float | None, go_on: Callable[[], bool]) -> None:
    """`client.flush(timeout)`, with `go_on` asked on this thread meanwhile; False ends the waiting."""
    flushing = threading.Thread(target=client.flush, args=(timeout,), name="antinode-flush", daemon=True)
    flushing.start()
    while flushing.is_alive() and go_on():
        flushing.join(_TICK_SECONDS)


def paused(client: Client) -> str:
    """Why nothing is sent at the moment, in a word: an outage, a throttle, …; empty while all is well."""
    return (client.stats().stalled or "").partition(":")[0]


def is_faulted(client: Client) -> bool:
    """Whether the server said that the key or the URL is wrong, which waiting does not mend."""
    return paused(client) == "configuration"
