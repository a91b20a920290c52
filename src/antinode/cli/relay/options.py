"""What the commands of the relay have in common: its projects, and where its spools are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import rich_click as click

from antinode.cli.params.destination import LOCAL_URL, usage_errors
from antinode.cli.ui.errors import NotSetUp

if TYPE_CHECKING:
    from antinode.relay.projects import Projects

_Command = TypeVar("_Command", bound=Callable[..., Any])

LOCAL_KEY: Final = "any-key"
"""The API key of the one project there is with `--local` and nothing configured."""

config_option: Final = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="ANTINODE_RELAY_CONFIG",
    metavar="FILE",
    help="The projects, in TOML. Without it: those of ANTINODE_RELAY_API_KEYS (NAME=KEY,…) or "
    "AMPLITUDE_API_KEY. Also: ANTINODE_RELAY_CONFIG.",
)

_DESTINATION: Final = (
    click.option("--local", is_flag=True, help=f"Deliver to `antinode serve` on {LOCAL_URL}. Any key does."),
    click.option("--server-url", metavar="URL", help="Deliver to this URL instead of Amplitude's."),
    click.option(
        "--zone",
        type=click.Choice(["US", "EU"], case_sensitive=False),
        help="Where the projects' data lives: US unless given.",
    ),
)


def spool_option(*, is_required: bool) -> Callable[[_Command], _Command]:
    """The option for the relay's directory."""
    return click.option(
        "--spool",
        "directory",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="ANTINODE_RELAY_SPOOL",
        required=is_required,
        metavar="DIR",
        help="Where events are kept, each project's apart. Also: ANTINODE_RELAY_SPOOL.",
    )


def projects_options(command: _Command) -> _Command:
    """Give a command the options of `read_projects`."""
    for option in reversed((config_option, *_DESTINATION)):
        command = option(command)
    return command


def read_projects(
    config: Path | None, *, local: bool = False, server_url: str | None = None, zone: str | None = None
) -> Projects:
    """The projects, each with where its events go. Raises NotSetUp, and UsageError for a wrong option.

    Options count more than what a project says of itself.
    """
    import os  # noqa: PLC0415 - not for help and completion

    import msgspec  # noqa: PLC0415

    from antinode._errors import ConfigurationError  # noqa: PLC0415
    from antinode._options import read_options  # noqa: PLC0415
    from antinode.relay.projects import API_KEYS_VARIABLE, DEFAULT_NAME, Project, Projects  # noqa: PLC0415
    from antinode.relay.projects import load_projects as load  # noqa: PLC0415

    if local:
        if server_url or zone:
            raise click.UsageError("--local says where to deliver: leave --server-url and --zone out")
        server_url = LOCAL_URL
    given = {"server_url": server_url, "server_zone": zone}
    where = {name: value for name, value in given.items() if value is not None}
    with usage_errors():
        read_options(where)
    has_keys = any(os.environ.get(name) for name in (API_KEYS_VARIABLE, "AMPLITUDE_API_KEY"))
    if local and config is None and not has_keys:
        return Projects([Project(name=DEFAULT_NAME, api_key=LOCAL_KEY, server_url=server_url)])
    try:
        found = load(config)
    except ConfigurationError as error:
        raise NotSetUp(str(error)) from None
    return Projects(msgspec.structs.replace(each, **where) for each in found)
