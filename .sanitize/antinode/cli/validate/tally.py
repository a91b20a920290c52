"""What was found in all files, counted by problem."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from antinode.cli.validate.judging import Judged
    from antinode.server.models import Problem, Severity

_FIRST_ROWS: Final = 5
_MAX_PROBLEMS: Final = 1_000
"""Kinds that are told apart: keys can be misspelt in any number of ways."""


@dataclass
class ProblemKind:
    """One kind of problem: its count, and where it was met first."""

    code: str
    field: str
    severity: Severity
    message: str
    """Of the first row."""
    count: int = 0
    first_rows: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    """File and row, of the first few."""


@dataclass
class Tally:
    """Counts; its memory does not grow with the files."""

    rows: int = 0
    rows_with_errors: int = 0
    rows_with_warnings: int = 0
    """Those without an error."""
    kinds: dict[tuple[str, str], ProblemKind] = dataclasses.field(default_factory=dict)
    untold: int = 0
    """Problems of more kinds than are told apart."""

    def add(self, file: str, judged: Judged) -> None:
        self.rows += 1
        if not judged.problems:
            return
        if any(problem.severity == "error" for problem in judged.problems):
            self.rows_with_errors += 1
        else:
            self.rows_with_warnings += 1
        for problem in judged.problems:
            self._count(file, judged.number, problem)

    def _count(self, file: str, row: int, problem: Problem) -> None:
        kind = self.kinds.get((problem.code, problem.field))
        if kind is None:
            if len(self.kinds) >= _MAX_PROBLEMS:
                self.untold += 1
                return
            kind = ProblemKind(problem.code, problem.field, problem.severity, problem.message)
            self.kinds[problem.code, problem.field] = kind
        kind.count += 1
        if len(kind.first_rows) < _FIRST_ROWS:
            kind.first_rows.append((file, row))

    def by_weight(self) -> list[ProblemKind]:
        """Errors before warnings, and the frequent before the rare."""
        return sorted(self.kinds.values(), key=lambda kind: (kind.severity != "error", -kind.count))
