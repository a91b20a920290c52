"""Which rows are settled: everything before a position, and of what lies behind it, some. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec


class Span(msgspec.Struct, gc=False, eq=False):
    """Consecutive rows of one source that were taken together."""

    source: int
    first: int
    done: bytearray
    """By position: 1 if the row is settled."""
    left: int
    """How many are not."""
    has_cells: bool = False
    """Whether the values of the rows are text that stands for other values."""

    def settle(self, position: int) -> None:
        """The row is delivered or rejected, for good. Each row settles once."""
        self.done[position] = 1
        self.left -= 1


@dataclass(frozen=True)
class Position:
    """How far an import is: all rows of the sources before `source` are settled, and its rows up to `row`."""

    source: int = 0
    row: int = 0
    beyond: tuple[tuple[int, int, int], ...] = ()
    """Settled rows behind it: source, first row, last row."""


class Tracker:
    """Spans in the order in which they were taken; settled ones at the front are forgotten."""

    def __init__(self, begun: Position) -> None:
        """`begun` is where an earlier run got to: what it has settled is settled from the start."""
        self.ahead = 0
        """Rows from the first one that is not settled to the last one taken."""
        self._begun = begun
        self._source, self._row = begun.source, begun.row
        self._spans: deque[Span] = deque()

    def is_over(self, source: int, last: int) -> bool:
        """Whether a source's rows up to `last` were all settled before this run."""
        begun = self._begun
        return source < begun.source or (source == begun.source and last <= begun.row)

    def open(self, source: int, first: int, count: int, *, has_cells: bool = False) -> Span:
        """Take rows; those settled before this run are done already."""
        done = bytearray(count)
        begun = self._begun
        known: Iterable[tuple[int, int, int]] = begun.beyond
        if source < begun.source:
            known = ((source, first, first + count - 1),)
        elif source == begun.source:
            known = ((source, 0, begun.row), *begun.beyond)
        for of, start, end in known:
            if of == source:
                low, high = max(start, first) - first, min(end, first + count - 1) - first
                if low <= high:
                    done[low : high + 1] = b"\1" * (high - low + 1)
        span = Span(source, first, done, count - sum(done), has_cells)
        self._spans.append(span)
        self.ahead += count
        return span

    def advance(self) -> None:
        """Forget what is settled in front."""
        spans = self._spans
        while spans and not spans[0].left:
            span = spans.popleft()
            self._source, self._row = span.source, span.first + len(span.done) - 1
            self.ahead -= len(span.done)

    def reached(self) -> Position:
        """The position by now."""
        self.advance()
        spans = self._spans
        if not spans:
            beyond = _behind(self._begun.beyond, self._source, self._row)
            return Position(self._source, self._row, beyond)
        first = spans[0]
        source, row = first.source, first.first - 1
        if source == self._source:
            row = max(row, self._row)
        settled = [run for span in spans for run in _runs(span)]
        last = spans[-1]
        end = last.first + len(last.done) - 1
        return Position(source, row, (*settled, *_behind(self._begun.beyond, last.source, end)))


def _runs(span: Span) -> list[tuple[int, int, int]]:
    """The settled rows of a span, in as few runs as possible."""
    found: list[tuple[int, int, int]] = []
    done, end = span.done, 0
    while (start := done.find(1, end)) >= 0:
        end = done.find(0, start)
        if end < 0:
            end = len(done)
        found.append((span.source, span.first + start, span.first + end - 1))
    return found


def _behind(runs: Iterable[tuple[int, int, int]], source: int, row: int) -> tuple[tuple[int, int, int], ...]:
    """The runs, or parts of them, that lie behind a row: those that this run has not come to yet."""
    return tuple(
        (of, max(start, row + 1) if of == source else start, end)
        for of, start, end in runs
        if (of, end) > (source, row)
    )
