"""`antinode outbox deliver`: its options."""

from __future__ import annotations

from typing import Any

import rich_click as click

from antinode.cli.lazy import INTERRUPTED
from antinode.cli.outbox.opening import database_errors, database_options, open_database
from antinode.cli.params.destination import destination_options, read_destination, usage_errors
from antinode.cli.params.options import timeout_option
from antinode.cli.ui.errors import EXIT_FAILED

_SECONDS = click.FloatRange(min=0, min_open=True)


@click.command(short_help="Send what waits in an outbox, until SIGTERM.")
@database_options()
@destination_options()
@click.option("--until-empty", is_flag=True, help="End when nothing waits any more.")
@timeout_option("End after so long. Without it, an outage is waited out.")
@click.option(
    "--lease",
    type=_SECONDS,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="After so long others take over from a process that was killed.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="So long events wait for transactions that were open before them, on PostgreSQL.",
)
@click.option("--json", "is_json", is_flag=True, help="Print the result as one JSON object.")
def deliver(
    database: str | None,
    table: str,
    schema: str | None,
    until_empty: bool,
    timeout: float | None,
    lease: float,
    patience: float,
    is_json: bool,
    **given: Any,
) -> None:
    """Send the events that wait in an outbox, each user's in order, and delete them once they are delivered.

    Any number of processes may do so at once. SIGTERM and Ctrl-C end it: what is in hand is sent, for ten
    seconds at most. A second one ends it on the spot, which loses nothing. The exit code is 0, but 1 if the
    server refuses the key, or if --until-empty is given and something is left.

    \b
    Examples:
      AMPLITUDE_API_KEY=… antinode outbox deliver --database postgresql+psycopg://shop@db/shop
      antinode outbox deliver --local
      antinode outbox deliver --until-empty --timeout 300
    """
    destination = read_destination(given)
    key = destination.key()
    store = open_database(database, table, schema)
    from antinode.cli.ui import console  # noqa: PLC0415 - not for help and completion
    from antinode.cli.ui.interrupts import Interrupts  # noqa: PLC0415
    from antinode.cli.ui.output import unread_is_fine, write_json  # noqa: PLC0415
    from antinode.cli.ui.sending import sdk_lines  # noqa: PLC0415
    from antinode.outbox._deliverer import Deliverer, OutboxReport, client_maker  # noqa: PLC0415

    with usage_errors():
        deliverer = Deliverer(store, client_maker(key, destination.options), lease=lease, patience=patience)
    with database_errors(), sdk_lines(), Interrupts() as interrupts, console.Waiting() as waiting:

        def tell(report: OutboxReport, stalled: str) -> None:
            why = f", paused: {stalled.partition(':')[0]}" if stalled else ""
            waiting.tell(f"delivered {report.delivered:,}, rejected {report.rejected:,}{why}")

        report = deliverer.run(
            lambda: interrupts.is_set, until_empty=until_empty, timeout=timeout, on_round=tell
        )
    with unread_is_fine():
        if is_json:
            write_json(report)
        else:
            parts = [f"delivered {report.delivered:,}", f"rejected {report.rejected:,}"]
            parts += [f"withheld {report.withheld:,}"] if report.withheld else []
            parts += ["more is waiting"] if until_empty and not report.is_empty else []
            console.out().print(", ".join(parts))
    if report.is_faulted:
        raise SystemExit(EXIT_FAILED)
    if until_empty and not report.is_empty:
        raise SystemExit(INTERRUPTED if interrupts.is_set else EXIT_FAILED)
