"""`antinode spool` itself: the table of its commands."""

from __future__ import annotations

from typing import Final

import rich_click as click

from antinode.cli.lazy import LazyGroup, Listed

_COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "ls": ("antinode.cli.spool.ls:ls", "List the files of a spool: how much is pending, and whose it is."),
    "cat": ("antinode.cli.spool.cat:cat", "Print the events of a spool as JSON lines."),
    "drain": ("antinode.cli.spool.drain:drain", "Send what ended processes have left in a spool."),
    "verify": ("antinode.cli.spool.verify:verify", "Look for damage in a spool."),
}


@click.group(cls=LazyGroup, short_help="Look into the directory of storage=, and send what is left there.")
def spool() -> None:
    """Look into the directory that an application gives as `storage=`, and send what is left there.

    `ls`, `cat` and `verify` change nothing. All of them may be used while the application runs.

    \b
    Examples:
      antinode spool ls /var/spool/shop
      antinode spool cat /var/spool/shop | jq .event_type | sort | uniq -c
      antinode spool verify /var/spool/shop
      AMPLITUDE_API_KEY=… antinode spool drain /var/spool/shop
    """


for _name, (_target, _short_help) in _COMMANDS.items():
    spool.add_command(Listed(_name, _target, _short_help))
