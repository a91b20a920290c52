"""`antinode plan infer`: from events to a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from antinode._protocol.words import counted
from antinode.cli.params.mapping import mapping_options
from antinode.cli.plan.options import files_argument, local_option, output_option, write_out
from antinode.cli.ui import console
from antinode.cli.ui.errors import EXIT_FAILED, Failed


@click.command(short_help="Write a plan from the events that there are.")
@files_argument
@local_option
@output_option("Write the plan here, and its schema for editors beside it. JSON if the name ends in .json.")
@click.option("--no-examples", is_flag=True, help="Write no values that were seen, but those of enums.")
@mapping_options
def infer(output: Path | None, no_examples: bool, **given: Any) -> None:
    """Write a plan from the events in FILES, or in a local Amplitude, to which all of them conform.

    FILES are what `antinode import` reads: events, Amplitude's exports, tables. A property is required if
    each event of its type has it; a text with few values, each seen often, becomes an enum. Personal data
    and secrets, as far as `redact` knows them, are no examples. The same events give the same plan, in
    whatever order; memory is bounded, and 2,000 event types are the most.

    The exit code is 0 if every row was read, 1 if some could not be, 2 if a file cannot be read at all.

    \b
    Examples:
      antinode plan infer events.jsonl -o tracking-plan.yaml
      antinode plan infer export/*.json.gz -o tracking-plan.yaml
      antinode plan infer shop.csv --event-type event --user-id user_id --properties '*'
      antinode plan infer --local -o tracking-plan.yaml
    """
    from antinode.cli.plan.events import GivenEvents  # noqa: PLC0415
    from antinode.plan._inferring import EventShapes  # noqa: PLC0415
    from antinode.plan._shapes import TooVaried  # noqa: PLC0415
    from antinode.plan._writing import SCHEMA_NAME, file_schema, to_json, to_yaml  # noqa: PLC0415 - not for help

    events = GivenEvents("plan infer", given)
    seen = EventShapes()
    try:
        with console.Waiting() as waiting:
            for each in events.read(waiting):
                seen.add(each.event)
        plan = seen.plan(has_examples=not no_examples)
    except TooVaried as error:
        raise Failed(str(error)) from None
    is_json = output is not None and output.suffix.lower() == ".json"
    write_out(to_json(plan) if is_json else to_yaml(plan, seen.remarks()), output)
    if output is not None and not is_json:
        write_out(file_schema(), output.with_name(SCHEMA_NAME))
    told = f"{counted(len(plan.events), 'event type')} of {counted(seen.events, 'event')}"
    console.err().print(f"{told}{f': {output}' if output is not None else ''}")
    for remark in events.remarks:
        console.err().print(console.printable(remark, 1_000), style="yellow")
    if events.unread:
        console.err().print(
            f"{counted(events.unread, 'row')} could not be read; {console.printable(events.first_unread)}",
            style="bold red",
        )
        raise SystemExit(EXIT_FAILED)
