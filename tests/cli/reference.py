"""The reference part of docs/cli.md, made from the commands.

`python -m tests.cli.reference docs/cli.md` rewrites it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import rich_click as click

from antinode.cli.lazy import Listed
from antinode.cli.program import antinode

MARK = "<!-- What follows is written by `python -m tests.cli.reference docs/cli.md` from the help texts. -->"


def reference() -> str:
    """Every command with its help and its options, in Markdown."""
    return "\n".join(_sections(antinode, antinode.make_context("antinode", [], resilient_parsing=True)))


def _sections(command: click.Command, ctx: click.Context) -> Iterator[str]:
    """The command's own, and those of the commands below it."""
    yield _section(command, ctx)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            if isinstance(below, Listed):
                below = below.load()
            yield from _sections(below, below.make_context(name, [], parent=ctx, resilient_parsing=True))


def rewritten(page: str) -> str:
    """`page` with its reference part made new."""
    own, mark, _ = page.partition(MARK)
    if not mark:
        raise ValueError(f"the page has no line {MARK}")
    return f"{own}{MARK}\n\n{reference()}"


def _section(command: click.Command, ctx: click.Context) -> str:
    usage = " ".join(command.collect_usage_pieces(ctx))
    lines = [f"## {ctx.command_path}", "", f"```\n{ctx.command_path} {usage}\n```", ""]
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            title, _, examples = paragraph.strip("\b\n").partition("\n")
            lines += [title, "", f"```sh\n{inspect.cleandoc(examples)}\n```", ""]
        else:
            lines += [" ".join(paragraph.split()), ""]
    if isinstance(command, click.Group):
        lines += ["| command | what it does |", "| --- | --- |"]
        for name in command.list_commands(ctx):
            listed = command.get_command(ctx, name)
            lines.append(
                f"| `{ctx.command_path} {name}` | {listed.get_short_help_str(200) if listed else ''} |"
            )
        lines.append("")
    lines += ["| option | what it does |", "| --- | --- |", *_options(command, ctx), ""]
    return "\n".join(lines)


def _options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    for option in command.get_params(ctx):
        if isinstance(option, click.Option):
            spelled = ", ".join(
                f"`{each}`" for each in (*sorted(option.opts, key=len), *option.secondary_opts)
            )
            value = f" {option.metavar}" if option.metavar else ""
            if isinstance(option.type, click.Choice):
                value = " " + " or ".join(f"`{each}`" for each in option.type.choices)
            default = f" Default: `{option.default}`." if option.show_default else ""
            yield f"| {spelled}{value} | {option.help}{default} |"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
