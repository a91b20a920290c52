"""The dead letters of a relay on Kafka, read back: those of all its topics, and which were replayed already.

What was replayed is told by a record in the same partition of the dead-letter topic, whose header is
`antinode-replayed`: the offsets of those letters, 8 bytes each, big-endian. So it is kept for longer than
they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from antinode.relay.kafka.client import Fetched, KafkaTrouble, PartitionOffset, RecordConsumer
from antinode.relay.kafka.dead_letters import Obituary, read_obituary
from antinode.relay.kafka.generations import find_generations, no_topic
from antinode.relay.kafka.inspection import Inspector
from antinode.relay.kafka.records import Headers, RecordHead, UnreadableRecord, read_headers
from antinode.relay.kafka.settings import KafkaSettings

REPLAYED: Final[Sequence[tuple[str, bytes]]] = [("antinode-replayed", b"1")]
"""The headers of a record that tells which letters were replayed."""

_FETCH_RECORDS: Final = 500
_FETCH_SECONDS: Final = 10.0


class DeadLetter(msgspec.Struct, frozen=True):
    """A dead letter, of one event, or of a whole record that nobody could deliver."""

    offset: int
    obituary: Obituary
    head: RecordHead | None
    """None: it is no record of the relay."""
    value: bytes
    is_replayed: bool

    @property
    def project(self) -> str:
        """The fingerprint of the project's key, or "" where there is none."""
        return "" if self.head is None else self.head.project


class LetterPartition(msgspec.Struct, frozen=True):
    """A partition of a dead-letter topic, as it was when it was looked at."""

    settings: KafkaSettings
    """Those of its generation of topics."""
    partition: int
    start: int
    stop: int
    """The offset behind the last record."""

    @property
    def topic(self) -> str:
        return self.settings.dead_topic

    def letters(self) -> Iterator[DeadLetter]:
        """The letters in their order. Raises `KafkaTrouble`."""
        replayed = {
            offset
            for fetched in self._records()
            if _tells_of_replayed(fetched.headers)
            for offset in unpack_offsets(fetched.value)
        }
        for fetched in self._records():
            obituary = read_obituary(fetched.headers)
            if obituary is not None:
                yield DeadLetter(
                    fetched.offset,
                    obituary,
                    _head(fetched),
                    fetched.value or b"",
                    fetched.offset in replayed,
                )

    def _records(self) -> Iterator[Fetched]:
        if self.start >= self.stop:
            return
        reader = RecordConsumer(self.settings)
        try:
            reader.assign([PartitionOffset(self.topic, self.partition, self.start)])
            position = self.start
            while position < self.stop:
                found = reader.fetch(_FETCH_RECORDS, _FETCH_SECONDS)
                if not found:
                    raise KafkaTrouble(f"the brokers do not give partition {self.partition} of {self.topic}")
                for fetched in found:
                    position = fetched.offset + 1
                    if fetched.offset < self.stop:
                        yield fetched
        finally:
            reader.close()


def letter_partitions(settings: KafkaSettings, inspector: Inspector) -> list[LetterPartition]:
    """All partitions with dead letters, of all generations of topics.

    Raises `ConfigurationError` if there is no topic, and `KafkaTrouble`.
    """
    generations = find_generations(settings, inspector)
    if not generations:
        raise no_topic(settings.topic)
    found: list[LetterPartition] = []
    for generation in generations:
        its = generation.settings
        facts = inspector.facts(its.dead_topic)
        bounds = [] if facts is None else inspector.bounds(its.dead_topic, facts.partitions)
        found += [LetterPartition(its, each, low, high) for each, (low, high) in enumerate(bounds)]
    return found


def pack_offsets(offsets: Sequence[int]) -> bytes:
    """The value of a record that tells which letters were replayed."""
    return struct.pack(f">{len(offsets)}Q", *offsets)


def unpack_offsets(value: bytes | None) -> Sequence[int]:
    """The offsets in it; none in what is no such value."""
    count, rest = divmod(len(value or b""), 8)
    return () if rest else struct.unpack(f">{count}Q", value or b"")


def _tells_of_replayed(headers: Headers | None) -> bool:
    return any(name == REPLAYED[0][0] for name, _ in headers or ())


def _head(fetched: Fetched) -> RecordHead | None:
    try:
        return read_headers(fetched.headers)
    except UnreadableRecord:
        return None
