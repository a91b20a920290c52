"""A group whose commands are known by name and one line of help, and imported when they are run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

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


@contextlib.contextmanager
def _escaped_errors() -> Iterator[None]:
    """What click prints of an error by itself may quote anything: an argument, a path, a line of a file."""
    try:
        yield
    except click.ClickException as error:
        from antinode._protocol.escaping import escaped  # noqa: PLC0415 - not for help and completion

        for name in ("message", "param_hint", "ui_filename", "option_name", "possibilities"):
            said = getattr(error, name, None)
            if isinstance(said, str):
                setattr(error, name, escaped(said))
            elif isinstance(said, (list, tuple)):
                setattr(error, name, [escaped(str(each)) for each in said])
        raise


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
        # In the order of the table rather than the alphabet.
        return list(self.commands)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.RichContext:
        with _escaped_errors():
            context: click.RichContext = super().make_context(info_name, args, parent, **extra)  # type: ignore[assignment]
            return context

    def invoke(self, ctx: click.Context) -> object:
        try:
            with _escaped_errors():
                return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            # Left to click it would end with 1, which here means that something failed.
            click.echo(err=True)
            ctx.exit(INTERRUPTED)
