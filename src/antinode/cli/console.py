"""Where commands write: results to standard output, everything about them to standard error.

Colour is for terminals: rich looks at the stream, NO_COLOR, FORCE_COLOR and TERM.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final

from rich.console import Console

if TYPE_CHECKING:
    from rich.status import Status

_UNBOUNDED: Final = 100_000
"""Columns of what is no terminal: a file or a program gets every line whole."""


@functools.cache
def out() -> Console:
    """Standard output. Texts are printed as they are: no markup, no emoji codes, no guessed highlights."""
    return _console(stderr=False)


@functools.cache
def err() -> Console:
    """Standard error, as `out`."""
    return _console(stderr=True)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # rich would end the process here, whatever it is in the middle of.
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        # A terminal or file in another encoding than UTF-8 loses a character, not the command.
        stream.reconfigure(errors="replace")
    console = _Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _UNBOUNDED
    return console


class Waiting:
    """What a command waits for, told on a terminal from the second second on; elsewhere nothing is told."""

    def __init__(self, *, patience_s: float = 1.0) -> None:
        self._shown_from = time.monotonic() + patience_s
        self._status: Status | None = None

    def __enter__(self) -> Waiting:
        return self

    def tell(self, text: str) -> None:
        """Something to show for as long as it is true. Shows nothing before the patience is over."""
        if self._status is not None:
            self._status.update(printable(text))
        elif err().is_terminal and time.monotonic() >= self._shown_from:
            self._status = err().status(printable(text))
            self._status.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()


def printable(text: str, at_most: int = 300) -> str:
    """`text` fit to be shown: one line without control characters, escapes or marks that turn the writing."""
    start = text[: at_most + 1]
    shown = " ".join("".join(each if each.isprintable() else " " for each in start).split())
    return shown if len(text) <= at_most else f"{shown[: at_most - 1]}…"


def discard_output() -> None:
    """Sends what is still to be written to standard output nowhere: its reader has gone.

    Without it the interpreter tries once more at exit, and complains.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
