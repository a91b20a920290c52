"""What is known after an accident: the processes' own ledgers, read back, and the server's."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class ProcessLedger:
    """What one process of a driver wrote; see `drivers.scribe` for the lines."""

    begun: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    leaving_at: int | None = None
    children: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Process id -> how it ended, and when."""
    fates: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Event -> kind and reason, for those that were not delivered."""
    seen: Counter[str] = field(default_factory=Counter)
    stats: dict[str, Any] | None = None
    own: int = 0
    """Nanoseconds that the driver's own bookkeeping took at the very end."""


@dataclass(frozen=True)
class Evidence:
    """Everything that the judgement rests on. Times in nanoseconds on the system's monotonic clock."""

    processes: dict[int, ProcessLedger]
    main: int
    """The process id of the driver itself."""
    ended: int | None
    """How it ended; None: it did not, and was killed in the end."""
    ended_at: int
    killed_at: int | None
    stored: list[dict[str, Any]]
    """Events the server accepted, without repeated arrivals, in the order of acceptance."""
    received: int
    """The same with repeated arrivals, counted."""
    by_status: dict[int, int]
    said: str
    """What the driver wrote to standard error: the log."""


def read_ledgers(directory: Path) -> dict[int, ProcessLedger]:
    """The ledgers of a driver and its children, by process id."""
    return {int(path.stem): _read(path) for path in directory.glob("*.ledger")}


def _read(path: Path) -> ProcessLedger:
    ledger = ProcessLedger()
    for line in path.read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word == "log":
            ledger.begun.append(rest)
        elif word == "ok":
            ledger.logged.append(rest)
        elif word == "fate":
            name, kind, reason = rest.split(" ")
            ledger.fates[name] = kind, reason
        elif word == "seen":
            kind, count = rest.split(" ")
            ledger.seen[kind] = int(count)
        elif word == "stats":
            ledger.stats = json.loads(rest)
        elif word == "own":
            ledger.own = int(rest)
        elif word == "exit":
            ledger.leaving_at = int(rest)
        elif word == "child":
            pid, status, at = map(int, rest.split(" "))
            ledger.children[pid] = status, at
        elif word == "note":
            name, _, value = rest.partition(" ")
            ledger.notes.append((name, value))
    return ledger
