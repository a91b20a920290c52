"""`antinode tail`: its options, and the way from the server to the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from antinode._protocol.words import counted
from antinode.cli.params.destination import LOCAL_URL
from antinode.cli.params.options import property_option
from antinode.cli.params.pairs import pair
from antinode.cli.ui import console
from antinode.cli.ui.errors import Failed
from antinode.cli.ui.output import unread_is_fine, write_json

if TYPE_CHECKING:
    from antinode.cli.tail.following import Follower
    from antinode.cli.tail.selection import Selection
    from antinode.server.client import Event, EventFilters


@click.command(short_help="Follow the events of the local Amplitude.")
@click.option(
    "--url",
    metavar="URL",
    default=LOCAL_URL,
    show_default=True,
    help="Where `antinode serve` listens.",
)
@click.option("--user", metavar="ID", help="Only of this user or device.")
@click.option("-t", "--type", "event_type", metavar="TYPE", help="Only of this event type.")
@property_option("Only with this event property; all have to fit.")
@click.option("--text", metavar="TEXT", help="Only with this text anywhere in the event, in any case.")
@click.option(
    "--outcome",
    type=click.Choice(["accepted", "duplicate", "rejected", "returned"]),
    help="Only with this outcome.",
)
@click.option(
    "--problems", is_flag=True, help="Only events with something wrong, and what that is: warnings, too."
)
@click.option(
    "-n",
    "--lines",
    "count",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="Begin with the last N events.",
)
@click.option("--no-follow", is_flag=True, help="End after those.")
@click.option("--json", "is_json", is_flag=True, help="Print whole events as JSON lines.")
def tail(
    url: str,
    properties: tuple[str, ...],
    problems: bool,
    count: int,
    no_follow: bool,
    is_json: bool,
    **given: Any,
) -> None:
    """Follow the events that arrive at a local Amplitude, a line for each.

    A line has the time, what became of the event, its user, its type and its properties; what an event was
    refused for is below. When the server ends, this waits for it to come back. It runs until Ctrl-C, which is
    a success: the exit code is 0. It is 1 if no server answers at the beginning.

    \b
    Examples:
      antinode tail
      antinode tail --user user-20391 --type 'Song Played'
      antinode tail --problems -n 100 --no-follow
      antinode tail -p plan=pro --json | jq .event.event_properties
    """
    from antinode._protocol.secrets import public_url  # noqa: PLC0415
    from antinode.cli.tail.following import Follower, Unreachable  # noqa: PLC0415 - not for help and completion

    follower = Follower(
        _base(url),
        _selection(given, properties, problems=problems),
        skips=not is_json,
        tell=lambda text: console.err().print(text, style="yellow"),
    )
    show = _Shown(follower, is_json=is_json, shows_warnings=problems)
    try:
        with unread_is_fine():
            show(follower.last(count))
            if not no_follow:
                for events in follower.follow():
                    show(events)
    except Unreachable as error:
        raise Failed(
            f"no local Amplitude answers at {public_url(_base(url))} ({console.printable(str(error), 120)}): "
            "start one with `antinode serve`, or say with --url where it listens"
        ) from None
    except KeyboardInterrupt:
        # The terminal's own ^C stands on the line.
        console.err().print()


class _Shown:
    """Prints events, and how many were left out."""

    def __init__(self, follower: Follower, *, is_json: bool, shows_warnings: bool) -> None:
        from antinode.cli.tail.lines import EventPrinter  # noqa: PLC0415 - as above

        self._follower = follower
        self._printer = None if is_json else EventPrinter(console.out(), shows_warnings=shows_warnings)
        self._omitted = 0

    def __call__(self, events: list[Event]) -> None:
        if self._printer is None:
            write_json(*events)
            return
        if self._follower.omitted > self._omitted:
            more = self._follower.omitted - self._omitted
            self._omitted = self._follower.omitted
            omitted = f"… {counted(more, 'event')} came faster than events can be shown"
            console.out().print(omitted, style="dim")
        for event in events:
            self._printer.print(event)


def _selection(given: dict[str, Any], properties: tuple[str, ...], *, problems: bool) -> Selection:
    from antinode.cli.tail.selection import Selection  # noqa: PLC0415 - as above

    filters: EventFilters = {}
    for name in ("user", "event_type", "text", "outcome"):
        if given[name] is not None:
            filters[name] = given[name]
    if problems:
        filters["problem"] = "any"
    return Selection(filters=filters, properties=[pair(each, "--property") for each in properties])


def _base(url: str) -> str:
    """The server's own address: a server_url does as well."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - as above

    from antinode._protocol.secrets import public_url  # noqa: PLC0415 - as above

    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        pass
    raise click.BadParameter(
        f"{console.printable(public_url(url), 60)!r} is no address: write {LOCAL_URL}", param_hint="--url"
    )
