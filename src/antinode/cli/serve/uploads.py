"""Uploads in a terminal: a line for each and, if not all is well, what became of its events and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from antinode._protocol.words import counted, size
from antinode.cli.ui.console import printable

if TYPE_CHECKING:
    from antinode.cli.serve.feed import FeedBatch, Omitted, Sums
    from antinode.server.models import EventView, Problem, UploadView

_INDENT: Final = 10
"""As wide as the time and the space behind it."""
_MAX_PROBLEMS: Final = 3
_MAX_WARNINGS_KNOWN: Final = 1_000


class UploadPrinter:
    """Prints batches of uploads to a console, wide or narrow.

    A warning is worded the first time it is met; an error, each time.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._warnings: set[str] = set()

    def print(self, batch: FeedBatch) -> None:
        """Print a batch. Raises OSError when the console can be written no more."""
        for upload, events in batch.shown:
            self._console.print(upload_line(upload), no_wrap=True, overflow="ellipsis")
            self._note(outcome(upload), "bold" if upload.fault or upload.status != 200 else "dim")
            for severity, line in self._reasons(upload, events):
                self._note(line, "yellow" if severity == "warning" else "red")
        if batch.omitted.uploads:
            self._note(omitted_line(batch.omitted), "dim")

    def _note(self, line: str, style: str) -> None:
        if line:
            self._console.print(Padding(Text(line, style), (0, 0, 0, _INDENT), expand=False))

    def _reasons(self, upload: UploadView, events: Sequence[EventView]) -> Iterator[tuple[str, str]]:
        found: dict[Problem, list[int]] = {}
        for event in sorted(events, key=lambda each: each.position):
            for problem in event.problems:
                found.setdefault(problem, []).append(event.position)
        errors = [each for each in found.items() if each[0].severity == "error"]
        # A fault explains the error by itself, unless it only delayed the answer.
        if upload.error and not errors and (not upload.fault or upload.fault.startswith("delay")):
            yield "error", f"{printable(upload.error)}{_missing_field(upload.answer)}"
        for problem, positions in errors[:_MAX_PROBLEMS]:
            yield "error", f"{_where(positions)}: {printable(problem.message)}"
        if len(errors) > _MAX_PROBLEMS:
            more = counted(len(errors) - _MAX_PROBLEMS, "more reason")
            yield "error", f"… and {more}: the page has them all"
        for problem, positions in found.items():
            if problem.severity == "warning" and problem.code not in self._warnings:
                if len(self._warnings) < _MAX_WARNINGS_KNOWN:
                    self._warnings.add(problem.code)
                yield "warning", f"{_where(positions)}: {printable(problem.message)} (said once)"


def _missing_field(answer: str | None) -> str:
    """What a 400 says is missing, which is not in the error's own words."""
    try:
        field = msgspec.json.decode(answer or "", type=dict[str, Any]).get("missing_field")
    except msgspec.DecodeError:
        return ""
    return f": {printable(field)}" if isinstance(field, str) else ""


def _where(positions: Sequence[int]) -> str:
    more = f" and {len(positions) - 1:,} more" if len(positions) > 1 else ""
    return f"events[{positions[0]}]{more}"


def upload_line(upload: UploadView) -> Text:
    """When, what was answered, where, how many events, how large, how fast, and by whom."""
    line = Text()
    line.append(f"{_time_of_day(upload.received_at)}  ", "dim")
    line.append(_status(upload.status), _style(upload.status))
    line.append(f" {printable(upload.path, 40):<10} ")
    line.append(f"{counted(upload.events, 'event'):>12}", "bold")
    line.append(f" {size(upload.wire_size):>8} {_duration(upload.duration_us):>7}")
    line.append(f"  {printable(upload.library or upload.user_agent, 80)}".rstrip(), "dim")
    return line


def not_accepted(counts: UploadView | Sums) -> list[str]:
    """How many events were not accepted, and why, in words."""
    parts = []
    if counts.rejected:
        parts.append(f"{counts.rejected:,} rejected")
    if counts.returned:
        parts.append(f"{counts.returned:,} to be sent again")
    if counts.duplicates:
        parts.append(f"{counted(counts.duplicates, 'duplicate')} dropped")
    return parts


def outcome(upload: UploadView) -> str:
    """What became of the events, if they were not simply accepted; and the fault that was at work."""
    parts = []
    if upload.fault:
        parts.append(f"fault {printable(upload.fault)}")
    parts += not_accepted(upload)
    if parts and upload.accepted:
        parts.append(f"{upload.accepted:,} accepted")
    return ", ".join(parts)


def omitted_line(omitted: Omitted) -> str:
    """What is not shown one by one, and how much of it was answered with anything but 200."""
    line = f"… and {counted(omitted.uploads, 'more upload')}, {counted(omitted.events, 'event')}"
    failed = [
        f"{count:,} answered {status}" if status else f"{count:,} cut off"
        for status, count in sorted(omitted.statuses.items())
        if status != 200
    ]
    return f"{line}; {', '.join(failed)}" if failed else line


def _status(status: int) -> str:
    return f"{status:<3}" if status else "cut"


def _style(status: int) -> str:
    if status == 0 or status >= 500:
        return "bold magenta"
    if status == 429:
        return "bold yellow"
    return "green" if status < 300 else "bold red"


def _time_of_day(milliseconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000):%H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return "--:--:--"  # the server's clock can be set to any time


def _duration(microseconds: int) -> str:
    if microseconds < 99_950:
        return f"{microseconds / 1_000:.1f} ms"
    if microseconds < 999_500:
        return f"{microseconds / 1_000:.0f} ms"
    return f"{microseconds / 1_000_000:,.1f} s"
