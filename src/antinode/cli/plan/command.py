"""`antinode plan` itself: the table of its commands."""

from __future__ import annotations

from typing import Final

import rich_click as click

from antinode.cli.lazy import LazyGroup, Listed

_COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "infer": ("antinode.cli.plan.infer:infer", "Write a plan from the events that there are."),
    "check": ("antinode.cli.plan.check:check", "Say which events do not conform to the plan."),
    "diff": ("antinode.cli.plan.diff:diff", "Say what another version of the plan changes, and what breaks."),
    "docs": ("antinode.cli.plan.docs:docs", "Write a Markdown page of the plan."),
    "pull": ("antinode.cli.plan.pull:pull", "Write what is planned in Amplitude as a plan."),
    "push": ("antinode.cli.plan.push:push", "Make what is planned in Amplitude be as the plan."),
    "schema": ("antinode.cli.plan.docs:schema", "Print the JSON Schema of plan files, for editors."),
}


@click.group(cls=LazyGroup, short_help="Keep a tracking plan: infer it, check events, see what breaks.")
def plan() -> None:
    """Keep a tracking plan: a file that says which events there are, and what each holds.

    The plan is `tracking-plan.yaml` unless another is named. What reads YAML is an extra: antinode[plan].

    \b
    Examples:
      antinode plan infer events.jsonl -o tracking-plan.yaml
      antinode plan check events.jsonl
      antinode plan diff old.yaml tracking-plan.yaml
      antinode plan docs -o tracking-plan.md
      antinode codegen -o events.py
      antinode plan push --dry-run
    """


for _name, (_target, _short_help) in _COMMANDS.items():
    plan.add_command(Listed(_name, _target, _short_help))
