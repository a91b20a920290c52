"""`antinode outbox retry`."""

from __future__ import annotations

from typing import Final

import rich_click as click

from antinode.cli.outbox.opening import database_errors, database_options, open_database

_AT_ONCE: Final = 500


@click.command(short_help="Have the events that were rejected wait again.")
@database_options()
def retry(database: str | None, table: str, schema: str | None) -> None:
    """Have all events that were rejected wait again, as they are, behind those that wait already.

    Amplitude has not taken them, so nothing counts twice. It is for what was mended elsewhere: a limit of the
    project, a rule of the server.

    \b
    Examples:
      antinode outbox retry --database postgresql+psycopg://shop@db/shop
    """
    store = open_database(database, table, schema)
    from antinode.cli.ui import console  # noqa: PLC0415 - not for help and completion

    count = 0
    with database_errors():
        while moved := store.revive(_AT_ONCE):
            count += moved
    store.close()
    console.out().print(f"waiting again: {count:,}")
