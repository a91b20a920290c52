"""A group whose commands are known by name and one line of help, and imported when they are run."""

from __future__ import annotations

from importlib import import_module

import rich_click as click

INTERRUPTED = 130
"""The exit code of what Ctrl-C ended, as shells have it: 128 + SIGINT."""


class Listed(click.RichCommand):
    """Stands for a command in lists, help and completion, without importing it."""

    def __init__(self, name: str, target: str, short_help: str) -> None:
        """`target` is `package.module:attribute`."""
        super().__init__(name=name, short_help=short_help)
        self.target = target

    def load(self) -> click.Command:
        """The command itself, its module imported."""
        module, _, attribute = self.target.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - the table of commands is ours
        return command


class LazyGroup(click.RichGroup):
    """A group that may hold `Listed` commands: the real one takes their place once it is named."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if isinstance(command, Listed):
            command = command.load()
        return name, command, rest

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        # As the table has them, not by the alphabet.
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            # Left to click it would end with 1, which here means that something failed.
            click.echo(err=True)
            ctx.exit(INTERRUPTED)
