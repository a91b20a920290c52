"""The demo as it goes: a picture in a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Protocol

from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from antinode._protocol.words import agreeing, counted

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import RenderableType

    from antinode.cli.demo.run import DemoProgress


class DemoOutput:
    """Standard output, in ASCII where the encoding has no better."""

    _ASCII = str.maketrans({"✓": "ok", "✗": "FAILED", "·": "|", "→": "->", "…": "..."})

    def __init__(self) -> None:
        try:
            "✓✗·→…▁▇".encode(sys.stdout.encoding or "ascii")
        except UnicodeEncodeError:
            self.is_ascii = True
        else:
            self.is_ascii = False

    def line(self, text: str = "") -> None:
        """One line."""
        sys.stdout.write((text.translate(self._ASCII) if self.is_ascii else text) + "\n")
        sys.stdout.flush()


class Display(Protocol):
    """Shows progress while the demo runs."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def show(self, progress: DemoProgress) -> None: ...


class Lines:
    """A line about once a second: for logs and pipes."""

    def __init__(self, output: DemoOutput) -> None:
        self._output = output
        self._shown = -1.0
        self._last: DemoProgress | None = None

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._last is not None:
            self._write(self._last)

    def show(self, progress: DemoProgress) -> None:
        """Write a line, if the last one is a second old; otherwise keep it for the end."""
        self._last = progress
        if progress.elapsed - self._shown >= 1:
            self._shown = progress.elapsed
            self._last = None
            self._write(progress)

    def _write(self, progress: DemoProgress) -> None:
        stats = progress.stats
        held = f" · {progress.held} of them {progress.throttled}'s" if progress.held else ""
        self._output.line(
            f"{progress.elapsed:5.1f} s  logged {stats.accepted:,}, delivered {stats.delivered:,}, "
            f"pending {stats.pending:,}{held} · requests {stats.requests:,}, retried {stats.retries:,} · "
            f"answers {progress.answers_text}"
        )


class Dashboard:
    """A live picture in a terminal."""

    _SPARKS = "▁▂▃▄▅▆▇█"

    def __init__(self) -> None:
        self._live = Live(refresh_per_second=8, transient=False)
        self._rates: deque[float] = deque(maxlen=40)
        self._previous: DemoProgress | None = None

    def __enter__(self) -> Dashboard:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, progress: DemoProgress) -> None:
        """Draw the progress of the demo."""
        if (previous := self._previous) is not None and progress.elapsed > previous.elapsed:
            delivered = progress.stats.delivered - previous.stats.delivered
            self._rates.append(delivered / (progress.elapsed - previous.elapsed))
        self._previous = progress
        self._live.update(self._picture(progress))

    def _picture(self, progress: DemoProgress) -> RenderableType:
        stats, total = progress.stats, progress.total
        bars = Table.grid(padding=(0, 2))
        bars.add_column(style="dim", width=12)
        bars.add_column(width=40)
        bars.add_column(justify="right")
        for name, count, style in (
            ("logged", stats.accepted, "cyan"),
            ("delivered", stats.delivered, "green"),
        ):
            bar = ProgressBar(total, count, width=40, complete_style=style, finished_style=style)
            bars.add_row(name, bar, f"{count:,} / {total:,}")
        bars.add_row("per second", Text(self._sparkline(), style="green"), f"{self._rate():,.0f}")
        pending = f"{stats.queued:,} queued · {stats.in_flight:,} in flight · {stats.waiting:,} waiting"
        bars.add_row("pending", pending, f"{stats.pending:,}")
        bars.add_row("sent", f"{stats.bytes_sent / 1e6:,.1f} MB in {counted(stats.requests, 'request')}", "")
        bars.add_row("retried", f"{stats.retries:,}", "")
        bars.add_row("answers", Text(progress.answers_text, style="yellow"), "")
        if progress.throttled is not None:
            held = f"{counted(progress.held, 'event')} of {progress.throttled}"
            waiting = f"{held} {agreeing(progress.held, 'waits', 'wait')} out its 30 s, alone"
            throttled = "429" in progress.answers and progress.held
            bars.add_row("throttled", Text(waiting if throttled else "nobody", style="magenta"), "")
        title = f"[bold]antinode[/] · a shop's clickstream · {progress.elapsed:.0f} s"
        return Panel(bars, title=title, title_align="left", border_style="dim", expand=False, padding=(1, 2))

    def _sparkline(self) -> str:
        highest = max(self._rates, default=0.0) or 1.0
        top = len(self._SPARKS) - 1
        return "".join(self._SPARKS[round(rate / highest * top)] for rate in self._rates)

    def _rate(self) -> float:
        recent = list(self._rates)[-4:]
        return sum(recent) / len(recent) if recent else 0.0


def choose_display(output: DemoOutput, *, plain: bool) -> Display:
    """The dashboard where there is a terminal for it, otherwise lines."""
    if plain or output.is_ascii or not sys.stdout.isatty():
        return Lines(output)
    return Dashboard()
