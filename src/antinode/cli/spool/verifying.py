"""Damage in a spool's directory, and files that do not belong there."""

from __future__ import annotations

import os
from typing import Final

from rich.text import Text

from antinode._protocol.words import counted
from antinode._spool.inspection.inspect import SpoolFinding
from antinode._spool.inspection.inspect import verify as findings_in
from antinode.cli.spool.directory import reading, segment_names
from antinode.cli.ui import console
from antinode.cli.ui.output import unread_is_fine, write_json

_MOST_LINES: Final = 500
"""More than anybody reads, and laying out a line takes a millisecond."""


def tell_findings(path: str, *, is_json: bool) -> bool:
    """Print what is wrong with the directory; returns whether nothing is."""
    with reading(path):
        segments = len(segment_names(path))
        findings = findings_in(path)
    missing = sum(finding.records for finding in findings)
    with unread_is_fine():
        if is_json:
            lines = [{"type": "finding", **finding._asdict()} for finding in findings]
            total = {"type": "total", "segments": segments, "findings": len(findings), "missing": missing}
            write_json(*lines, total)
        else:
            for finding in findings[:_MOST_LINES]:
                console.out().print(_line(path, finding), soft_wrap=True)
            if len(findings) > _MOST_LINES:
                more = counted(len(findings) - _MOST_LINES, "more finding")
                console.out().print(f"… and {more}; `--json` lists all.")
            if findings:
                found = f"{counted(len(findings), 'finding')} in {counted(segments, 'segment')}"
                lost = f", at least {counted(missing, 'event')} lost" if missing else ""
                console.out().print(f"{found}{lost}.", style="bold red", soft_wrap=True)
            else:
                console.out().print(f"{counted(segments, 'segment')}, no damage.", style="green")
    return not findings


def _line(path: str, finding: SpoolFinding) -> Text:
    line = Text(os.path.relpath(finding.path, path), "bold")
    line.append(f": {console.printable(finding.problem)}", "")
    if finding.length:
        line.append(f", {counted(finding.length, 'byte')} from {finding.offset:,}", "dim")
    if finding.records:
        line.append(f", {counted(finding.records, 'pending event')} lost", "red")
    return line
