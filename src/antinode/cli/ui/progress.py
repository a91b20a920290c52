"""A progress bar on standard error: for terminals, and for what takes longer than a moment."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Final

from rich.console import RenderableType
from rich.constrain import Constrain
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
from rich.table import Column
from rich.text import Text

from antinode.cli.ui import console
from antinode.cli.ui.words import lapse

if TYPE_CHECKING:
    from typing_extensions import Self

_PATIENCE_SECONDS: Final = 0.7
"""Seconds that pass before anything is drawn."""
_TELLING_SECONDS: Final = 0.5
"""Seconds after which a rate says something."""


class Bar:
    """How much of something is done. Within its `with` block, `show` it as often as there is news."""

    def __init__(self, title: str, *, is_shown: bool = True) -> None:
        self.title = title
        """May be changed; the next `show` has the new one."""
        self._progress = _StatusLine(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            _Told(Column(no_wrap=True)),
            _TimeLeft(Column(no_wrap=True)),
            console=console.err(),
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task(title, total=None, told=Text())
        self._draws = is_shown and console.err().is_terminal
        self._is_drawn = False
        self._first: tuple[float, int] | None = None
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def show(self, done: float, total: float | None, told: str | Text, *, paused: str = "") -> None:
        """`done` of the total, which may not be known, and in words; `paused` says why it is not more."""
        if not self._draws:
            return
        title = f"{self.title}, paused: {paused}" if paused else self.title
        self._progress.update(self._task, completed=done, total=total, description=title, told=told)
        if not self._is_drawn and self.seconds > _PATIENCE_SECONDS:
            self._is_drawn = True
            self._progress.start()

    def rate(self, count: int) -> str:
        """` · 16,600/s`: how fast a count has grown since it was first told; empty at the beginning."""
        if self._first is None:
            self._first = self.seconds, count
        began, first = self._first
        seconds = self.seconds - began
        return f" · {(count - first) / seconds:,.0f}/s" if seconds > _TELLING_SECONDS else ""

    @property
    def seconds(self) -> float:
        """Seconds since the bar was made."""
        return time.monotonic() - self.started

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_drawn:
            self._progress.stop()


class _StatusLine(Progress):
    """Leaves room on the right for the ^C that a terminal writes: a full line would be pushed up by it."""

    def get_renderable(self) -> RenderableType:
        return Constrain(super().get_renderable(), max(1, console.err().width - 3))


class _Told(ProgressColumn):
    def render(self, task: Task) -> Text:
        told = task.fields["told"]
        return told if isinstance(told, Text) else Text(told)


class _TimeLeft(ProgressColumn):
    """What is left by the rate so far, or how long it has taken where nothing says how much there is."""

    max_refresh = 0.5

    def __init__(self, table_column: Column) -> None:
        super().__init__(table_column)
        self._elapsed = TimeElapsedColumn()

    def render(self, task: Task) -> Text:
        if not task.total or not task.completed or not task.elapsed or task.elapsed < 1:
            return self._elapsed.render(task)
        left = int((task.total - task.completed) * task.elapsed / task.completed)
        minutes, seconds = divmod(max(0, left), 60)
        hours, minutes = divmod(minutes, 60)
        shown = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
        return Text(f"{shown} left", "cyan")


def pace(count: int, seconds: float) -> str:
    """`in 12 s (16,600/s)`."""
    rate = f" ({count / seconds:,.0f}/s)" if count and seconds >= 1 else ""
    return f"in {lapse(seconds)}{rate}"
