"""rich's console, as commands want it."""

from __future__ import annotations

import errno
import os

from rich.console import Console


class Terminal(Console):
    """Raises BrokenPipeError when nobody reads any more; rich would end the process then."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
