"""rich's console, as commands want it, and a way to lay out what is printed on it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from antinode._protocol.escaping import escaped


class Terminal(Console):
    """Escapes what a terminal would obey or not show, in every text that is printed.

    Raises BrokenPipeError when nobody reads any more; rich would end the process then.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        # What is printed is taken apart down to its texts here, before they are laid out.
        if isinstance(renderable, str):
            renderable = escaped(renderable)
        elif isinstance(renderable, Text):
            renderable = escaped_text(renderable)
        return super().render(renderable, options)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def escaped_text(text: Text) -> Text:
    """`text` with the same styles, its characters `escaped`."""
    plain = text.plain
    if escaped(plain) == plain:
        return text
    shown = text.blank_copy()
    edges = sorted({edge for at, each in enumerate(plain) if escaped(each) != each for edge in (at, at + 1)})
    for piece in text.divide(edges):
        shown.append(escaped(piece.plain), piece.style) if len(piece) == 1 else shown.append_text(piece)
    return shown


def print_hanging(console: Console, head: Text, *bodies: Text) -> None:
    """Prints each body beside the head, in lines of its own, wrapped to the right of it."""
    width = max(20, console.width - head.cell_len)
    lines = [line for body in bodies for line in body.wrap(console, width)]
    margin = Text(" " * head.cell_len)
    for number, line in enumerate(lines):
        console.print((margin if number else head) + line, no_wrap=True, crop=False)
