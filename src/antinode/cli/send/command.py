"""`antinode send`: its options, and what it prints."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import rich_click as click

from antinode.cli.params.destination import destination_options, read_destination
from antinode.cli.params.options import property_option, timeout_option
from antinode.cli.ui import console
from antinode.cli.ui.errors import EXIT_FAILED
from antinode.cli.ui.output import write_indented, write_json

if TYPE_CHECKING:
    from antinode.cli.send.fate import Fate


@click.command(short_help="Send one event, and say what became of it.")
@click.argument("event", required=False, type=click.Path(allow_dash=True), metavar="[EVENT]")
@click.option("-t", "--type", "event_type", metavar="TYPE", help="What happened, in words.")
@click.option("-u", "--user-id", metavar="ID", help="Who did it.")
@click.option("-d", "--device-id", metavar="ID", help="The device it was done on.")
@property_option("A property of the event. A value that is JSON counts as such, anything else as text.")
@click.option(
    "--user-property",
    "user_properties",
    multiple=True,
    metavar="KEY=VALUE",
    help="A property of the user. Without --type this alone is sent, as an $identify. Repeatable.",
)
@click.option(
    "-g", "--group", "groups", multiple=True, metavar="TYPE=NAME", help="A group it belongs to. Repeatable."
)
@click.option(
    "--time",
    metavar="TIME",
    help="When: 2026-11-04T18:46:10Z, or milliseconds since 1970. Now, unless given.",
)
@click.option("--insert-id", metavar="ID", help="What it is deduplicated by; a new UUID unless given.")
@click.option(
    "--price", type=float, metavar="AMOUNT", help="The price of one item: without --type, a purchase."
)
@click.option("--quantity", type=int, metavar="N", help="How many items.")
@click.option("--revenue", type=float, metavar="AMOUNT", help="The total, where there is no price.")
@click.option("--product-id", metavar="ID", help="The item.")
@click.option("--revenue-type", metavar="TYPE", help="Such as Purchase, Tax or Refund.")
@click.option("--currency", metavar="CODE", help="Three capitals, such as EUR.")
@click.option(
    "--field", "fields", multiple=True, metavar="KEY=VALUE", help="Any other key of the event. Repeatable."
)
@destination_options()
@timeout_option("How long to wait for its fate.", 30.0)
@click.option("--dry-run", is_flag=True, help="Print the event as it would be sent, and send nothing.")
@click.option("--json", "is_json", is_flag=True, help="Print the fate as a JSON object.")
def send(event: str | None, timeout: float, dry_run: bool, is_json: bool, **given: Any) -> None:
    """Send one event to Amplitude, wait, and say what became of it.

    EVENT is JSON, the path of a file that holds it, or - for standard input; options are laid over it, or
    make the whole event. It is checked, mended and sent as an application's events are, and tried again until
    --timeout.

    The exit code is 0 if the event was delivered, 1 if it was not, and 2 if the command has to be written
    differently or there is no API key.

    \b
    Examples:
      antinode send -t 'Song Played' -u user-20391 -p seconds=337 --local
      antinode send -u user-20391 --price 9.99 --quantity 2 --currency EUR
      antinode send -u user-20391 --user-property plan=pro
      antinode send '{"event_type": "Song Played", "user_id": "user-20391"}'
      antinode send event.json --zone EU --json | jq .outcome
    """
    from antinode.cli.send.event import Flags, build_event  # noqa: PLC0415 - not for help and completion

    destination = read_destination(given)
    options = destination.check()
    built = build_event(event, Flags(**given))
    if dry_run:
        _show_dry(built, options.min_id_length, is_json)
        return
    destination.key()
    from antinode.cli.send.sending import send as deliver  # noqa: PLC0415 - the client is loaded to send only

    with console.Waiting() as waiting:
        fate = deliver(
            built,
            destination,
            timeout=timeout,
            while_waiting=lambda why: waiting.tell(f"Still trying: {why}" if why else "Sending …"),
        )
    if is_json:
        write_json(fate)
    else:
        _tell(fate)
    if not fate.is_delivered:
        raise SystemExit(EXIT_FAILED)


def _tell(fate: Fate) -> None:
    out = console.out()
    for note in fate.notes:
        console.err().print(f"Note: {console.printable(note)}.", style="yellow")
    style = "green" if fate.is_delivered else "yellow" if fate.outcome == "pending" else "bold red"
    out.print(console.printable(fate.sentence(), 1_000), style=style)
    if fate.advice:
        out.print(console.printable(fate.advice, 1_000))


def _show_dry(event: dict[str, Any], min_id_length: int | None, is_json: bool) -> None:
    from antinode._protocol.limits import DEFAULT_MIN_ID_LENGTH  # noqa: PLC0415 - as above
    from antinode._protocol.validation import examine  # noqa: PLC0415

    now_ms = time.time_ns() // 1_000_000
    examined = examine(
        event, min_id_length=min_id_length or DEFAULT_MIN_ID_LENGTH, now_ms=now_ms, leaves_out=True
    )
    problems = [each.message for each in examined.problems]
    if is_json:
        write_json({"event": examined.event, "problems": problems, "notes": examined.notes})
    else:
        write_indented(examined.event)
        for note in examined.notes:
            console.err().print(f"Note: {console.printable(note)}.", style="yellow")
        for problem in problems:
            console.err().print(f"Would be rejected: {console.printable(problem)}.", style="bold red")
    if problems:
        raise SystemExit(EXIT_FAILED)
