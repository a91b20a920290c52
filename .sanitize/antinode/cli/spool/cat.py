"""`antinode spool cat`: its options."""

from __future__ import annotations

from typing import Any

import rich_click as click

from antinode.cli.params.options import directory_argument
from antinode.cli.ui.errors import EXIT_FAILED


@click.command(short_help="Print the events of a spool as JSON lines.")
@directory_argument
@click.option(
    "--all", "is_all", is_flag=True, help="Print settled events too, as far as they are still there."
)
@click.option("-n", "--limit", type=click.IntRange(min=0), metavar="N", help="Print the first N only.")
@click.option(
    "--segment",
    "wanted",
    multiple=True,
    metavar="NAME",
    help="Only of segments with this in their name, such as a process id. Repeatable.",
)
@click.option(
    "--with-state",
    is_flag=True,
    help="Print each within an object that says where it lies, when it was logged and what became of it.",
)
def cat(path: str, **given: Any) -> None:
    """Print the pending events in the directory PATH, one a line, as Amplitude will get them.

    The oldest process comes first, and of each the events in the order in which they were logged. Damaged
    places are passed over. The exit code is 1 if a segment could not be read at all.

    \b
    Examples:
      antinode spool cat /var/spool/shop | head -3 | jq
      antinode spool cat /var/spool/shop --all --with-state | jq -r .state | sort | uniq -c
      antinode spool cat /var/spool/shop --segment 0193a4c2f1d0-4711
    """
    from antinode.cli.spool.printing import print_events  # noqa: PLC0415 - not for help and completion

    if not print_events(path, **given):
        raise SystemExit(EXIT_FAILED)
