"""Results as tables: for the terminal, and for the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bench.suite.measures import MEASURES, growth
from bench.suite.peers import ANTINODE
from bench.suite.results import Results
from bench.suite.sections import NOTHING, TIMES, Section
from bench.suite.targets import TARGETS, as_ratio, measured, verdict
from bench.suite.trend import exponent, is_superlinear

SECTIONS: tuple[Section, ...] = tuple(
    section for module in MEASURES.values() for section in getattr(module, "SECTIONS", ())
)
Table = list[list[str]]
"""A heading and the rows below it."""
Titled = tuple[str, Table]


def amount(value: float | None, unit: str) -> str:
    """`value` with three significant digits and its unit."""
    if value is None:
        return NOTHING
    if unit in {"/s", "#", "B", "%"}:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"
    return text if unit in {"/s", "#"} else f"{text} {unit}"


def tables(results: Results) -> list[Titled]:
    """A table for each measure, then one for each way in which cost may grow."""
    made = [(section.title, _section(results, section)) for section in SECTIONS]
    grown = [
        (f"Growth with {axis.unit} (exponent {_exponent(results, axis):+.2f})", _growth(results, axis))
        for axis in growth.AXES
        if results.cases(_axis(axis))
    ]
    return [(title, table) for title, table in made if len(table) > 1] + grown


def _section(results: Results, section: Section) -> Table:
    heading = ["", *(column.heading for column in section.columns)]
    if section.ratio:
        heading.append(f"to {section.to}'s")
    table = [heading]
    for peer in results.peers(section.measure, section.case):
        medians = (
            (results.median(section.measure, section.case, peer, column.figure), column.unit)
            for column in section.columns
        )
        row = [peer, *(amount(median, unit) for median, unit in medians)]
        if section.ratio:
            ratio = results.ratio(section.measure, section.case, section.ratio, peer, section.to)
            row.append(NOTHING if ratio is None else amount(ratio, TIMES))
        table.append(row)
    return table


def _axis(axis: growth.Axis) -> str:
    return f"{growth.MEASURE}: {axis.name}"


def points(results: Results, axis: growth.Axis) -> list[tuple[float, float]]:
    """(step, cost per unit) of an axis."""
    measure = _axis(axis)
    costs = (
        (case, results.median(measure, case, ANTINODE.name, axis.figure)) for case in results.cases(measure)
    )
    return [(float(case), cost) for case, cost in costs if cost]


def _exponent(results: Results, axis: growth.Axis) -> float:
    return exponent(points(results, axis))


def _growth(results: Results, axis: growth.Axis) -> Table:
    costs = points(results, axis)
    table = [[axis.unit, axis.heading, "to the step before"]]
    for number, (step, cost) in enumerate(costs):
        before = costs[number - 1][1] if number else None
        table.append(
            [f"{step:,.0f}", f"{cost:.2f}", "" if before is None else f"{cost / before:.2f} {TIMES}"]
        )
    if is_superlinear(costs):
        table.append(["SUPERLINEAR", "", ""])
    return table


def target_table(results: Results) -> Table:
    """What was to be reached, and whether it was."""
    table = [["", "measured", "at most", "aim", "reached"]]
    for target in TARGETS:
        ratio = measured(results, target)
        table.append(
            [
                target.what,
                NOTHING if ratio is None else as_ratio(ratio),
                as_ratio(target.at_most),
                as_ratio(target.aim),
                verdict(ratio, target),
            ]
        )
    return table


def plain(table: Table) -> str:
    """The table in columns, the first to the left and the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )


def markdown(table: Table) -> str:
    heading, *rows = table
    ruler = ["---", *("---:" for _ in heading[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heading, ruler, *rows))


def text(results: Results, about: dict[str, Any], render: Callable[[Table], str] = plain) -> str:
    """The whole report."""
    is_plain = render is plain
    parts = [_described(about)]
    for title, table in [*tables(results), ("To reach, as ratios within this run", target_table(results))]:
        parts.append(f"{title}\n{render(table)}" if is_plain else f"### {title}\n\n{render(table)}")
    if results.left_out:
        parts.append("Left out:\n" + _list(results.left_out))
    return "\n\n".join(parts) + "\n"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _described(about: dict[str, Any]) -> str:
    versions: Sequence[str] = [f"{name} {version}" for name, version in about.get("versions", {}).items()]
    return (
        f"Python {about.get('python', '?')} on {about.get('system', '?')}, {about.get('cores', '?')} cores; "
        f"{', '.join(versions)}; the floor encodes with {about.get('encoder', '?')}."
    )
