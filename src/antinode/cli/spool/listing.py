"""The segments of a directory, in a table or as JSON lines."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from antinode._protocol.words import counted, size
from antinode._spool.inspection.inspect import SegmentSummary
from antinode.cli.spool.directory import reading, set_aside, surveyed
from antinode.cli.ui import console
from antinode.cli.ui.output import unread_is_fine, write_json
from antinode.cli.ui.words import lapse

_NARROW: Final = 100
"""Columns below which a name is cut at its beginning, which is the process and its birth."""
_MOST_ROWS: Final = 500
"""More than anybody reads, and laying out a row takes a millisecond."""
_TAIL: Final = 21
"""What tells segments apart: `89abcdef-00000001.seg`."""


def list_segments(path: str, *, is_json: bool) -> None:
    """Print the segments in the directory `path`."""
    with reading(path):
        segments, unreadable = surveyed(path)
        damaged = len(set_aside(path))
    with unread_is_fine():
        if is_json:
            write_json(
                *map(_segment_line, segments),
                _total_line(segments, unreadable=len(unreadable), damaged=damaged),
            )
        else:
            _print(path, segments, unreadable=len(unreadable), damaged=damaged)


def _print(path: str, segments: Sequence[SegmentSummary], *, unreadable: int, damaged: int) -> None:
    out = console.out()
    if segments:
        out.print(_table(segments[:_MOST_ROWS], is_narrow=out.width < _NARROW))
        if len(segments) > _MOST_ROWS:
            out.print(f"… and {counted(len(segments) - _MOST_ROWS, 'younger segment')}; `--json` lists all.")
        out.print()
    out.print(Text(_sums(segments) if segments else f"No segments in {path}.", "bold" if segments else ""))
    if unreadable:
        out.print(
            f"{counted(unreadable, 'more file')} cannot be read: `antinode spool verify` says why.",
            style="yellow",
        )
    if damaged:
        out.print(f"{counted(damaged, 'damaged piece')} in damaged/, set aside earlier.", style="yellow")


def _table(segments: Sequence[SegmentSummary], *, is_narrow: bool) -> Table:
    keys = sorted({segment.fingerprint for segment in segments})
    is_damaged = any(map(_is_damaged, segments))
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("SEGMENT", no_wrap=True)
    for name in ("PROCESS", "STATE", *(["KEY"] if len(keys) > 1 else [])):
        table.add_column(name, no_wrap=True, justify="right" if name == "PROCESS" else "left")
    for name in ("EVENTS", "PENDING", "OLDEST", "SIZE", *(["DAMAGE"] if is_damaged else [])):
        table.add_column(name, no_wrap=True, justify="right")
    now = time.time()
    for segment in segments:
        name = os.path.basename(segment.path)
        row = [
            Text(f"…{name[-_TAIL:]}" if is_narrow else name),
            Text(str(segment.pid)),
            Text("in use", "green") if segment.is_alive else Text("left", "yellow"),
        ]
        if len(keys) > 1:
            row.append(Text(segment.fingerprint.hex()[:6]))
        row += [
            Text(f"{segment.events:,}"),
            Text(f"{segment.pending:,}", "bold" if segment.pending else "dim"),
            Text("" if segment.oldest is None else lapse(now - segment.oldest)),
            Text(size(segment.bytes)),
        ]
        if is_damaged:
            row.append(Text(_damage(segment), "red"))
        table.add_row(*row)
    return table


def _is_damaged(segment: SegmentSummary) -> bool:
    return bool(segment.damaged_records or segment.damaged_bytes)


def _damage(segment: SegmentSummary) -> str:
    return counted(segment.damaged_records, "event") if _is_damaged(segment) else ""


def _sums(segments: Sequence[SegmentSummary]) -> str:
    pending = sum(segment.pending for segment in segments)
    in_use = sum(segment.pending for segment in segments if segment.is_alive)
    oldest = min((segment.oldest for segment in segments if segment.oldest is not None), default=None)
    whole = f"{counted(len(segments), 'segment')}, {size(sum(segment.bytes for segment in segments))}"
    if not pending or oldest is None:
        return f"{whole}; nothing is pending."
    held = "all" if in_use == pending else f"{in_use:,}" if in_use else "none"
    age = lapse(time.time() - oldest)
    return f"{whole}; {counted(pending, 'event')} pending, {held} in use, the oldest from {age} ago."


def _segment_line(segment: SegmentSummary) -> dict[str, Any]:
    return {
        "type": "segment",
        "name": os.path.basename(segment.path),
        "path": segment.path,
        "owner": segment.owner,
        "number": segment.number,
        "pid": segment.pid,
        "is_alive": segment.is_alive,
        "created": segment.created,
        "key": segment.fingerprint.hex(),
        "events": segment.events,
        "pending": segment.pending,
        "oldest": segment.oldest,
        "bytes": segment.bytes,
        "damaged_records": segment.damaged_records,
        "damaged_bytes": segment.damaged_bytes,
    }


def _total_line(segments: Sequence[SegmentSummary], *, unreadable: int, damaged: int) -> dict[str, Any]:
    return {
        "type": "total",
        "segments": len(segments),
        "events": sum(segment.events for segment in segments),
        "pending": sum(segment.pending for segment in segments),
        "left": sum(segment.pending for segment in segments if not segment.is_alive),
        "oldest": min((segment.oldest for segment in segments if segment.oldest is not None), default=None),
        "bytes": sum(segment.bytes for segment in segments),
        "unreadable": unreadable,
        "set_aside": damaged,
    }
