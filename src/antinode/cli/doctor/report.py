"""What `antinode doctor` prints for people: a line for each finding as it is made, with what to do below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.text import Text

from antinode.cli.console import printable
from antinode.cli.doctor.findings import Finding

_STYLES: Final = {"ok": "green", "warning": "yellow", "problem": "bold red", "unchecked": "dim"}
_MARKS: Final = {"ok": "✓", "warning": "!", "problem": "✗", "unchecked": "?"}
_VERDICT_WIDTH: Final = 12
_TOPIC_WIDTH: Final = 14


def print_finding(console: Console, finding: Finding) -> None:
    verdict = f"{_MARKS[finding.verdict]} {finding.verdict}"
    start = f"{verdict:<{_VERDICT_WIDTH}}{finding.topic:<{_TOPIC_WIDTH}}"
    width = max(20, console.width - len(start))
    lines = Text(printable(finding.text)).wrap(console, width)
    for advice in Text(printable(finding.advice)).wrap(console, width) if finding.advice else ():
        lines.append(advice)
    for number, line in enumerate(lines):
        head = Text(start if number == 0 else " " * len(start))
        if number == 0:
            head.stylize(_STYLES[finding.verdict], 0, _VERDICT_WIDTH)
        console.print(head + line, no_wrap=True)


def print_sum(console: Console, findings: Iterable[Finding]) -> None:
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
