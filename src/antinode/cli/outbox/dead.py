"""`antinode outbox dead`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import rich_click as click

from antinode.cli.outbox.opening import database_errors, database_options, open_database

if TYPE_CHECKING:
    from antinode.outbox._rows import DeadEvent
    from antinode.outbox.sqlalchemy._store import SqlalchemyDatabase

_AT_ONCE: Final = 500


@click.command(short_help="Print the events that were rejected, as JSON lines.")
@database_options()
def dead(database: str | None, table: str, schema: str | None) -> None:
    """Print the events that were rejected, each with its reason, as lines that `antinode replay` takes.

    They stay where they are: `antinode outbox retry` has them wait again, and SQL deletes them.

    \b
    Examples:
      antinode outbox dead > dead.jsonl
      antinode outbox dead | jq -r .reason | sort | uniq -c
      antinode replay dead.jsonl --edit
    """
    store = open_database(database, table, schema)
    from antinode.cli.ui.output import unread_is_fine, write_lines  # noqa: PLC0415 - not for help

    with unread_is_fine(), database_errors():
        write_lines(_lines(store))
    store.close()


def _lines(store: SqlalchemyDatabase) -> Iterator[bytes]:
    last = 0
    while found := store.dead(last, _AT_ONCE):
        last = found[-1].id
        yield from map(_line, found)


def _line(each: DeadEvent) -> bytes:
    from datetime import datetime, timezone  # noqa: PLC0415 - as above

    import msgspec  # noqa: PLC0415

    try:
        event = msgspec.json.decode(each.body, type=dict[str, object])
    except msgspec.MsgspecError:
        event = None
    died_at = datetime.fromtimestamp(each.died_at / 1_000, timezone.utc)
    return msgspec.json.encode(
        {
            "buried_at": died_at.isoformat(timespec="milliseconds"),
            "outcome": "rejected",
            "reason": each.reason,
            "code": each.code,
            "message": each.message,
            "event": event,
        }
    )
