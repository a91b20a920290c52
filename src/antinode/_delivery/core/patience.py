"""How long waiting for delivery makes sense: while it makes progress, or the server has named a time."""

from __future__ import annotations

import msgspec

FLUSH_PATIENCE = 10.0
"""Seconds for which a flush without a timeout waits while all uploads fail: the default of the option."""
SAYS_WHY_AFTER = 5.0
"""Seconds after which somebody who still waits is told what for."""


class Failing(msgspec.Struct, frozen=True):
    """Since when uploads have failed without a success between them; a value that returns its successor."""

    since: float
    """When the first of the uploads that failed was started."""
    last: float
    """When the last of them failed."""

    @classmethod
    def after(cls, before: Failing | None, *, started: float, now: float) -> Failing:
        """One more upload, begun at `started`, has failed."""
        return cls(started, now) if before is None else msgspec.structs.replace(before, last=now)

    def ends_wait(self, waiting_since: float, *, patience: float, named: float) -> float | None:
        """When somebody who waits since `waiting_since` stops; None while the next attempt is to decide.

        Each of them sees at least one attempt fail. `named` is when the server asked to be tried again, or in
        the past: while the patience lasts, that attempt is waited for.
        """
        end = self.since + patience
        is_asked_to_wait = named > self.last and self.last < end
        return None if self.last < waiting_since or is_asked_to_wait else end
