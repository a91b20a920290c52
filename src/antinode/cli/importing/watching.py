"""An import while it runs: a bar on a terminal, and lines for what is worth one."""

from __future__ import annotations

from rich.text import Text

from antinode._importing.reports import ImportProgress
from antinode._protocol.words import counted
from antinode.cli.ui import console
from antinode.cli.ui.progress import Bar


class Watcher:
    """Shows on standard error what it hears; `bar` is to be used in a `with`."""

    def __init__(self, verb: str, *, is_quiet: bool) -> None:
        self.bar = Bar(verb, is_shown=not is_quiet)
        self._is_quiet = is_quiet

    def progressed(self, progress: ImportProgress) -> None:
        settled = progress.delivered + progress.rejected
        told = Text(counted(progress.delivered, "event"))
        told.append("" if progress.stalled else self.bar.rate(settled))
        if progress.rejected:
            told.append(f" · {progress.rejected:,} rejected", "red")
        if progress.stalled:
            told.append(" · waiting", "yellow")
        # Rows that were read but have not settled count as still to be done.
        share = settled / max(1, settled + progress.pending)
        self.bar.show(progress.bytes_read * share, progress.bytes_total or None, told)

    def said(self, text: str) -> None:
        if not self._is_quiet:
            console.err().print(console.printable(text), style="yellow")

    def wait_for_last(self) -> None:
        """Show that the import has been told to stop and waits for its last answers."""
        self.bar.title = "Stopping"
