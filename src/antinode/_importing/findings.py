"""Problems of rows, grouped by kind."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

# Kinds of problems that are told apart; a file that has more has one problem of its own.
_MAX_KINDS: Final = 500
_MAX_ROWS: Final = 5
# The parts of a message that differ from row to row though the problem is the same: quoted texts and numbers.
_OWN: Final = re.compile(r"'(?:[^'\\]|\\.)*'…?|\"(?:[^\"\\]|\\.)*\"|-?\d[\d,.]*")

_OTHERS: Final = "other problems, too many kinds to tell apart"


@dataclass
class RowFinding:
    """One kind of problem."""

    message: str
    """About the first row that has it."""
    count: int = 0
    rows: list[tuple[str, int]] = field(default_factory=list)
    """The first few, by source and number."""


class Findings:
    """Counts problems by kind, in bounded memory."""

    def __init__(self) -> None:
        self._kinds: dict[str, RowFinding] = {}
        self.count = 0

    def add(self, message: str, source: str, number: int) -> None:
        self.count += 1
        kind = _OWN.sub("…", message)
        finding = self._kinds.get(kind)
        if finding is None:
            if len(self._kinds) >= _MAX_KINDS:
                finding = self._kinds.setdefault(_OTHERS, RowFinding(_OTHERS))
            else:
                finding = self._kinds[kind] = RowFinding(message)
        finding.count += 1
        if len(finding.rows) < _MAX_ROWS:
            finding.rows.append((source, number))

    def most_frequent(self) -> list[RowFinding]:
        return sorted(self._kinds.values(), key=lambda each: -each.count)
