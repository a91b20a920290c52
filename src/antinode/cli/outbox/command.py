"""`antinode outbox` itself: the table of its commands."""

from __future__ import annotations

from typing import Final

import rich_click as click

from antinode.cli.lazy import LazyGroup, Listed

_COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "deliver": ("antinode.cli.outbox.deliver:deliver", "Send what waits in an outbox, until SIGTERM."),
    "status": ("antinode.cli.outbox.status:status", "Say how many events wait, and who delivers them."),
    "dead": ("antinode.cli.outbox.dead:dead", "Print the events that were rejected, as JSON lines."),
    "retry": ("antinode.cli.outbox.retry:retry", "Have the events that were rejected wait again."),
    "create": ("antinode.cli.outbox.create:create", "Create the tables of an outbox."),
}


@click.group(cls=LazyGroup, short_help="Send what applications have written into their transactions.")
def outbox() -> None:
    """Send the events that applications have written into their own transactions.

    They are rows of tables in the application's database. The URL of the database is SQLAlchemy's.

    \b
    Examples:
      export ANTINODE_OUTBOX_DATABASE=postgresql+psycopg://shop@db/shop
      AMPLITUDE_API_KEY=… antinode outbox deliver
      antinode outbox status
      antinode outbox dead > dead.jsonl
    """


for _name, (_target, _short_help) in _COMMANDS.items():
    outbox.add_command(Listed(_name, _target, _short_help))
