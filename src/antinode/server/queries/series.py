"""Counts by the second for the last ten minutes, and by the minute for the last day. In memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from antinode.server.models import Series

Counts = tuple[int, int, int, int, int]
"""Accepted, duplicates, rejected and returned, uploads, failed uploads."""

SECONDS_KEPT: Final = 600
MINUTES_KEPT: Final = 24 * 60


class _Steps:
    """Counts per step of so many milliseconds; the newest `kept` steps."""

    def __init__(self, step_ms: int, kept: int) -> None:
        self.step_ms = step_ms
        self.kept = kept
        self._counts: dict[int, list[int]] = {}

    def add(self, at_ms: int, counts: Counts) -> None:
        step = at_ms // self.step_ms
        if step not in self._counts:
            self._counts[step] = [0] * len(counts)
            if len(self._counts) > 2 * self.kept:
                newest = sorted(self._counts)[-self.kept :]
                self._counts = {each: self._counts[each] for each in newest}
        self._counts[step] = [had + more for had, more in zip(self._counts[step], counts, strict=True)]

    def series(self, now_ms: int, steps: int) -> Series:
        last = now_ms // self.step_ms
        first = last - steps + 1
        nothing = [0] * 5
        accepted, duplicates, rejected, uploads, failed = zip(
            *(self._counts.get(step, nothing) for step in range(first, last + 1)), strict=True
        )
        return Series(
            step_s=self.step_ms // 1000,
            start=first * self.step_ms,
            accepted=list(accepted),
            duplicates=list(duplicates),
            rejected=list(rejected),
            uploads=list(uploads),
            failed_uploads=list(failed),
        )


class Recent:
    """What came of late."""

    def __init__(self) -> None:
        self._seconds = _Steps(1000, SECONDS_KEPT)
        self._minutes = _Steps(60_000, MINUTES_KEPT)

    def add(self, at_ms: int, counts: Counts) -> None:
        """Count one upload."""
        self._seconds.add(at_ms, counts)
        self._minutes.add(at_ms, counts)

    def restore(self, kept: Callable[[int, int], Iterable[tuple[int, Counts]]], now_ms: int) -> None:
        """Count the uploads that are kept once more: `kept(step_ms, since_ms)` gives sums by step."""
        for steps in (self._seconds, self._minutes):
            for at_ms, counts in kept(steps.step_ms, now_ms - steps.kept * steps.step_ms):
                steps.add(at_ms, counts)

    def series(self, now_ms: int, span_s: int) -> Series:
        """The last `span_s` seconds, cut to what there is: by the second up to 600, else by the minute."""
        if span_s <= SECONDS_KEPT:
            return self._seconds.series(now_ms, max(span_s, 1))
        return self._minutes.series(now_ms, min(-(-span_s // 60), MINUTES_KEPT))
