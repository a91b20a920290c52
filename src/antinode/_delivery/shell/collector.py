"""Settled records on their way to whoever hears of them: dead letters, the store, the application."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from antinode._delivery.outcome import DROPPED, REJECTED
from antinode._delivery.record import Record
from antinode._delivery.shell.log_limiter import write

if TYPE_CHECKING:
    from antinode._delivery.core.core import Core
    from antinode._delivery.shell.locks import Locks
    from antinode._delivery.shell.notifier import Notifier


class Collector:
    """Collects settled records, and hands over those that failed before anybody is told of them."""

    def __init__(
        self,
        core: Core,
        locks: Locks,
        notifier: Notifier,
        on_failures: Callable[[Sequence[Record]], object] | None,
    ) -> None:
        self._core = core
        self._locks = locks
        self._notifier = notifier
        self._on_failures = on_failures
        self._failed: deque[Record] = deque()

    @property
    def has_failed(self) -> bool:
        """Whether there are records to hand over."""
        return bool(self._failed)

    @property
    def hears_of_all(self) -> bool:
        """Whether somebody hears of each record that fails, not only of those with callbacks."""
        return self._notifier.wants_all or self._on_failures is not None

    def collect(self) -> None:
        """Take from the core what there is to tell. Under `deciding`."""
        core = self._core
        settled = core.settlement.take_settled()
        if self._on_failures is not None:
            self._failed.extend(
                record for record in settled if record.outcome and record.outcome.kind in (REJECTED, DROPPED)
            )
        self._notifier.add(settled, core.take_notes(), core.take_retried())

    def bury(self) -> None:
        """Hand over the failed records before the store hears of their end: a crash in between loses none."""
        if self._on_failures is None or not self._failed:
            return
        failed: list[Record] = []
        with suppress(IndexError):  # at the end another thread may do the same
            while True:
                failed.append(self._failed.popleft())
        try:
            self._on_failures(failed)
        except Exception:
            write(logging.ERROR, "keeping dead letters failed", exc_info=True)

    def take_ends(self) -> list[tuple[str, Sequence[int]]]:
        """What the store may forget, once the records that failed are handed over."""
        with self._locks.deciding:
            ended = self._core.settlement.take_ended()
            self.collect()
        self.bury()
        return ended
