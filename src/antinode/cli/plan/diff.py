"""`antinode plan diff`: one version of a plan beside another."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from antinode._protocol.words import agreeing, counted
from antinode.cli.plan.options import load_plan
from antinode.cli.ui import console
from antinode.cli.ui.errors import EXIT_FAILED
from antinode.cli.ui.output import unread_is_fine, write_json

_path = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Say what another version of the plan changes, and what breaks.")
@click.argument("old", type=_path, metavar="OLD")
@click.argument("new", type=_path, metavar="NEW")
@click.option("--json", "is_json", is_flag=True, help="Print JSON lines: each change, then the sum.")
def diff(old: Path, new: Path, is_json: bool) -> None:
    """Say what changes from the plan OLD to the plan NEW, a line for each, what breaks first.

    A change breaks if an event that conforms to OLD may not conform to NEW: an event or property removed, a
    property required, fewer types or values, tighter bounds.

    The exit code is 0 if nothing breaks, 1 if anything does, 2 if a plan cannot be read.

    \b
    Examples:
      antinode plan diff old.yaml tracking-plan.yaml
      git show main:tracking-plan.yaml > old.yaml; antinode plan diff old.yaml tracking-plan.yaml
    """
    from antinode.plan._diffing import diff_plans  # noqa: PLC0415 - not for help and completion

    changes = diff_plans(load_plan(old), load_plan(new))
    breaking = sum(each.is_breaking for each in changes)
    with unread_is_fine():
        if is_json:
            write_json(*({"type": "change", **each._asdict()} for each in changes))
            write_json({"type": "summary", "changes": len(changes), "breaking": breaking})
        else:
            out = console.out()
            for each in changes:
                where = " ".join(
                    part for part in (each.event_type, f"`{each.path}`" if each.path else "") if part
                )
                mark = "breaks  " if each.is_breaking else "        "
                line = f"{mark}{console.printable(f'{where}: {each.text}' if where else each.text)}"
                out.print(line, style="bold red" if each.is_breaking else "")
            told = (
                f"{counted(breaking, 'change')} {agreeing(breaking, 'breaks', 'break')}"
                if breaking
                else "nothing breaks"
            )
            out.print(f"{counted(len(changes), 'change')}; {told}." if changes else "The plans are equal.")
    if breaking:
        raise SystemExit(EXIT_FAILED)
