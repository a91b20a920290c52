"""The time that the local Amplitude goes by: the real one, a fixed one for tests, or the real one moved."""

from __future__ import annotations

import time


class Clock:
    """Milliseconds since 1970. `fix` stops it, `advance` moves it, `run` lets it go by real time again."""

    def __init__(self) -> None:
        self._fixed_ms: int | None = None
        self._ahead_ms = 0

    @property
    def is_fixed(self) -> bool:
        return self._fixed_ms is not None

    @property
    def ahead_ms(self) -> int:
        """How far a running clock is ahead of the real one."""
        return self._ahead_ms

    def now_ms(self) -> int:
        """The time, in milliseconds since 1970."""
        if self._fixed_ms is not None:
            return self._fixed_ms
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def fix(self, at_ms: int) -> None:
        """Stop the clock at `at_ms`."""
        self._fixed_ms = at_ms

    def advance(self, by_ms: int) -> None:
        """Move the clock by `by_ms`: a fixed clock stays fixed, a running one runs on."""
        if self._fixed_ms is None:
            self._ahead_ms += by_ms
        else:
            self._fixed_ms += by_ms

    def run(self) -> None:
        """Let the clock go by real time again."""
        self._fixed_ms = None
        self._ahead_ms = 0
