"""`antinode spool drain`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from antinode.cli.lazy import INTERRUPTED
from antinode.cli.params.destination import destination_options, read_destination
from antinode.cli.params.options import directory_argument, resend_timeout_option
from antinode.cli.ui.errors import EXIT_FAILED


@click.command(short_help="Send what ended processes have left in a spool.")
@directory_argument
@destination_options()
@resend_timeout_option
@click.option(
    "--any-key",
    is_flag=True,
    help="Send what was logged with another API key, too: to the project of the key given here.",
)
@click.option(
    "--dead-letters",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Keep what is rejected in this file, for `antinode replay`. Without it, only the reasons are told.",
)
@click.option("--json", "is_json", is_flag=True, help="Print the result as one JSON object.")
def drain(
    path: str,
    any_key: bool,
    dead_letters: str | None,
    timeout: float | None,
    is_json: bool,
    **given: Any,
) -> None:
    """Send what ended processes have left in the directory PATH, in order, however old it is.

    What living processes hold is theirs to send; it is left, and said. So is what another API key has
    logged. Ctrl-C, and any other end, loses nothing: run it again. The exit code is 0 if everything was
    delivered and nothing is left, 1 otherwise.

    \b
    Examples:
      AMPLITUDE_API_KEY=… antinode spool drain /var/spool/shop
      antinode spool drain /var/spool/shop --zone EU --timeout 600
      antinode spool drain /var/spool/shop --local --any-key
    """
    destination = read_destination(given)
    from antinode.cli.spool.draining import Draining  # noqa: PLC0415
    from antinode.cli.ui.interrupts import Interrupts  # noqa: PLC0415 - not for help and completion
    from antinode.cli.ui.output import unread_is_fine, write_json  # noqa: PLC0415
    from antinode.cli.ui.sending import sdk_lines  # noqa: PLC0415

    draining = Draining(
        Path(path), destination, takes_any_key=any_key, dead_letters=dead_letters, timeout=timeout
    )
    with sdk_lines(), Interrupts() as interrupts:
        draining.run(interrupts)
    with unread_is_fine():
        if is_json:
            write_json(draining.facts())
        else:
            draining.tell()
    if interrupts.is_set:
        raise SystemExit(INTERRUPTED)
    if not draining.is_complete:
        raise SystemExit(EXIT_FAILED)
