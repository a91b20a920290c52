"""Dead letters go back to where events wait: to their streams' partitions, under the same insert_ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from antinode.relay.kafka.client import KafkaTrouble, RecordProducer
from antinode.relay.kafka.generations import Generation, open_generation
from antinode.relay.kafka.inspection import Inspector
from antinode.relay.kafka.letters import (
    REPLAYED,
    DeadLetter,
    LetterPartition,
    letter_partitions,
    pack_offsets,
)
from antinode.relay.kafka.partitions import partition_of
from antinode.relay.kafka.records import (
    RecordHead,
    UnreadableRecord,
    headers_of,
    in_records,
    pack,
    unpack,
)
from antinode.relay.kafka.settings import KafkaSettings

_BATCH_LETTERS: Final = 500
_BATCH_BYTES: Final = 8 * 1024 * 1024
_WRITE_SECONDS: Final = 30.0
# Events share a record if they were received within so many milliseconds: its oldest says how old it is.
_TOGETHER_MS: Final = 60_000


class ReplayedEvent(msgspec.Struct, frozen=True):
    """An event on its way back."""

    project: str
    received_ms: int
    stream: int
    body: bytes


class ReplaySummary(msgspec.Struct):
    """What became of the letters that were chosen."""

    replayed: int = 0
    """Events that are back in the topic."""
    too_old: int = 0
    """Letters that Amplitude might not know by their insert_ids any more."""
    unreadable: int = 0
    """Letters that are no records of the relay, or have nothing that `mend` could."""

    @property
    def is_complete(self) -> bool:
        """Whether all that was chosen went back."""
        return not self.too_old and not self.unreadable


Mend = Callable[[bytes, int], "tuple[bytes, int]"]
"""Makes of an event's body and stream those that are replayed. Raises ValueError if it cannot."""


def as_it_is(body: bytes, stream: int) -> tuple[bytes, int]:
    """Leave an event as it was."""
    return body, stream


def replay(
    settings: KafkaSettings,
    is_chosen: Callable[[DeadLetter], bool],
    *,
    any_age: bool = False,
    mend: Mend = as_it_is,
    write: bool = True,
    hear: Callable[[ReplayedEvent], object] = lambda _: None,
    clock: Callable[[], float] = time.time,
) -> ReplaySummary:
    """Put the chosen letters that were not replayed yet back into the topic that is written to.

    Those that were received longer ago than `max_event_age` are left out unless `any_age`: they count as
    received now. With `write=False` nothing is written; `hear` hears of each event. `clock` is that of Unix
    time. Raises `ConfigurationError` and `KafkaTrouble`; what was replayed until then is not replayed again.
    """
    inspector = Inspector(settings)
    into = open_generation(msgspec.structs.replace(settings, partitions=None), inspector)
    summary = ReplaySummary()
    now_ms = int(clock() * 1000)
    oldest_ms = now_ms - int(settings.max_event_age * 1000)
    producer = RecordProducer(settings, timeout=_WRITE_SECONDS) if write else None
    try:
        for partition in letter_partitions(settings, inspector):
            chosen = (each for each in partition.letters() if not each.is_replayed and is_chosen(each))
            for batch in _batches(chosen):
                events: list[ReplayedEvent] = []
                offsets: list[int] = []
                for letter in batch:
                    received_ms = 0 if letter.head is None else letter.head.received_ms
                    is_old = received_ms < oldest_ms
                    try:
                        found = list(_events(letter, now_ms if is_old else received_ms, mend))
                    except (UnreadableRecord, ValueError):
                        summary.unreadable += 1
                        continue
                    if is_old and not any_age:
                        summary.too_old += 1
                        continue
                    events += found
                    offsets.append(letter.offset)
                for event in events:
                    hear(event)
                if producer is not None and offsets:
                    _write(producer, into, events)
                    # If it ends in between, they are replayed again, under the same insert_ids.
                    _mark(producer, partition, offsets)
                summary.replayed += len(events)
    finally:
        if producer is not None:
            producer.close(1.0)
    return summary


def _batches(letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    batch: list[DeadLetter] = []
    size = 0
    for letter in letters:
        batch.append(letter)
        size += len(letter.value)
        if len(batch) >= _BATCH_LETTERS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _events(letter: DeadLetter, received_ms: int, mend: Mend) -> Iterator[ReplayedEvent]:
    if letter.head is None:
        raise UnreadableRecord("it is no record of the relay")
    found = unpack(letter.value)
    for stream, body in zip(found.streams, found.bodies, strict=True):
        mended, its_stream = mend(body, stream)
        yield ReplayedEvent(letter.head.project, received_ms, its_stream, mended)


def _write(producer: RecordProducer, into: Generation, events: Sequence[ReplayedEvent]) -> None:
    """Write events, and return once all copies in sync have them."""
    together: dict[tuple[str, int], list[list[ReplayedEvent]]] = {}
    for event in events:
        runs = together.setdefault((event.project, partition_of(event.stream, into.partitions)), [])
        if not runs or abs(event.received_ms - runs[-1][0].received_ms) > _TOGETHER_MS:
            runs.append([])
        runs[-1].append(event)
    records = []
    for (project, partition), runs in together.items():
        for part in (part for run in runs for part in in_records(run)):
            head = RecordHead(project, min(each.received_ms for each in part), into.partitions)
            value = pack([each.stream for each in part], [each.body for each in part])
            records.append((partition, value, headers_of(head)))
    _written(producer, into.topic, records)


def _mark(producer: RecordProducer, partition: LetterPartition, offsets: Sequence[int]) -> None:
    _written(producer, partition.topic, [(partition.partition, pack_offsets(offsets), REPLAYED)])


def _written(
    producer: RecordProducer, topic: str, records: Sequence[tuple[int, bytes, Sequence[tuple[str, bytes]]]]
) -> None:
    told: list[str | None] = []
    for partition, value, headers in records:
        producer.produce(topic, partition, value, headers, lambda why, _: told.append(why))
    producer.flush(_WRITE_SECONDS)
    failures = [why for why in told if why is not None]
    if failures or len(told) < len(records):
        raise KafkaTrouble(f"letters could not be written: {failures[0] if failures else 'no answer'}")
