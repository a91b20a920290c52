"""What `antinode serve` tells a person: a banner, a line per upload, and what there was in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from antinode._protocol.words import counted
from antinode.cli.serve.banner import print_banner
from antinode.cli.serve.uploads import UploadPrinter, not_accepted

if TYPE_CHECKING:
    from antinode.cli.serve.banner import Listening
    from antinode.cli.serve.feed import FeedBatch, Sums


class PeopleWriter:
    """Writes to a console; if quiet, only the page's address."""

    def __init__(self, console: Console, *, is_quiet: bool) -> None:
        self._console = console
        self._is_quiet = is_quiet
        self._uploads = UploadPrinter(console)

    def listening(self, listening: Listening) -> None:
        if self._is_quiet:
            self._console.print(listening.url, soft_wrap=True)
        else:
            print_banner(self._console, listening)

    def write(self, batch: FeedBatch) -> None:
        self._uploads.print(batch)

    def stopped(self, sums: Sums) -> None:
        told = [f"{counted(sums.uploads, 'upload')}, {counted(sums.accepted, 'event')} accepted"]
        told += not_accepted(sums)
        # The terminal's own ^C stands on the line before.
        self._console.print(f"\nStopped after {', '.join(told)}.")
