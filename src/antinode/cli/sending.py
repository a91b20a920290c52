"""What the commands that send have in common: where to and as whom, what the SDK says, and the waiting."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import rich_click as click

from antinode import ConfigurationError
from antinode._options import check_api_key
from antinode.cli import console
from antinode.cli.errors import NotSetUp

if TYPE_CHECKING:
    from antinode import Client, OptionsDict

_TICK: Final = 0.1
_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS: Final = [
    click.option(
        "--api-key",
        metavar="KEY",
        help="The project's API key. Better set AMPLITUDE_API_KEY: what is written here, others can see.",
    ),
    click.option(
        "--server-url", metavar="URL", help="Send there instead of to Amplitude, as `server_url=` does."
    ),
    click.option(
        "--zone",
        type=click.Choice(["US", "EU"], case_sensitive=False),
        help="Where the project's data lives; US unless it is given.",
    ),
    click.option("--batch", "is_batch", is_flag=True, help="Use the Batch API, which throttles later."),
    click.option(
        "--min-id-length",
        type=click.IntRange(min=1),
        metavar="N",
        help="Let the server take ids as short as this, as `min_id_length=` does.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Stop after so long. Without it, an outage is waited out.",
    ),
]


def sending_options(command: _Command) -> _Command:
    """Adds the options of `Destination`, and `--timeout`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where events are sent, and as whom; as the options of the SDK have it."""

    api_key: str | None
    server_url: str | None
    zone: Literal["US", "EU"] | None
    is_batch: bool
    min_id_length: int | None

    @property
    def key(self) -> str:
        """The API key, from the environment unless it was given. Raises what ends the command."""
        try:
            return check_api_key(self.api_key)
        except ConfigurationError as error:
            if self.api_key is None:
                raise NotSetUp(
                    "there is no usable API key: set AMPLITUDE_API_KEY in the environment to the project's"
                ) from None
            raise click.UsageError(str(error)) from None

    def options(self) -> OptionsDict:
        """For `init`. What it is not told here stays as the SDK has it."""
        options: OptionsDict = {
            "use_batch": self.is_batch,
            "min_id_length": self.min_id_length,
            # What is sent here, somebody wants to arrive however old it is; and the end waits for nothing.
            "max_event_age": None,
            "shutdown_timeout": 0,
        }
        if self.server_url is not None:
            options["server_url"] = self.server_url
        if self.zone is not None:
            options["server_zone"] = self.zone
        return options


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """What is wrong with an option that `init` was given is wrong usage."""
    try:
        yield
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None


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
