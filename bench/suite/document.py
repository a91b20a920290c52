"""Puts the figures into docs/performance.md, and the charts beside it."""

from __future__ import annotations

from typing import Any

from bench.suite.chart import charts
from bench.suite.report import markdown, target_table, text
from bench.suite.results import Results
from bench.suite.sink_process import ROOT

PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"


def between(page: str, name: str, content: str) -> str:
    """`page` with what stands between the two markers of `name` replaced."""
    opening, closing = f"<!-- {name}: written by `make bench ARGS=--docs` -->", f"<!-- end of {name} -->"
    before, found, rest = page.partition(opening)
    _, ended, after = rest.partition(closing)
    if not found or not ended:
        raise ValueError(f"the page lacks the lines {opening!r} and {closing!r}")
    return f"{before}{opening}\n\n{content.strip()}\n\n{closing}{after}"


def write(results: Results, about: dict[str, Any]) -> None:
    page = PAGE.read_text("utf-8")
    page = between(page, "targets", markdown(target_table(results)))
    page = between(page, "figures", text(results, about, markdown))
    PAGE.write_text(page, encoding="utf-8")
    for name, drawn in charts(results).items():
        (IMAGES / name).write_text(drawn, encoding="utf-8")
