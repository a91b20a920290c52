"""Options that the commands of a plan have in common, and the plan that they name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import rich_click as click

from antinode.cli.params.destination import LOCAL_URL
from antinode.cli.ui.errors import NotSetUp

if TYPE_CHECKING:
    from antinode.plan import TrackingPlan

USUAL: Final = "tracking-plan.yaml"

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Read = TypeVar("_Read")
_Option = Callable[[_Command], _Command]

files_argument: Final = click.argument(
    "files", nargs=-1, type=click.Path(allow_dash=True), metavar="[FILES]..."
)
"""Files of events, unless a local Amplitude is asked."""

plan_argument: Final = click.argument(
    "path", type=click.Path(path_type=Path, dir_okay=False), default=USUAL, metavar="[PLAN]"
)

local_options: Final = (
    click.option("--local", is_flag=True, help=f"Read what `antinode serve` holds on {LOCAL_URL}."),
    click.option("--url", metavar="URL", help="Read what `antinode serve` holds at this address."),
)


def local_option(command: _Command) -> _Command:
    """Give a command the options for the events of a local Amplitude."""
    for option in reversed(local_options):
        command = option(command)
    return command


def output_option(help: str) -> _Option[Any]:
    """The option for the file that is written; without it, standard output."""
    return click.option(
        "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help=help
    )


def load_plan(path: Path) -> TrackingPlan:
    """The plan in a file. Raises NotSetUp with what is wrong, and what to write instead."""
    from antinode.plan import read_plan  # noqa: PLC0415 - not for help and completion

    return loaded(read_plan, path)


def loaded(read: Callable[[Path], _Read], path: Path) -> _Read:
    """What reading a plan's file gives. Raises as above."""
    from antinode.plan import PlanError  # noqa: PLC0415 - as above

    try:
        return read(path)
    except PlanError as error:
        raise NotSetUp(str(error)) from None
    except OSError as error:
        hint = ": write one with `antinode plan infer`" if isinstance(error, FileNotFoundError) else ""
        raise NotSetUp(f"{path} cannot be read ({error.strerror}){hint}") from None


def write_out(text: str, output: Path | None) -> None:
    """Write text to a file, or to standard output; a file that has it already stays untouched."""
    from antinode.cli.ui.output import unread_is_fine, write_text  # noqa: PLC0415 - as above

    if output is None:
        with unread_is_fine():
            write_text(text)
        return
    raw = text.encode("utf-8")
    try:
        if not (output.exists() and output.read_bytes() == raw):
            output.write_bytes(raw)
    except OSError as error:
        raise NotSetUp(f"{output} cannot be written: {error.strerror}") from None
