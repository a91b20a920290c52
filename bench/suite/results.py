"""What was measured: every round of every figure, medians, and ratios within one run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple


class Key(NamedTuple):
    """Names one figure of one peer."""

    measure: str
    case: str
    peer: str
    figure: str


class Results:
    """Collects the rounds of each figure in their order, so that ratios pair what ran side by side."""

    def __init__(self) -> None:
        self._rounds: dict[Key, list[float]] = {}
        self.left_out: list[str] = []
        """Why a peer is missing somewhere, one line each."""

    def add(self, measure: str, case: str, peer: str, figures: dict[str, float]) -> None:
        for figure, value in figures.items():
            self._rounds.setdefault(Key(measure, case, peer, figure), []).append(value)

    def rounds(self, key: Key) -> list[float]:
        return list(self._rounds.get(key, []))

    def median(self, measure: str, case: str, peer: str, figure: str) -> float | None:
        """None where it was not measured."""
        rounds = self._rounds.get(Key(measure, case, peer, figure))
        return statistics.median(rounds) if rounds else None

    def ratio(self, measure: str, case: str, figure: str, peer: str, to: str) -> float | None:
        """The median over the rounds of `peer`'s figure to `to`'s; None where either is missing."""
        ours = self._rounds.get(Key(measure, case, peer, figure), [])
        theirs = self._rounds.get(Key(measure, case, to, figure), [])
        pairs = [a / b for a, b in zip(ours, theirs, strict=False) if b]
        return statistics.median(pairs) if pairs else None

    def peers(self, measure: str, case: str) -> list[str]:
        """Those that were measured, in the order in which they first were."""
        return list(dict.fromkeys(key.peer for key in self._rounds if key[:2] == (measure, case)))

    def cases(self, measure: str) -> list[str]:
        return list(dict.fromkeys(key.case for key in self._rounds if key.measure == measure))

    def __iter__(self) -> Iterator[tuple[Key, list[float]]]:
        return iter(self._rounds.items())

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {**key._asdict(), "median": statistics.median(rounds), "rounds": rounds}
            for key, rounds in self._rounds.items()
        ]

    @classmethod
    def from_json(cls, rows: list[dict[str, Any]]) -> Results:
        made = cls()
        for row in rows:
            key = Key(row["measure"], row["case"], row["peer"], row["figure"])
            made._rounds[key] = list(row["rounds"])
        return made
