"""Where a front listens, and what a process of the relay logs: the options, and what they are made into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import rich_click as click

from antinode.cli.ui.errors import Failed, NotSetUp

if TYPE_CHECKING:
    from antinode.relay.front.site import FrontSettings

_Command = TypeVar("_Command", bound=Callable[..., Any])


def address_options(port: int, variables: str, what: str = "") -> Callable[[_Command], _Command]:
    """`--host` and `--port` for a command; `variables` is what their variables begin with."""
    host_option = click.option(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        show_default=True,
        envvar=f"{variables}_HOST",
        help=f"Address to listen on{what}. Also: {variables}_HOST.",
    )
    port_option = click.option(
        "--port",
        type=click.IntRange(0, 65_535),
        default=port,
        metavar="PORT",
        show_default=True,
        envvar=f"{variables}_PORT",
        help=f"Port to listen on{what}; 0 takes any free one. Also: {variables}_PORT.",
    )
    return lambda command: host_option(port_option(command))


_LISTENING: Final = (
    address_options(8400, "ANTINODE_RELAY"),
    click.option(
        "--cert",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        metavar="PATH",
        help="Serve HTTPS with this certificate, in PEM.",
    ),
    click.option(
        "--key",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        metavar="PATH",
        help="The key of --cert, in PEM; not needed if it is in the same file.",
    ),
    click.option(
        "--proxies",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="N",
        help="So many proxies are in front, each of which adds to X-Forwarded-For whom it serves.",
    ),
    click.option(
        "--finish",
        type=click.FloatRange(min=0),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="At the end, how long requests that are under way may take.",
    ),
    click.option(
        "--drain",
        type=click.FloatRange(min=0),
        default=15.0,
        show_default=True,
        metavar="SECONDS",
        help="After that, how long delivery goes on. The rest stays on the disk.",
    ),
)
_LOGGING: Final = (
    click.option(
        "--log-level",
        type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
        default="INFO",
        show_default=True,
        help="What to log, to standard error.",
    ),
    click.option("--json", "is_json", is_flag=True, help="Print where it listens, and log, as JSON lines."),
)


def listening_options(command: _Command) -> _Command:
    """Give a command the options of `front_settings`."""
    for option in reversed(_LISTENING):
        command = option(command)
    return command


def logging_options(command: _Command) -> _Command:
    """Give a command `--log-level` and `--json`."""
    for option in reversed(_LOGGING):
        command = option(command)
    return command


def needs_server() -> None:
    """Raise `NotSetUp` where what serves HTTP is not installed."""
    try:
        import httptools  # noqa: F401, PLC0415
        import starlette  # noqa: F401, PLC0415
        import uvicorn  # noqa: F401, PLC0415 - only serving needs the extra
    except ImportError as error:
        raise NotSetUp(f'the relay needs an extra: pip install "antinode[server]" ({error})') from None


def front_settings(
    *, host: str, port: int, cert: Path | None, key: Path | None, proxies: int, finish: float, drain: float
) -> FrontSettings:
    """Where a front listens, by the options. Raises UsageError, and Failed for a certificate."""
    from antinode.cli.serve import encryption  # noqa: PLC0415 - as above
    from antinode.relay.front.site import FrontSettings  # noqa: PLC0415

    if key is not None and cert is None:
        raise click.UsageError("--key is the key of a certificate: give --cert too")
    try:
        secured = None if cert is None else encryption.given(cert, key)
    except ImportError as error:
        raise Failed(f'--cert needs an extra: pip install "antinode[server]" ({error})') from None
    return FrontSettings(
        host=host,
        port=port,
        tls=None if secured is None else secured.context,
        proxies=proxies,
        finish_within_s=finish,
        drain_within_s=drain,
    )
