"""A progress bar on standard error: for terminals, and for what takes longer than a moment."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from antinode.cli import console
from antinode.cli.words import lapse

if TYPE_CHECKING:
    from typing_extensions import Self

_PATIENCE: Final = 0.7
"""Seconds that pass before anything is drawn."""


class Bar:
    """How much of something is done. Within its `with` block, `show` it as often as there is news."""

    def __init__(self, title: str, total: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            _Count(),
            _Rate(),
            TimeRemainingColumn(compact=True),
            console=console.err(),
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task(title, total=total)
        self._title = title
        self._draws = console.err().is_terminal
        self._is_drawn = False
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def show(self, done: int, paused: str = "") -> None:
        """`done` of the total; `paused` says in a few words why it is not more."""
        if not self._draws:
            return
        if not self._is_drawn and self.seconds > _PATIENCE:
            self._is_drawn = True
            self._progress.start()
        title = f"{self._title}, paused: {paused}" if paused else self._title
        self._progress.update(self._task, completed=done, description=title)

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self.started

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_drawn:
            self._progress.stop()


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{int(task.completed):,} of {int(task.total or 0):,}")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", "dim")


def pace(count: int, seconds: float) -> str:
    """`in 12 s (16,600/s)`."""
    rate = f" ({count / seconds:,.0f}/s)" if count and seconds >= 1 else ""
    return f"in {lapse(seconds)}{rate}"
