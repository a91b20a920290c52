"""What an import tells: while it runs, and at its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from antinode._importing.findings import Findings
from antinode._importing.sources import Source


@dataclass(frozen=True)
class ImportProgress:
    """Where an import is. Counts include those of the runs before that it goes on from."""

    delivered: int
    rejected: int
    pending: int
    """Read, and on their way."""
    bytes_read: int
    bytes_total: int
    """0 if that is not known."""
    stalled: str | None
    """Why nothing is sent at present."""


class Observer(Protocol):
    """Somebody who watches an import."""

    def progressed(self, progress: ImportProgress) -> None:
        """Called several times a second."""

    def said(self, text: str) -> None:
        """Called with something worth a line: an outage, its end, a limit that the server saw exceeded."""


@dataclass(frozen=True)
class ImportReport:
    """What became of an import's rows."""

    delivered: int
    rejected: int
    delivered_before: int = 0
    """Those of the delivered, and below of the rejected, that earlier runs had settled."""
    rejected_before: int = 0
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    is_finished: bool = True
    """Whether every row that can be read is settled."""
    unread: tuple[str, ...] = ()
    """What could not be read: files that are damaged from some row on, and how."""
    was_finished: bool = False
    """Whether that was so before: nothing was done."""
    rejects: Path | None = None
    """The file of rejected rows, if there are any."""
    checkpoint: Path | None = None
    findings: Findings = field(default_factory=Findings)
    """Why rows of this run were rejected."""
    notes: Findings = field(default_factory=Findings)
    """What was mended in rows of this run, or will be ignored."""
    left_out: int = 0
    """Rows that were not meant to be events."""
    remarks: tuple[str, ...] = ()
    """What is worth knowing of the import as a whole."""


@dataclass(frozen=True)
class Survey:
    """What a look at all rows finds, with nothing sent."""

    rows: int
    good: int
    samples: list[tuple[Source, int, dict[str, Any]]]
    """The first events, with where they come from."""
    findings: Findings
    notes: Findings
    seconds: float
    is_whole: bool = True
    """Whether the look reached the end."""
    unread: tuple[str, ...] = ()
    """This and what follows are as in `ImportReport`."""
    left_out: int = 0
    remarks: tuple[str, ...] = ()


def unmet(labels: Iterable[str]) -> list[str]:
    """A remark on each column or pattern that was named and met nothing."""
    return [f"{label} took nothing: no row has such a column, or an object in it" for label in sorted(labels)]
