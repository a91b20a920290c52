"""`antinode spool verify`: its options."""

from __future__ import annotations

import rich_click as click

from antinode.cli.params.options import directory_argument
from antinode.cli.ui.errors import EXIT_FAILED


@click.command(short_help="Look for damage in a spool.")
@directory_argument
@click.option("--json", "is_json", is_flag=True, help="Print JSON lines: each finding, then the total.")
def verify(path: str, is_json: bool) -> None:
    """Check every checksum in the directory PATH, and change nothing.

    Damage costs the events that it hits and no others; whoever takes a damaged segment over sets the place
    aside in PATH/damaged, which is named here until you delete it. Files that do not belong to a spool are
    named, too. The exit code is 1 if anything was found.

    \b
    Examples:
      antinode spool verify /var/spool/shop
      antinode spool verify --json /var/spool/shop | jq 'select(.type == "finding")'
    """
    from antinode.cli.spool.verifying import tell_findings  # noqa: PLC0415 - not for help and completion

    if not tell_findings(path, is_json=is_json):
        raise SystemExit(EXIT_FAILED)
