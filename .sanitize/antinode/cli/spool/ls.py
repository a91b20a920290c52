"""`antinode spool ls`: its options."""

from __future__ import annotations

import rich_click as click

from antinode.cli.params.options import directory_argument


@click.command(short_help="List the files of a spool: how much is pending, and whose it is.")
@directory_argument
@click.option("--json", "is_json", is_flag=True, help="Print JSON lines: each segment, then the total.")
def ls(path: str, is_json: bool) -> None:
    """List the segments in the directory PATH, oldest process first.

    `in use` are those of a living process: the one that wrote them, or one that has taken them over. The
    others are `left`: whoever opens the directory next with the same API key sends them.

    \b
    Examples:
      antinode spool ls /var/spool/shop
      antinode spool ls --json /var/spool/shop | jq 'select(.type == "total").pending'
    """
    from antinode.cli.spool.listing import list_segments  # noqa: PLC0415 - not for help and completion

    list_segments(path, is_json=is_json)
