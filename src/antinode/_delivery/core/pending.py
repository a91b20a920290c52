"""All records that have not settled: in the backlog, in batches that were begun, and in requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from antinode._delivery.core.backlog import Backlog
from antinode._delivery.core.batch import Batch
from antinode._delivery.record import NOT_STORED, Record


class Pending:
    """The batches that were begun, and the backlog behind them."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self.batches: dict[int, Batch] = {}
        """By their numbers, the one begun first in front."""

    def records(self) -> list[Record]:
        """Every record, each stream in order."""
        return [*(record for batch in self.batches.values() for record in batch.records()), *self._backlog]

    def clear(self) -> None:
        self.batches.clear()
        self._backlog.clear()

    # Records that wait for a request.

    @property
    def has_chunks(self) -> bool:
        """Whether a batch that was begun can go on."""
        return any(batch.flying is None and batch.chunks for batch in self.batches.values())

    def heads(self) -> list[Record]:
        """Some of the records that are not in a request, among them the oldest."""
        chunks = [record for batch in self.batches.values() for chunk in batch.chunks for record in chunk]
        return [*chunks, *self._backlog.heads()]

    def oldest(self) -> tuple[Record | None, Callable[[], object]]:
        """The record to drop first, and what takes it out; None if all records are in requests.

        Stream queues come first, then the front of the main queue, at last what a batch has yet to send.
        """
        oldest = self._backlog.oldest
        if oldest is not None:
            return oldest, self._backlog.pop_oldest
        for batch in self.batches.values():
            if batch.chunks:
                return batch.oldest, batch.pop_oldest
        return None, tuple

    def take_stored(self, at_most: int) -> list[Record]:
        """Take out the first records that a store has and no request, in the order of `oldest`.

        To be called under the guard.
        """
        taken = self._backlog.take_stored(at_most)
        for batch in self.batches.values():
            chunks = (record for chunk in batch.chunks for record in chunk if record.place != NOT_STORED)
            found = set(map(id, islice(chunks, at_most - len(taken))))
            if found:
                taken += batch.remove(lambda record, found=found: id(record) in found)  # type: ignore[misc]
        return taken

    def remove(self, is_gone: Callable[[Record], bool]) -> list[Record]:
        """Take out the records for which `is_gone` holds, at the front of each queue and in batches."""
        gone: list[Record] = []
        for batch in self.batches.values():
            gone += batch.remove(is_gone)
        return gone + self._backlog.pop_while(is_gone)

    def done(self) -> list[int]:
        """The numbers of batches that lost their last records to age or to the queue's bound."""
        return [number for number, batch in self.batches.items() if batch.is_done]

    # What can be counted.

    @property
    def waiting(self) -> int:
        """How many records wait in batches and stream queues."""
        chunks = sum(len(chunk) for batch in self.batches.values() for chunk in batch.chunks)
        return chunks + self._backlog.stream_queues.count

    def flying(self) -> Iterator[Record]:
        """The records in requests."""
        for batch in self.batches.values():
            yield from batch.flying or ()
