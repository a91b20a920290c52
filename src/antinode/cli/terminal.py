"""rich's console, as commands want it, and a way to lay out what is printed on it."""

from __future__ import annotations

import errno
import os

from rich.console import Console
from rich.text import Text


class Terminal(Console):
    """Raises BrokenPipeError when nobody reads any more; rich would end the process then."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def print_hanging(console: Console, head: Text, *bodies: Text) -> None:
    """Prints each body beside the head, in lines of its own, wrapped to the right of it."""
    width = max(20, console.width - head.cell_len)
    lines = [line for body in bodies for line in body.wrap(console, width)]
    margin = Text(" " * head.cell_len)
    for number, line in enumerate(lines):
        console.print((margin if number else head) + line, no_wrap=True, crop=False)
