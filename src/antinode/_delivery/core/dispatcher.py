"""What goes out: which records the next upload takes, and of which batch each upload under way is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antinode._delivery.core.batch import Batch, Upload
from antinode._delivery.core.link import Cause, LinkState
from antinode._delivery.core.loops import streams_of

if TYPE_CHECKING:
    from antinode._delivery.core.backlog import Backlog
    from antinode._delivery.core.config import CoreConfig
    from antinode._delivery.core.isolation import Isolation
    from antinode._delivery.core.pending import Pending
    from antinode._delivery.core.response_handler import ResponseHandler
    from antinode._delivery.core.schedule import UploadSchedule
    from antinode._delivery.ledger import Ledger


class Dispatcher:
    """Makes uploads of what is pending; while a batch of a stream is under way, no other takes of it."""

    def __init__(
        self,
        config: CoreConfig,
        backlog: Backlog,
        pending: Pending,
        ledger: Ledger,
        schedule: UploadSchedule,
        response_handler: ResponseHandler,
        isolation: Isolation,
    ) -> None:
        self._config = config
        self._backlog = backlog
        self._pending = pending
        self._ledger = ledger
        self._schedule = schedule
        self._response_handler = response_handler
        self._isolation = isolation
        self._uploads: dict[int, int] = {}
        """The number of the batch of each upload under way, by the upload's number."""
        self._last_number = 0

    def next_upload(self, now: float) -> Upload | None:
        """The upload to start now, if there is one."""
        if not self._schedule.may_start(now):
            return None
        if self._response_handler.link.cause is Cause.REFUSAL:
            # The refused events may all be bad ones of one origin: any other event is the better probe.
            return self._begin(now) or self._resume(now)
        return self._resume(now) or self._begin(now)

    def awaits(self, number: int) -> bool:
        """Whether the upload of this number is under way."""
        return number in self._uploads

    def landed(self, number: int) -> tuple[int, Batch | None]:
        """The batch of an upload that is over, by number; None where it is not under way any more."""
        batch_number = self._uploads.pop(number, 0)
        return batch_number, self._pending.batches.get(batch_number)

    def end(self, number: int, now: float) -> None:
        """End a batch that has nothing left: its streams are free, and later records of theirs may go."""
        streams = self._pending.batches.pop(number).streams
        if streams is not None:
            self._backlog.vacate(streams, now)

    def clear(self) -> None:
        """Forget the uploads under way."""
        self._uploads.clear()

    def _resume(self, now: float) -> Upload | None:
        """The next upload of a batch that has been begun."""
        for number, batch in self._pending.batches.items():
            if batch.flying is None and batch.chunks:
                return self._start(number, batch, now)
        return None

    def _begin(self, now: float) -> Upload | None:
        """The first upload of a new batch, if there are records worth one."""
        config = self._config
        handler = self._response_handler
        if not self._schedule.is_worth_one(now):
            return None
        batches = self._pending.batches
        for batch in batches.values():
            self._occupy(batch)
        self._isolation.looks_at = None
        events = min(config.max_batch_events, handler.link.allowance)
        records = self._backlog.take(now, events=events, size=handler.max_bytes)
        if not records:
            return None
        is_backlog = self._backlog.available >= config.max_batch_events
        batch = Batch(records, (config.backlog_endpoint if is_backlog else None) or config.endpoint)
        number = self._number()
        batches[number] = batch
        if self._backlog.stream_queues or len(batches) > 1:
            self._isolation.looks_at = batch
            self._hold(batch, self._backlog.streams_taken(records))
        self._isolation.looks_at = None
        return self._start(number, batch, now)

    def _start(self, number: int, batch: Batch, now: float) -> Upload:
        handler = self._response_handler
        link = handler.link
        self._isolation.looks_at = batch
        batch.flying = batch.cut_front(min(link.allowance, batch.limit), handler.max_bytes)
        self._isolation.looks_at = None
        upload = Upload(self._number(), batch.flying, batch.endpoint)
        self._uploads[upload.number] = number
        self._schedule.started(upload.number, now, len(upload.records))
        if link.state is LinkState.WAITING:
            handler.link = link.due()
        self._ledger.requests += 1
        if batch.rounds or batch.flying[0].attempts:
            self._ledger.retries += 1
        return upload

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _occupy(self, batch: Batch) -> None:
        if batch.streams is None:
            self._isolation.looks_at = batch
            self._hold(batch, set().union(*map(streams_of, batch.parts())))

    def _hold(self, batch: Batch, streams: set[int]) -> None:
        batch.streams = streams
        self._backlog.occupy(streams)
