"""What `antinode validate` prints, for people and for machines."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Protocol

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from antinode._protocol.words import counted
from antinode.cli.ui.console import printable
from antinode.cli.ui.output import write_json
from antinode.cli.ui.terminal import print_hanging

if TYPE_CHECKING:
    from antinode.cli.validate.judging import Judged
    from antinode.cli.validate.tally import ProblemKind, Tally
    from antinode.server.models import Problem

_ROWS_SHOWN: Final = 10
_ROWS_ALIKE: Final = 3
_MARKS: Final = {"error": ("✗", "bold red"), "warning": ("!", "yellow")}


class ValidationReport(Protocol):
    """Hears of each row with a problem, and of the sum."""

    def row(self, file: str, judged: Judged) -> None: ...

    def end(self, tally: Tally, files: int) -> None: ...


class MachineReport:
    """One JSON object for each problem, and one for the sum, told apart by `type`."""

    def row(self, file: str, judged: Judged) -> None:
        for problem in judged.problems:
            write_json(
                {
                    "type": "finding",
                    "file": file,
                    "row": judged.number,
                    "insert_id": judged.insert_id,
                    "severity": problem.severity,
                    "code": problem.code,
                    "field": problem.field,
                    "message": problem.message,
                }
            )

    def end(self, tally: Tally, files: int) -> None:
        write_json(
            {
                "type": "summary",
                "files": files,
                "rows": tally.rows,
                "rows_with_errors": tally.rows_with_errors,
                "rows_with_warnings": tally.rows_with_warnings,
                "problems": [_as_object(kind) for kind in tally.by_weight()],
            }
        )


def _as_object(kind: ProblemKind) -> dict[str, Any]:
    return {
        "code": kind.code,
        "field": kind.field,
        "severity": kind.severity,
        "count": kind.count,
        "message": kind.message,
        "first_rows": [{"file": file, "row": row} for file, row in kind.first_rows],
    }


class PeopleReport:
    """The first rows with errors, or every row as it is found; then each kind of problem and its count."""

    def __init__(self, console: Console, *, shows_all: bool, names_files: bool) -> None:
        self._console = console
        self._shows_all = shows_all
        self._names_files = names_files
        self._first: list[tuple[Text, Text]] = []
        self._alike: Counter[tuple[str, str]] = Counter()
        self._hidden = 0

    def row(self, file: str, judged: Judged) -> None:
        errors = [problem for problem in judged.problems if problem.severity == "error"]
        told = judged.problems if self._shows_all else errors
        if not told:
            return
        if not self._shows_all and not self._is_news(told):
            self._hidden += 1
            return
        where = self._where(file, judged.number)
        for problem in told:
            style = "yellow" if problem.severity == "warning" else ""
            head, body = Text(f"{where}: ", "bold"), Text(printable(problem.message), style)
            if self._shows_all:
                print_hanging(self._console, head, body)
            else:
                self._first.append((head, body))

    def _is_news(self, told: list[Problem]) -> bool:
        """Whether a row is among the first, and has a problem of a kind that few rows had before it."""
        self._alike.update((problem.code, problem.field) for problem in told)
        seen = min(self._alike[problem.code, problem.field] for problem in told)
        return len(self._first) < _ROWS_SHOWN and seen <= _ROWS_ALIKE

    def end(self, tally: Tally, files: int) -> None:
        for head, body in self._first:
            print_hanging(self._console, head, body)
        if self._hidden:
            self._console.print(f"… and {counted(self._hidden, 'row')} more: --all shows each.", style="dim")
        if self._first or (self._shows_all and tally.kinds):
            self._console.print()
        kinds = tally.by_weight()
        width = max((len(f"{kind.count:,}") for kind in kinds), default=1)
        for kind in kinds:
            mark, style = _MARKS[kind.severity]
            line = Text.assemble((f"{mark} {kind.count:>{width},}  ", style), (kind.code, "bold"))
            if kind.field not in kind.code:
                line.append(f" ({printable(kind.field, 60)})")
            self._console.print(line, soft_wrap=True)
            self._note(f"{printable(kind.message)}", width)
            self._note(self._rows_of(kind), width, "dim")
        if tally.untold:
            self._console.print(
                f"… and {counted(tally.untold, 'problem')} of still other kinds.", style="dim"
            )
        if kinds:
            self._console.print()
        self._sum(tally, files)

    def _note(self, text: str, width: int, style: str = "") -> None:
        self._console.print(Padding(Text(text, style), (0, 0, 0, width + 5), expand=False))

    def _rows_of(self, kind: ProblemKind) -> str:
        rows = ", ".join(f"{file}:{row}" if self._names_files else f"{row}" for file, row in kind.first_rows)
        more = kind.count - len(kind.first_rows)
        noun = "row" if len(kind.first_rows) == 1 else "rows"
        return f"{noun} {rows}{f' and {more:,} more' if more > 0 else ''}"

    def _where(self, file: str, row: int) -> str:
        return f"{file}:{row}" if self._names_files else f"row {row}"

    def _sum(self, tally: Tally, files: int) -> None:
        of_files = f" in {files:,} files" if files > 1 else ""
        rows = f"{counted(tally.rows, 'row')}{of_files}"
        if tally.rows == 0:
            self._console.print(f"{rows}: there is nothing to validate.", style="yellow")
        elif tally.rows_with_errors:
            self._console.print(
                f"{rows}: Amplitude would refuse {tally.rows_with_errors:,}{_also(tally)}.", style="bold red"
            )
        elif tally.rows_with_warnings:
            self._console.print(f"{rows}: Amplitude would take them all{_also(tally)}.", style="yellow")
        else:
            self._console.print(f"{rows}: Amplitude would take them all.", style="green")


def _also(tally: Tally) -> str:
    if not tally.rows_with_warnings:
        return ""
    verb = "have" if tally.rows_with_warnings > 1 else "has"
    return f", and {tally.rows_with_warnings:,} {verb} something to mend"
