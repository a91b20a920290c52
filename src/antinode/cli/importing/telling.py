"""What an import tells at its end, to people and to programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.json import JSON
from rich.padding import Padding
from rich.text import Text

from antinode._importing.findings import Findings, RowFinding
from antinode._importing.reports import ImportReport, Survey
from antinode._protocol.words import counted
from antinode.cli.ui.console import printable
from antinode.cli.ui.output import write_json
from antinode.cli.ui.progress import pace
from antinode.cli.ui.terminal import escaped_text, print_hanging

_MOST_SHOWN: Final = 12
_KEPT_FOR_MACHINES: Final = 100
_LONG: Final = 1000


def tell_report(console: Console, report: ImportReport, *, server: str) -> None:
    """The end of an import in words."""
    if report.was_finished:
        told = counted(report.delivered, "event")
        rejected = f", {report.rejected:,} rejected" if report.rejected else ""
        console.print(f"This import is done already: {told} delivered{rejected}.")
        _tell_unread(console, report.unread)
        console.print("--again sends the rows once more, with the insert_ids that they had.", style="dim")
        return
    here = report.delivered - report.delivered_before
    verb = "Imported" if report.is_finished else "Stopped after"
    line = f"{verb} {counted(report.delivered, 'event')} into {server}"
    if report.delivered_before:
        line += f", {here:,} of them in this run"
    console.print(f"{line} {pace(here, report.seconds)}.")
    _tell_unread(console, report.unread)
    _tell_remarks(console, report.remarks, report.left_out)
    tell_findings(console, report.notes, "Mended, or worth knowing", "yellow")
    if report.rejected:
        line = f"Rejected {counted(report.rejected, 'row')}"
        if report.rejected_before:
            line += f", {report.rejected - report.rejected_before:,} of them in this run"
        console.print(Text(f"{line}{':' if report.findings.count else '.'}", "bold red"))
        tell_findings(console, report.findings, "", "red")
        if report.rejects is not None:
            path = _shown(report.rejects)
            console.print(f"They are in {path} with the reasons. Mend them there, and import that file.")
    if not report.is_finished:
        console.print("The same command goes on from here.")


def tell_survey(console: Console, survey: Survey) -> None:
    """What a dry run found, in words."""
    for source, row, event in survey.samples:
        console.print(Text(f"{printable(source.name)}, row {row:,}", "bold"))
        # Escaped before its width is measured, which escapes change.
        sample = escaped_text(JSON.from_data(event, indent=2).text)
        console.print(Padding(sample, (0, 0, 1, 2), expand=False))
    ends = "" if survey.is_whole else ", up to where it was stopped"
    looked = f"{counted(survey.rows, 'row')} {pace(survey.rows, survey.seconds)}"
    console.print(f"Looked at {looked}{ends}; nothing sent.")
    _tell_unread(console, survey.unread)
    _tell_remarks(console, survey.remarks, survey.left_out)
    tell_findings(console, survey.notes, "Would be mended, or is worth knowing", "yellow")
    bad = survey.rows - survey.good - survey.left_out
    if bad:
        console.print(Text(f"{counted(bad, 'row')} would be rejected:", "bold red"))
        tell_findings(console, survey.findings, "", "red")
    elif not survey.unread:
        console.print(_praise(survey), style="green")


def _praise(survey: Survey) -> str:
    if not survey.rows:
        return "There are no rows."
    return f"All {'others ' if survey.left_out else 'of them '}are good to send."


def _tell_unread(console: Console, unread: Sequence[str]) -> None:
    for each in unread:
        console.print(Text(printable(each), "bold red"))
    if unread:
        console.print("Get what is damaged once more, and import that: rows that are the same count once.")


def _tell_remarks(console: Console, remarks: Sequence[str], left_out: int) -> None:
    for each in remarks:
        console.print(Text(printable(each, _LONG), "yellow"))
    if left_out:
        verb = "was" if left_out == 1 else "were"
        console.print(f"{counted(left_out, 'row')} {verb} left out, as not meant to be events.")


def tell_findings(console: Console, findings: Findings, title: str, style: str) -> None:
    """The kinds of problems, the most frequent first, each with its first rows."""
    kinds = findings.most_frequent()
    if not kinds:
        return
    if title:
        console.print(Text(f"{title}:", f"bold {style}"))
    for kind in kinds[:_MOST_SHOWN]:
        count = Text(f"{kind.count:>9,}  ", style)
        print_hanging(console, count, Text(printable(kind.message)), Text(_where(kind), "dim"))
    if len(kinds) > _MOST_SHOWN:
        console.print(Text(f"{'':>11}and {counted(len(kinds) - _MOST_SHOWN, 'more kind')}", "dim"))


def _where(kind: RowFinding) -> str:
    sources = {source for source, _ in kind.rows}
    numbers = ", ".join(f"{number:,}" for _, number in kind.rows)
    more = ", …" if kind.count > len(kind.rows) else ""
    if len(sources) == 1:
        rows = "row" if kind.count == 1 else "rows"
        return f"{rows} {numbers}{more} of {printable(next(iter(sources)))}"
    return "; ".join(f"{printable(source)} row {number:,}" for source, number in kind.rows) + more


def write_report(report: ImportReport) -> None:
    """Print the end of an import for a program, as one JSON object."""
    write_json(
        {
            "type": "import",
            "finished": report.is_finished,
            "already_done": report.was_finished,
            "delivered": report.delivered,
            "rejected": report.rejected,
            "delivered_before": report.delivered_before,
            "rejected_before": report.rejected_before,
            "requests": report.requests,
            "retries": report.retries,
            "seconds": round(report.seconds, 3),
            "rejected_file": None if report.rejects is None else str(report.rejects),
            "checkpoint": None if report.checkpoint is None else str(report.checkpoint),
            "left_out": report.left_out,
            "unread": report.unread,
            "remarks": report.remarks,
            "problems": _facts(report.findings),
            "notes": _facts(report.notes),
        }
    )


def write_survey(survey: Survey) -> None:
    """Print what a dry run found for a program, as one JSON object."""
    write_json(
        {
            "type": "dry_run",
            "finished": survey.is_whole,
            "rows": survey.rows,
            "good": survey.good,
            "seconds": round(survey.seconds, 3),
            "samples": [
                {"source": source.name, "row": row, "event": event} for source, row, event in survey.samples
            ],
            "left_out": survey.left_out,
            "unread": survey.unread,
            "remarks": survey.remarks,
            "problems": _facts(survey.findings),
            "notes": _facts(survey.notes),
        }
    )


def _facts(findings: Findings) -> list[dict[str, Any]]:
    return [
        {
            "message": kind.message,
            "count": kind.count,
            "rows": [{"source": source, "row": number} for source, number in kind.rows],
        }
        for kind in findings.most_frequent()[:_KEPT_FOR_MACHINES]
    ]


def _shown(path: Path) -> str:
    """A path as short as it can be typed here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
