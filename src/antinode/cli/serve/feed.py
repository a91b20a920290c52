"""From the server's thread to the terminal: uploads are taken at once, and shown as fast as can be read."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from antinode.server.models import EventView, Totals, UploadView

_LAST_WORDS_SECONDS: Final = 2.0
"""How long the end waits for a terminal that takes nothing, such as one stopped with Ctrl-S."""


@dataclass
class Omitted:
    """Uploads that are only counted."""

    uploads: int = 0
    events: int = 0
    statuses: Counter[int] = field(default_factory=Counter)

    def add(self, upload: UploadView) -> None:
        self.uploads += 1
        self.events += upload.events
        self.statuses[upload.status] += 1


@dataclass
class FeedBatch:
    """What came since the last batch: some uploads to show, oldest first, and the count of the rest."""

    shown: list[tuple[UploadView, Sequence[EventView]]] = field(default_factory=list)
    omitted: Omitted = field(default_factory=Omitted)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How much is shown how often."""

    uploads: int
    """Uploads of one batch that are shown."""
    failed_uploads: int
    """How many failed ones may follow once there are that many."""
    interval_s: float
    """From one batch to the next, though the first after a silence is shown at once."""
    longest_interval_s: float
    """What the interval grows to, doubling, while uploads have to be left out."""


FOR_PEOPLE: Final = Pace(uploads=8, failed_uploads=4, interval_s=0.1, longest_interval_s=1.0)
FOR_MACHINES: Final = Pace(uploads=20_000, failed_uploads=0, interval_s=0.02, longest_interval_s=0.02)


@dataclass
class Sums:
    """Everything that came while the feed was up."""

    uploads: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    returned: int = 0


class Feed:
    """Takes uploads on the server's thread and has them written on its own, at its pace.

    `put` costs microseconds and never blocks or raises; memory is bounded by the pace. When `write` raises
    OSError because nobody reads the output any more, the feed falls silent and the server goes on.
    """

    def __init__(self, write: Callable[[FeedBatch], None], pace: Pace) -> None:
        self.sums = Sums()
        self._write = write
        self._pace = pace
        # Guarded by _changed: _batch, _is_closing. Nothing is written while it is held.
        self._changed = threading.Condition()
        self._batch: FeedBatch | None = None
        self._is_closing = False
        self._is_broken = False
        self._thread = threading.Thread(target=self._run, name="antinode-feed", daemon=True)

    @property
    def is_broken(self) -> bool:
        """Whether the output can be written no more."""
        return self._is_broken

    def start(self) -> None:
        self._thread.start()

    def put(self, upload: UploadView, events: Callable[[], Sequence[EventView]], _: Totals) -> None:
        """Takes one upload; `events` is only called if the upload will be shown."""
        sums = self.sums
        sums.uploads += 1
        sums.accepted += upload.accepted
        sums.duplicates += upload.duplicates
        sums.rejected += upload.rejected
        sums.returned += upload.returned
        if self._is_broken:
            return
        with self._changed:
            batch = self._batch
            if batch is None:
                batch = self._batch = FeedBatch()
                self._changed.notify()
            room = self._pace.uploads + (self._pace.failed_uploads if upload.status != 200 else 0)
            if len(batch.shown) < room:
                batch.shown.append((upload, events()))
            else:
                batch.omitted.add(upload)

    def close(self) -> None:
        """Shows what is still to be shown, and ends. A feed that never began just stays silent."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(_LAST_WORDS_SECONDS)

    def _run(self) -> None:
        interval = self._pace.interval_s
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._batch is not None or self._is_closing)
                batch, self._batch = self._batch, None
            if batch is None:
                return
            try:
                self._write(batch)
            except OSError:
                self._is_broken = True
                return
            if batch.omitted.uploads:
                interval = min(interval * 2, self._pace.longest_interval_s)
            else:
                interval = self._pace.interval_s
            with self._changed:
                self._changed.wait_for(lambda: self._is_closing, interval)
