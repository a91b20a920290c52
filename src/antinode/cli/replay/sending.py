"""Sending the events again through the ordinary client, and keeping what it does not deliver."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import msgspec

from antinode import Client, Delivery, Outcome, Status
from antinode._delivery.outcome import DROPPED
from antinode._delivery.record import Record
from antinode.cli.params.destination import Destination, usage_errors
from antinode.cli.replay.failed import FailedFile
from antinode.cli.replay.mending import Item
from antinode.cli.ui.interrupts import Interrupts
from antinode.cli.ui.progress import Bar
from antinode.cli.ui.sending import flush_watched, init_options, is_faulted, paused

if TYPE_CHECKING:
    from antinode import EventDict

_IN_HAND: Final = 20_000
"""Events that are read from the files and not settled."""
_TICK_SECONDS: Final = 0.1
_LOOK_EVERY: Final = 500
_PATIENCE_SECONDS: Final = 60.0

_NOT_SENT: Final = Outcome(
    DROPPED, Status.FAILED, "not_sent", message="the replay ended before this event was sent"
)


class Sending:
    """What has become of the events. Callbacks run on the client's threads; `_counting` guards the counts."""

    def __init__(
        self,
        failed: FailedFile,
        bar: Bar,
        total: int,
        timeout: float | None,
        *,
        skipped: Callable[[], int],
        interrupts: Interrupts,
    ) -> None:
        """`skipped` tells how many of the total have turned out not to be for sending."""
        self.delivered = 0
        self.failed: Counter[tuple[str, str]] = Counter()
        """By kind and reason."""
        self.examples: dict[tuple[str, str], str] = {}
        """For each of these, what was said about the first one."""
        self._file = failed
        self._trouble: OSError | None = None
        self._bar = bar
        self._total = total
        self._timeout = timeout
        self._skipped = skipped
        self._interrupts = interrupts
        self._logged = self._settled = 0
        self._counting = threading.Lock()

    def run(self, items: Iterator[Item], destination: Destination) -> None:
        """Send them all. Whatever ends it, each event that was not delivered is in the file then.

        Raises OSError when that cannot be written.
        """
        client = Client("replay")
        with usage_errors():
            client.init(destination.key(), **init_options(destination))
        while self._goes_on(client):
            item = next(items, None)
            if item is None:
                left = None if self._timeout is None else max(0.0, self._timeout - self._bar.seconds)
                flush_watched(client, left, partial(self._look, client))
                break
            self._logged += 1
            client.log_event(cast("EventDict", item.event)).add_done_callback(partial(self._ended, item))
        client.shutdown(0)
        end = time.monotonic() + _PATIENCE_SECONDS
        while self._settled < self._logged and time.monotonic() < end:
            time.sleep(_TICK_SECONDS / 10)  # thousands of callbacks may still be under way
        for item in items:
            self._count(item.event, _NOT_SENT)
        if self._trouble is not None:
            raise self._trouble

    def _goes_on(self, client: Client) -> bool:
        """Wait for room, and say whether one more event is to be sent."""
        while self._logged - self._settled >= _IN_HAND:
            if not self._look(client):
                return False
            time.sleep(_TICK_SECONDS)
        return self._logged % _LOOK_EVERY != 0 or self._look(client)

    def _look(self, client: Client) -> bool:
        """Show the progress. False if the time is over, the key is wrong, or Ctrl-C was pressed."""
        done = self._settled + self._skipped()
        told = f"{done:,} of {self._total:,}{self._bar.rate(done)}"
        self._bar.show(done, self._total, told, paused=paused(client))
        is_late = self._timeout is not None and self._bar.seconds >= self._timeout
        return not (is_late or self._interrupts.is_set or self._trouble is not None or is_faulted(client))

    def _ended(self, item: Item, delivery: Delivery) -> None:
        outcome = delivery.outcome
        assert outcome is not None  # noqa: S101 - it has ended
        if outcome.ok:
            with self._counting:
                self.delivered += 1
                self._settled += 1
        else:
            was_sent = outcome.reason != "shutdown"
            body = delivery.body if isinstance(delivery, Record) else b""
            self._count(item.event, outcome if was_sent else _NOT_SENT, body)

    def _count(self, event: object, outcome: Outcome, body: bytes = b"") -> None:
        key = outcome.kind, outcome.reason
        with self._counting:
            self._settled += 1
            self.failed[key] += 1
            self.examples.setdefault(key, outcome.message)
            try:
                self._file.add(outcome, body or msgspec.json.encode(event))
            except OSError as error:
                self._trouble = error
