"""`antinode relay status`: its options."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from antinode.cli.relay.options import config_option, spool_option
from antinode.cli.ui.errors import EXIT_FAILED


@click.command(short_help="Say how delivery stands, project by project.")
@click.option(
    "--url",
    metavar="URL",
    default="http://127.0.0.1:8400",
    show_default=True,
    envvar="ANTINODE_RELAY_URL",
    help="Of the relay that is asked. Also: ANTINODE_RELAY_URL.",
)
@spool_option(is_required=False)
@config_option
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
def status(url: str, directory: Path | None, config: Path | None, is_json: bool) -> None:
    """Say how delivery stands: what is pending, how old it is, who is throttled, what was not delivered.

    A relay that runs is asked. With --spool its directory is looked into instead, whether or not one runs:
    what all processes have there. The exit code is 0 if the relay takes events, 1 if it does not or cannot be
    asked; with --spool it is 0.

    \b
    Examples:
      antinode relay status
      antinode relay status --url http://relay:8400 --json | jq .delivery
      antinode relay status --spool /var/spool/relay
    """
    from antinode.cli.relay import standing  # noqa: PLC0415 - not for help and completion

    if directory is not None:
        standing.print_directory(directory, config, is_json=is_json)
    elif not standing.print_running(url, is_json=is_json):
        raise SystemExit(EXIT_FAILED)
