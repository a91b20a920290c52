"""The findings as a table, and the page that keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.accidents.judgement import Finding

_PAGE = Path(__file__).with_name("page.md")

_HEADS = (
    "accident",
    "logged",
    "refused",
    "lost",
    "told",
    "duplicated",
    "arrived again",
    "out of order",
    "process ended",
    "exit took",
    "of at most",
)
_IS_TEXT = (True, *(False,) * 7, True, False, False)


def as_markdown(findings: Iterable[Finding]) -> str:
    """The table, aligned, so that it reads as well unrendered."""
    rows = [_HEADS, *(_cells(finding) for finding in findings)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
    rule = tuple(
        "-" * w if is_text else "-" * (w - 1) + ":" for w, is_text in zip(widths, _IS_TEXT, strict=True)
    )
    lines = []
    for row in (rows[0], rule, *rows[1:]):
        padded = [
            cell.ljust(width) if is_text else cell.rjust(width)
            for cell, width, is_text in zip(row, widths, _IS_TEXT, strict=True)
        ]
        lines.append(f"| {' | '.join(padded)} |")
    return "\n".join(lines) + "\n"


def _cells(finding: Finding) -> tuple[str, ...]:
    numbers = (finding.logged, finding.refused, finding.lost, finding.told, finding.duplicated)
    return (
        finding.accident.title,
        *(f"{number:,}" for number in (*numbers, finding.repeated, finding.out_of_order)),
        finding.ending,
        f"{finding.exit_seconds:.1f} s",
        f"{finding.accident.shutdown_timeout:g} + 1 s",
    )


def as_page(findings: Sequence[Finding]) -> str:
    """`docs/accidents.md`: the text around the table is in `page.md`."""
    return _PAGE.read_text(encoding="utf-8").replace("TABLE\n", as_markdown(findings))
