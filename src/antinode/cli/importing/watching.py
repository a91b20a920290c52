"""An import while it runs: a bar on a terminal, and lines for what is worth one."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from antinode.cli.console import printable
from antinode.importing import reports


class Watcher:
    """Shows progress on standard error if that is a terminal; use it in a `with`."""

    def __init__(self, console: Console, verb: str, *, is_quiet: bool) -> None:
        self._console = console
        self._is_quiet = is_quiet
        self._begun: tuple[float, reports.Progress] | None = None
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[counts]}"),
            _TimeLeft(),
            console=console,
            transient=True,
            disable=is_quiet or not console.is_terminal,
            expand=True,
        )
        self._task = self._bar.add_task(verb, total=None, counts="")
        self._why = ""

    def __enter__(self) -> Watcher:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def progressed(self, progress: reports.Progress) -> None:
        task = self._bar.tasks[0]
        if self._begun is None:
            self._begun = task.elapsed or 0.0, progress
        began_at, first = self._begun
        seconds = (task.elapsed or 0.0) - began_at
        done = progress.delivered + progress.rejected - first.delivered - first.rejected
        counts = f"{progress.delivered:,} events"
        if seconds > 0.5 and not progress.stalled:
            counts += f" · {done / seconds:,.0f}/s"
        if progress.rejected:
            counts += f" · [red]{progress.rejected:,} rejected[/red]"
        if progress.stalled:
            counts += " · [yellow]waiting[/yellow]"
        self._bar.update(
            self._task,
            total=progress.bytes_total or None,
            # What is read but not settled yet is still to be done.
            completed=progress.bytes_read * _share(progress),
            counts=counts,
        )

    def said(self, text: str) -> None:
        if not self._is_quiet:
            self._console.print(Text(printable(text), "yellow"))

    def wait_for_last(self) -> None:
        """The import has been told to stop."""
        self._bar.update(self._task, description="Stopping")


def _share(progress: reports.Progress) -> float:
    settled = progress.delivered + progress.rejected
    return settled / max(1, settled + progress.pending)


class _TimeLeft(ProgressColumn):
    """What is left by the rate so far, or how long it has taken where nothing says how much there is."""

    max_refresh = 0.5

    def __init__(self) -> None:
        super().__init__()
        self._elapsed = TimeElapsedColumn()

    def render(self, task: Task) -> Text:
        if not task.total or not task.completed or not task.elapsed or task.elapsed < 1:
            return self._elapsed.render(task)
        left = int((task.total - task.completed) * task.elapsed / task.completed)
        minutes, seconds = divmod(max(0, left), 60)
        hours, minutes = divmod(minutes, 60)
        shown = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
        return Text(f"{shown} left", "cyan")
