"""How long waiting for delivery makes sense: while it makes progress, or the server has named a time."""

from __future__ import annotations

import msgspec

FLUSH_PATIENCE_SECONDS = 10.0
"""How long a flush without a timeout waits while all uploads fail: the default of the option."""
SAYS_WHY_AFTER_SECONDS = 5.0
"""Whoever still waits after this is told, in the log, what for."""


class Failing(msgspec.Struct, frozen=True):
    """Since when uploads have failed without a success between them; a value that returns its successor."""

    since: float
    """When the first of the uploads that failed was started."""
    last: float
    """When the last of them failed."""

    @classmethod
    def after(cls, before: Failing | None, *, started: float, now: float) -> Failing:
        """The state once one more upload, begun at `started`, has failed."""
        return cls(started, now) if before is None else msgspec.structs.replace(before, last=now)

    def ends_wait(self, waiting_since: float, *, patience: float, named: float) -> float | None:
        """When a wait that began at `waiting_since` ends; None while it depends on the next attempt.

        Each wait lasts until at least one attempt has failed. `named` is when the server asked to be tried
        again: that attempt is waited for while the patience lasts. It may lie in the past.
        """
        end = self.since + patience
        is_asked_to_wait = named > self.last and self.last < end
        return None if self.last < waiting_since or is_asked_to_wait else end
