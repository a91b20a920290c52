"""`antinode plan docs` and `antinode plan schema`: a page for people, and a schema for editors."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from antinode.cli.plan.options import load_plan, output_option, plan_argument, write_out


@click.command(short_help="Write a Markdown page of the plan.")
@plan_argument
@output_option("Write the page here.")
def docs(path: Path, output: Path | None) -> None:
    """Write a Markdown page of PLAN: each event with its properties, owners and description.

    The exit code is 0, or 2 if the plan cannot be read.

    \b
    Examples:
      antinode plan docs
      antinode plan docs tracking-plan.yaml -o docs/events.md
    """
    from antinode.plan._markdown import to_markdown  # noqa: PLC0415 - not for help and completion

    write_out(to_markdown(load_plan(path)), output)


@click.command(short_help="Print the JSON Schema of plan files, for editors.")
@output_option("Write the schema here.")
def schema(output: Path | None) -> None:
    """Print the JSON Schema of plan files, by which editors complete and check them.

    `antinode plan infer -o` writes it beside the plan, whose first line names it to editors.

    \b
    Examples:
      antinode plan schema -o tracking-plan.schema.json
    """
    from antinode.plan._writing import file_schema  # noqa: PLC0415 - not for help and completion

    write_out(file_schema(), output)
