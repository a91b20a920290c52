"""`antinode spool verify`: what of a directory is damaged, or does not belong there."""

from __future__ import annotations

import os

import rich_click as click
from rich.text import Text

from antinode.cli import console
from antinode.cli.output import json_lines, unread_is_fine
from antinode.cli.spool.directory import directory_argument, reading, segment_names
from antinode.cli.words import counted
from antinode.spool.inspect import Finding
from antinode.spool.inspect import verify as findings_in


@click.command(short_help="Look for damage in a spool.")
@directory_argument
@click.option("--json", "is_json", is_flag=True, help="Print JSON lines: each finding, then the total.")
@click.pass_context
def verify(ctx: click.Context, path: str, is_json: bool) -> None:
    """Check every checksum in the directory PATH, and change nothing.

    Damage costs the events that it hits and no others; whoever takes a damaged segment over sets the place
    aside in PATH/damaged, which is named here until you delete it. Files that do not belong to a spool are
    named, too. The exit code is 1 if anything was found.

    \b
    Examples:
      antinode spool verify /var/spool/shop
      antinode spool verify --json /var/spool/shop | jq 'select(.type == "finding")'
    """
    with reading(path):
        segments = len(segment_names(path))
        findings = findings_in(path)
    missing = sum(finding.records for finding in findings)
    with unread_is_fine():
        if is_json:
            lines = [{"type": "finding", **finding._asdict()} for finding in findings]
            total = {"type": "total", "segments": segments, "findings": len(findings), "missing": missing}
            json_lines([*lines, total])
        else:
            for finding in findings:
                console.out().print(_line(path, finding), soft_wrap=True)
            if findings:
                found = f"{counted(len(findings), 'finding')} in {counted(segments, 'segment')}"
                lost = f", at least {counted(missing, 'event')} lost" if missing else ""
                console.out().print(f"{found}{lost}.", style="bold red", soft_wrap=True)
            else:
                console.out().print(f"{counted(segments, 'segment')}, no damage.", style="green")
    ctx.exit(1 if findings else 0)


def _line(path: str, finding: Finding) -> Text:
    line = Text(os.path.relpath(finding.path, path), "bold")
    line.append(f": {console.printable(finding.problem)}", "")
    if finding.length:
        line.append(f", {counted(finding.length, 'byte')} from {finding.offset:,}", "dim")
    if finding.records:
        line.append(f", {counted(finding.records, 'pending event')} lost", "red")
    return line
