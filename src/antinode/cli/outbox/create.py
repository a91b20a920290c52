"""`antinode outbox create`."""

from __future__ import annotations

import rich_click as click

from antinode.cli.outbox.opening import database_errors, database_options, open_outbox


@click.command(short_help="Create the tables of an outbox.")
@database_options()
def create(database: str | None, table: str, schema: str | None) -> None:
    """Create the tables of an outbox that are not there yet, for applications without migrations.

    \b
    Examples:
      antinode outbox create --database sqlite:////var/lib/shop/shop.sqlite
      antinode outbox create --table billing_events --schema analytics
    """
    engine, found = open_outbox(database, table, schema)
    from antinode.cli.ui import console  # noqa: PLC0415 - not for help and completion

    with database_errors():
        found.create_tables(engine)
    engine.dispose()
    console.out().print(", ".join(each.fullname for each in found.tables))
