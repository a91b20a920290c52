"""`antinode plan check`: events beside a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from antinode._protocol.words import agreeing, counted
from antinode.cli.params.mapping import mapping_options
from antinode.cli.plan.options import USUAL, files_argument, load_plan, local_option
from antinode.cli.ui import console
from antinode.cli.ui.errors import EXIT_FAILED
from antinode.cli.ui.output import unread_is_fine, write_json

if TYPE_CHECKING:
    from antinode.plan._findings import PlanFinding


@click.command(short_help="Say which events do not conform to the plan.")
@files_argument
@local_option
@click.option(
    "--plan",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(USUAL),
    show_default=USUAL,
    metavar="PLAN",
    help="The plan.",
)
@click.option("--json", "is_json", is_flag=True, help="Print JSON lines: each finding, then the sum.")
@mapping_options
def check(path: Path, is_json: bool, **given: Any) -> None:
    """Say which events in FILES, or in a local Amplitude, do not conform to the plan, and in what.

    One line for each way in which events do not: how many, their type, what is wrong, the nearest name in
    the plan where one is misspelt, values and places. Amplitude's own events are no part of a plan.

    The exit code is 0 if all conform, 1 if any does not or a row could not be read, 2 if the plan or a file
    cannot be read at all.

    \b
    Examples:
      antinode plan check events.jsonl
      antinode plan check --local --plan plans/shop.yaml
      antinode plan check events.jsonl --json | jq 'select(.type == "finding").event_type'
    """
    from antinode.cli.plan.events import GivenEvents  # noqa: PLC0415
    from antinode.plan._findings import PlanFindings  # noqa: PLC0415 - not for help and completion

    plan = load_plan(path)
    events = GivenEvents("plan check", given)
    findings = PlanFindings(plan)
    with console.Waiting() as waiting:
        for each in events.read(waiting):
            findings.add(each.event, each.place)
    kinds = findings.kinds
    with unread_is_fine():
        if is_json:
            write_json(*({"type": "finding", **vars(each)} for each in kinds))
            write_json(
                {
                    "type": "summary",
                    "events": findings.events,
                    "events_with_findings": findings.wrong,
                    "findings": len(kinds),
                    "unread": events.unread,
                    "unseen": findings.unseen,
                }
            )
        else:
            _tell(kinds, findings.events, findings.wrong, findings.untold)
    for remark in events.remarks:
        console.err().print(console.printable(remark, 1_000), style="yellow")
    if findings.unseen:
        unseen = ", ".join(findings.unseen[:10]) + ("…" if len(findings.unseen) > 10 else "")
        count = len(findings.unseen)
        told = f"{counted(count, 'planned event')} {agreeing(count, 'was', 'were')} not seen: {unseen}"
        console.err().print(console.printable(told), style="dim")
    if events.unread:
        told = f"{counted(events.unread, 'row')} could not be read; {events.first_unread}"
        console.err().print(console.printable(told), style="bold red")
    if findings.wrong or events.unread:
        raise SystemExit(EXIT_FAILED)


def _tell(kinds: list[PlanFinding], events: int, wrong: int, untold: int) -> None:
    out = console.out()
    for each in kinds:
        parts = [f"{each.count:,}x {each.event_type[:80]}: {each.advice}"]
        if len(each.examples) > 1 or each.code == "unknown_property":
            parts.append(f"such as {', '.join(each.examples)}")
        parts.append(f"at {', '.join(each.places)}{' …' if each.count > len(each.places) else ''}")
        out.print(console.printable("; ".join(parts), 600))
    if untold:
        out.print(f"… and {untold:,} more of other kinds")
    if kinds:
        out.print()
    if wrong:
        verb = agreeing(wrong, "does", "do")
        out.print(f"{counted(events, 'event')}: {wrong:,} {verb} not conform to the plan.", style="bold red")
    else:
        out.print(f"{counted(events, 'event')}: all conform to the plan.")
