"""`antinode plan pull`: from Amplitude to a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from antinode._protocol.words import counted
from antinode.cli.params.destination import address_options
from antinode.cli.plan.options import load_plan, output_option, write_out
from antinode.cli.plan.taxonomy import read_entries, taxonomy
from antinode.cli.ui import console


@click.command(short_help="Write what is planned in Amplitude as a plan.")
@output_option("Write the plan here, and its schema for editors beside it. JSON if the name ends in .json.")
@click.option(
    "--group-type",
    "group_types",
    multiple=True,
    metavar="TYPE",
    help="Ask for the properties of this group type, besides those in FILE. Repeatable.",
)
@address_options()
def pull(output: Path | None, group_types: tuple[str, ...], **given: Any) -> None:
    """Write what is planned in Amplitude as a plan: its Taxonomy API is asked.

    If FILE is there, what Amplitude cannot keep (bounds, examples, what lies within objects) stays as it is
    there, wherever the rest is the same; what Amplitude has not planned is not in it any more.

    The key is in AMPLITUDE_API_KEY or --api-key, the secret key in AMPLITUDE_SECRET_KEY. The exit code is 0,
    1 if Amplitude does not answer or refuses, 2 if a key is missing or FILE is no plan.

    \b
    Examples:
      AMPLITUDE_API_KEY=… AMPLITUDE_SECRET_KEY=… antinode plan pull -o tracking-plan.yaml
      antinode plan pull --zone EU --group-type company -o tracking-plan.yaml
      antinode plan pull --local
    """
    from antinode.plan import TrackingPlan  # noqa: PLC0415
    from antinode.plan._taxonomy import to_plan  # noqa: PLC0415
    from antinode.plan._writing import SCHEMA_NAME, file_schema, to_json, to_yaml  # noqa: PLC0415 - not for help

    base = load_plan(output) if output is not None and output.exists() else TrackingPlan()
    with taxonomy(given) as client:
        entries = read_entries(client, dict.fromkeys((*(base.group_properties or {}), *group_types)))
    plan = to_plan(entries, base)
    is_json = output is not None and output.suffix.lower() == ".json"
    write_out(to_json(plan) if is_json else to_yaml(plan), output)
    if output is not None and not is_json:
        write_out(file_schema(), output.with_name(SCHEMA_NAME))
    left = [name for name in base.events if name not in plan.events]
    told = counted(len(plan.events), "event type") + (f": {output}" if output is not None else "")
    console.err().print(console.printable(told))
    if left:
        names = ", ".join(left[:10]) + ("…" if len(left) > 10 else "")
        console.err().print(
            console.printable(f"Not planned in Amplitude, and taken out: {names}"), style="yellow"
        )
