"""`antinode outbox status`."""

from __future__ import annotations

import rich_click as click

from antinode.cli.outbox.opening import database_errors, database_options, open_database


@click.command(short_help="Say how many events wait, and who delivers them.")
@database_options()
@click.option("--json", "is_json", is_flag=True, help="Print it as one JSON object.")
def status(database: str | None, table: str, schema: str | None, is_json: bool) -> None:
    """Say how many events wait in an outbox and for how long, how many are dead, and who delivers.

    \b
    Examples:
      antinode outbox status --database postgresql+psycopg://shop@db/shop
      antinode outbox status --json | jq .oldest_seconds
    """
    store = open_database(database, table, schema)
    from antinode.cli.ui import console  # noqa: PLC0415 - not for help and completion
    from antinode.cli.ui.output import unread_is_fine, write_json  # noqa: PLC0415
    from antinode.cli.ui.words import lapse  # noqa: PLC0415

    with database_errors():
        found = store.status()
    store.close()
    with unread_is_fine():
        if is_json:
            write_json(found)
            return
        age = "" if found.oldest_seconds is None else f", the oldest for {lapse(found.oldest_seconds)}"
        out = console.out()
        out.print(f"waiting  {found.waiting:,}{age}")
        out.print(f"dead     {found.dead:,}")
        for owner, shards in sorted(found.deliverers.items()):
            out.print(f"delivers {owner}, {shards} of 64 shards")
        if not found.deliverers:
            out.print("nobody delivers: run `antinode outbox deliver`", style="yellow")
