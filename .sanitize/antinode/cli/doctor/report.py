"""What `antinode doctor` prints for people: a line for each finding as it is made, with what to do below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.text import Text

from antinode.cli.doctor.findings import DoctorFinding
from antinode.cli.ui.console import printable
from antinode.cli.ui.terminal import print_hanging

_STYLES: Final = {"ok": "green", "warning": "yellow", "problem": "bold red", "unchecked": "dim"}
_MARKS: Final = {"ok": "✓", "warning": "!", "problem": "✗", "unchecked": "?"}
_VERDICT_WIDTH: Final = 12
_TOPIC_WIDTH: Final = 14


def print_finding(console: Console, finding: DoctorFinding) -> None:
    verdict = f"{_MARKS[finding.verdict]} {finding.verdict}"
    head = Text.assemble(
        (f"{verdict:<{_VERDICT_WIDTH}}", _STYLES[finding.verdict]), f"{finding.topic:<{_TOPIC_WIDTH}}"
    )
    texts = [Text(printable(text)) for text in (finding.text, finding.advice) if text]
    print_hanging(console, head, *texts)


def print_sum(console: Console, findings: Iterable[DoctorFinding]) -> None:
    counts = Counter[str](finding.verdict for finding in findings)
    parts = [
        f"{counts[verdict]} {verdict if counts[verdict] == 1 else plural}"
        for verdict, plural in (("problem", "problems"), ("warning", "warnings"), ("unchecked", "unchecked"))
        if counts[verdict]
    ]
    style = "bold red" if counts["problem"] else "yellow" if parts else "green"
    text = ", ".join(parts) if parts else "All is well."
    console.print()
    console.print(Text(text, style))
