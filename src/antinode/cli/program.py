"""`antinode` itself: the table of its commands, and what they have in common."""

from __future__ import annotations

from typing import Final

import rich_click as click

from antinode._version import __version__
from antinode.cli.lazy import LazyGroup, Listed

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "serve": ("antinode.cli.serve.command:serve", "Run a local Amplitude and watch events arrive."),
    "tail": ("antinode.cli.tail.command:tail", "Follow the events of the local Amplitude."),
    "send": ("antinode.cli.send.command:send", "Send one event, and say what became of it."),
    "import": ("antinode.cli.importing.command:import_", "Send history from files to Amplitude."),
    "validate": (
        "antinode.cli.validate.command:validate",
        "Say what Amplitude would object to in files of events.",
    ),
    "plan": (
        "antinode.cli.plan.command:plan",
        "Keep a tracking plan: infer it, check events, see what breaks.",
    ),
    "codegen": (
        "antinode.cli.codegen.command:codegen",
        "Write a Python module of typed events from the plan.",
    ),
    "spool": (
        "antinode.cli.spool.command:spool",
        "Look into the directory of storage=, and send what is left there.",
    ),
    "outbox": (
        "antinode.cli.outbox.command:outbox",
        "Send what applications have written into their transactions.",
    ),
    "replay": ("antinode.cli.replay.command:replay", "Send dead letters again, mended or not."),
    "relay": (
        "antinode.cli.relay.command:relay",
        "Keep events from any SDK durably, and deliver them in order.",
    ),
    "forget": (
        "antinode.cli.forget.command:forget",
        "Remove a user from spools and dead letters, and ask Amplitude to.",
    ),
    "doctor": (
        "antinode.cli.doctor.command:doctor",
        "Check whether events would arrive, and say what to do.",
    ),
    "demo": ("antinode.cli.demo.command:demo", "Watch events survive a server that keeps having accidents."),
    "completion": ("antinode.cli.completion:completion", "Print the completion script of a shell."),
}
"""Name -> where the command is, and what it is for in one line; in the order in which help lists them."""

_HELP_STYLE: Final = click.RichHelpConfiguration(
    theme="default-slim",
    text_markup=None,  # texts are shown as they are, brackets and all
    style_helptext="",  # rather than dim, which some terminals make unreadable
    padding_helptext_first_line=(0, 0, 1, 0),
    text_paragraph_linebreaks="\n\n",
    options_table_help_sections=["help", "required", "default"],
    style_errors_panel_box="BLANK",  # so that a message can be copied without its frame
    force_terminal=None,  # colour is for terminals; rich knows NO_COLOR and FORCE_COLOR
)


@click.group(
    cls=LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "rich_help_config": _HELP_STYLE,
    },
)
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def antinode() -> None:
    """Events to Amplitude, from the command line.

    Exit codes: 0 done, 1 what was asked for failed, 2 wrong usage or something is not installed or set up,
    130 interrupted.

    \b
    Examples:
      antinode demo                                 # what it is about
      antinode serve                                # a local Amplitude
      antinode send -t Played -u user-20391 --local # an event to it
      antinode import history.jsonl.gz              # many, to the real one
      antinode doctor                               # would they arrive?
      antinode send --help                          # all about one command
    """


for _name, (_target, _short_help) in COMMANDS.items():
    antinode.add_command(Listed(_name, _target, _short_help))
