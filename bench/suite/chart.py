"""Figures as a bar chart in SVG: small, and legible on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from bench.suite.peers import ANTINODE
from bench.suite.report import amount
from bench.suite.results import Results

WIDTH, NAMES, VALUES = 720, 232, 112
ROW, BAR, TOP, BOTTOM = 30, 18, 62, 12
_STYLE = """
text { font: 14px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 16px; }
.note { fill: #59636e; font-size: 13px; }
.ours { font-weight: 600; }
rect { fill: #8c959f; }
rect.ours { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .note { fill: #9198a1; }
  rect { fill: #656c76; }
  rect.ours { fill: #4493f8; }
}
"""


class Bar(NamedTuple):
    """One peer's."""

    name: str
    value: float
    label: str
    is_ours: bool = False


def bars(title: str, note: str, rows: Sequence[Bar]) -> str:
    """The chart; lengths are in proportion, and what is too short to see still gets a line."""
    height = TOP + ROW * len(rows) + BOTTOM
    most = max((row.value for row in rows), default=1.0) or 1.0
    room = WIDTH - NAMES - VALUES
    summary = "; ".join(f"{row.name} {row.label}" for row in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="{escape(f"{title}: {summary}")}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="0" y="20">{escape(title)}</text>',
        f'<text class="note" x="0" y="42">{escape(note)}</text>',
    ]
    for number, row in enumerate(rows):
        y = TOP + ROW * number
        length = max(row.value / most * room, 2)
        kind = ' class="ours"' if row.is_ours else ""
        parts += [
            f'<text{kind} x="{NAMES - 10}" y="{y + 14}" text-anchor="end">{escape(row.name)}</text>',
            f'<rect{kind} x="{NAMES}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>',
            f'<text{kind} x="{NAMES + length + 8:.1f}" y="{y + 14}">{escape(row.label)}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


CHARTS = {
    "performance-cpu.svg": (
        "CPU time per delivered event",
        "Building, logging and sending New York's flights; shorter is better",
        ("delivery", "flights", "cpu"),
    ),
    "performance-call.svg": (
        "The slowest call in a thousand",
        "p99.9 at 2,000 calls a second while uploads run; shorter is better",
        ("calls", "paced", "p999"),
    ),
}


def charts(results: Results) -> dict[str, str]:
    """File name → SVG, for each chart whose figures were measured."""
    made = {}
    for name, (title, note, (measure, case, figure)) in CHARTS.items():
        rows = []
        for peer in results.peers(measure, case):
            value = results.median(measure, case, peer, figure)
            if value is not None:
                rows.append(Bar(peer, value, amount(value, "µs"), peer == ANTINODE.name))
        if rows:
            made[name] = bars(title, note, sorted(rows, key=lambda row: row.value))
    return made
