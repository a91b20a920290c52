"""`antinode replay`: its options."""

from __future__ import annotations

from typing import Any

import rich_click as click

from antinode.cli.params.destination import destination_options, read_destination
from antinode.cli.params.options import resend_timeout_option


@click.command(short_help="Send dead letters again, mended or not.")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False), metavar="FILE..."
)
@click.option(
    "--all",
    "with_set_aside",
    is_flag=True,
    help="Read FILE.4 to FILE.1 too, which were set aside for their size.",
)
@click.option(
    "--reason", "reasons", multiple=True, metavar="REASON", help="Only letters with it. Repeatable."
)
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    type=click.Choice(["rejected", "dropped"]),
    help="Only letters that ended so.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Set a field, or a property: user_id=user-20391, event_properties.plan=pro. Repeatable.",
)
@click.option(
    "--drop-field", "drops", multiple=True, metavar="FIELD", help="Take a field or property out. Repeatable."
)
@click.option(
    "--edit",
    "is_edited",
    is_flag=True,
    help="Open the events in $VISUAL or $EDITOR before, with the reasons.",
)
@click.option(
    "--dry-run",
    "is_dry",
    is_flag=True,
    help="Send nothing: print what would be sent, and what is wrong with the rest.",
)
@click.option(
    "--failed",
    type=click.Path(dir_okay=False),
    metavar="PATH",
    help="Where to keep what fails again. Without it: FILE.failed-1, or the next number.",
)
@destination_options()
@resend_timeout_option
@click.option(
    "--json", "is_json", is_flag=True, help="Print the result as one JSON object. Not for --dry-run."
)
def replay(
    files: tuple[str, ...],
    reasons: tuple[str, ...],
    outcomes: tuple[str, ...],
    **given: Any,
) -> None:
    """Send the dead letters in each FILE again, after you have mended what was wrong with them.

    A file holds what `dead_letters=` has written, or events alone, as JSON lines. No FILE is changed. What
    fails again goes into a new file, with the new reason, so that afterwards each event was either delivered
    or is there. Events keep their insert_id and time: Amplitude counts each once, within seven days.

    The exit code is 0 if everything was delivered, 1 if something was not or could not be read.

    \b
    Examples:
      antinode replay dead-letters.jsonl --dry-run
      AMPLITUDE_API_KEY=… antinode replay dead-letters.jsonl --edit
      antinode replay dead-letters.jsonl --all --outcome dropped
      antinode replay dead-letters.jsonl --reason invalid_event --set user_id=user-20391
    """
    destination = read_destination(given)
    from antinode.cli.replay.reading import Choice  # noqa: PLC0415 - not for help and completion
    from antinode.cli.replay.running import run  # noqa: PLC0415

    raise SystemExit(run(files, destination, Choice(frozenset(reasons), frozenset(outcomes)), **given))
