"""`antinode plan push`: from a plan to Amplitude."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from antinode._protocol.words import counted
from antinode.cli.params.destination import address_options
from antinode.cli.plan.options import load_plan, plan_argument
from antinode.cli.plan.taxonomy import read_entries, taxonomy
from antinode.cli.ui import console
from antinode.cli.ui.errors import EXIT_FAILED
from antinode.cli.ui.output import unread_is_fine, write_json

if TYPE_CHECKING:
    from antinode.plan._taxonomy import TaxonomyChange
    from antinode.plan._taxonomy_api import TaxonomyClient

_SIGNS: Final = {"create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red")}


@click.command(short_help="Make what is planned in Amplitude be as the plan.")
@plan_argument
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before anything is changed.")
@click.option("--prune", "prunes", is_flag=True, help="Delete what is planned in Amplitude, and not in PLAN.")
@address_options()
@click.option("--json", "is_json", is_flag=True, help="Print JSON lines: each change, then the sum.")
def push(path: Path, dry_run: bool, yes: bool, prunes: bool, is_json: bool, **given: Any) -> None:
    """Make what is planned in Amplitude be as PLAN: its Taxonomy API is asked.

    Shows each change, asks, and makes them: event types, their categories and properties, and those of users
    and groups if the plan has them. Nothing is deleted without --prune. What Amplitude cannot keep, such as
    bounds and what lies within objects, is not sent, and no difference. When it is cut short, run it again.

    The key is in AMPLITUDE_API_KEY or --api-key, the secret key in AMPLITUDE_SECRET_KEY. The exit code is 0
    if all was made or nothing is to be, 1 if Amplitude does not answer or refused any change, or if you
    decline, 2 if a key is missing or the plan cannot be read.

    \b
    Examples:
      AMPLITUDE_API_KEY=… AMPLITUDE_SECRET_KEY=… antinode plan push --dry-run
      antinode plan push plans/shop.yaml --zone EU
      antinode plan push --yes --prune    # in CI
      antinode plan push --local --yes
    """
    from antinode.plan._taxonomy import changes  # noqa: PLC0415 - not for help and completion

    plan = load_plan(path)
    with taxonomy(given) as client, unread_is_fine():
        there = read_entries(client, plan.group_properties or {})
        wanted, left = changes(plan, there, prunes=prunes)
        if not is_json:
            _show(wanted, left)
        if dry_run or not wanted:
            refused, made = 0, 0
        else:
            if not yes:
                _ask(len(wanted), client.origin, is_json=is_json)
            made, refused = _make(client, wanted, is_json=is_json)
        if is_json:
            if dry_run:
                write_json(*(_fact(each) for each in wanted))
            write_json(
                {
                    "type": "summary",
                    "changes": len(wanted),
                    "made": made,
                    "refused": refused,
                    "only_in_amplitude": len(left),
                }
            )
        elif made or refused:
            told = f"{counted(made, 'change')} made" + (f", {refused:,} refused" if refused else "")
            console.out().print(f"{told}.", style="bold red" if refused else "")
    if refused:
        raise SystemExit(EXIT_FAILED)


def _show(wanted: list[TaxonomyChange], left: list[TaxonomyChange]) -> None:
    from antinode.plan._taxonomy import shown_change  # noqa: PLC0415 - not for help and completion

    out = console.out()
    for each in wanted:
        sign, style = _SIGNS[each.action]
        out.print(f"{sign} {console.printable(shown_change(each), 400)}", style=style, soft_wrap=True)
    if left:
        told = f"{len(left):,} more planned in Amplitude alone, left there: --prune deletes them"
        out.print(told, style="dim")
    out.print(f"{counted(len(wanted), 'change')}." if wanted else "Amplitude is as the plan.")


def _ask(count: int, origin: str, *, is_json: bool) -> None:
    if is_json or not sys.stdin.isatty():
        raise click.UsageError("Nobody is there to ask: give --yes, or --dry-run.")
    click.confirm(f"Make {counted(count, 'change')} at {origin}?", abort=True)


def _make(client: TaxonomyClient, wanted: list[TaxonomyChange], *, is_json: bool) -> tuple[int, int]:
    """Make them all; how many were made, and how many refused."""
    from antinode.plan._taxonomy import shown_change  # noqa: PLC0415
    from antinode.plan._taxonomy_api import ChangeRefused  # noqa: PLC0415 - not for help and completion

    refused = 0
    with console.Waiting() as waiting:
        for number, each in enumerate(wanted):
            waiting.tell(each.name, number / len(wanted))
            problem = None
            try:
                client.make(each)
            except ChangeRefused as error:
                problem = str(error)
                refused += 1
            if is_json:
                write_json({**_fact(each), "problem": problem})
            elif problem is not None:
                told = f"refused: {shown_change(each)}: {problem}"
                console.err().print(console.printable(told, 600), style="bold red", soft_wrap=True)
    return len(wanted) - refused, refused


def _fact(change: TaxonomyChange) -> dict[str, Any]:
    return {"type": "change", **change._asdict()}
