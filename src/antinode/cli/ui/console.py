"""Where commands write: results to standard output, everything about them to standard error.

Colour is for terminals: rich looks at the stream, NO_COLOR, FORCE_COLOR and TERM.
"""

from __future__ import annotations

import functools
import io
import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_UNBOUNDED: Final = 100_000
"""Columns of what is no terminal: a file or a program gets every line whole."""


@functools.cache
def out() -> Console:
    """Standard output. Texts are printed as they are: no markup, no emoji codes, no guessed highlights.

    The exception is what a terminal would obey or not show, which is `escaped` whoever prints.
    """
    return _console(stderr=False)


@functools.cache
def err() -> Console:
    """Standard error, printed to as `out` is."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from antinode.cli.ui.terminal import Terminal  # noqa: PLC0415 - rich is loaded to print, not to complete

    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        # A terminal or file in another encoding than UTF-8 loses a character, not the command.
        stream.reconfigure(errors="replace")
    console = Terminal(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _UNBOUNDED
    return console


class Waiting:
    """What a command waits for, and how far it is: told on a terminal from the second second on.

    It is drawn on standard error. Before anything is printed, `hide` it: two streams on one terminal know
    nothing of each other.
    """

    def __init__(self, *, patience_s: float = 1.0, is_shown: bool = True) -> None:
        self._shown_from = time.monotonic() + patience_s
        self._is_shown = is_shown
        self._progress: Progress | None = None

    def __enter__(self) -> Waiting:
        return self

    def tell(self, text: str, share: float | None = None) -> None:
        """Something to show for as long as it is true. With a share, from 0 to 1, there is a bar."""
        if not self._is_shown or time.monotonic() < self._shown_from or not err().is_terminal:
            return
        if self._progress is None:
            self._progress = _progress(has_bar=share is not None)
            self._progress.add_task("", total=1.0)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], description=printable(text), completed=share or 0.0)

    def hide(self) -> None:
        """Nothing is shown until something else is told."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hide()


def _progress(*, has_bar: bool) -> Progress:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415 - seldom needed
    from rich.progress import TimeRemainingColumn as Left  # noqa: PLC0415 - the same

    bar = (BarColumn(), TextColumn("{task.percentage:>3.0f}%"), Left()) if has_bar else ()
    description = TextColumn("{task.description}", markup=False)
    return Progress(SpinnerColumn(), *bar, description, console=err(), transient=True)


def printable(text: str, at_most: int = 300) -> str:
    """`text` on one line of at most so many characters, with what is not plainly seen `escaped`."""
    from antinode._protocol.escaping import escaped  # noqa: PLC0415 - not for help and completion

    shown = escaped(" ".join(text[: at_most + 1].split()))
    return shown if len(text) <= at_most and len(shown) <= at_most else f"{shown[: at_most - 1]}…"


def discard_output() -> None:
    """Sends what is still to be written to standard output nowhere: its reader has gone.

    Without it the interpreter tries once more at exit, and complains.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
