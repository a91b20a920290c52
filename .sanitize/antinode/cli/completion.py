"""`antinode completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import rich_click as click
from click.shell_completion import get_completion_class

from antinode.cli.ui.errors import Failed


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes a SHELL complete commands and options with Tab.

    bash has to be 4.4 or newer.

    \b
    Examples:
      eval "$(antinode completion bash)"    # in ~/.bashrc
      eval "$(antinode completion zsh)"     # in ~/.zshrc, after compinit
      antinode completion fish > ~/.config/fish/completions/antinode.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise Failed(f"the installed click knows no completion for {shell}: upgrade it")
    click.echo(found(ctx.find_root().command, {}, "antinode", "_ANTINODE_COMPLETE").source())
