"""All that a worker holds: its partitions, and what was fetched from them for each project."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count, repeat
from typing import Final

from antinode._delivery.outcome import DELIVERED, Outcome
from antinode._delivery.record import Record
from antinode.relay.kafka.client import Fetched, PartitionOffset
from antinode.relay.kafka.dead_letters import UNKNOWN_PROJECT, UNREADABLE, Obituary, obituary_headers
from antinode.relay.kafka.lanes import Key, ParkedLanes
from antinode.relay.kafka.progress import Progress
from antinode.relay.kafka.records import (
    RecordHead,
    UnreadableRecord,
    headers_of,
    in_records,
    is_probe,
    pack,
    read_headers,
    unpack,
)
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.tenure import Tenure, runs_of, tenure_of
from antinode.relay.kafka.watermark import Watermark
from antinode.relay.kafka.write_queue import Outgoing

# Parked events share a record if they were received within so many milliseconds: what is too old is told by
# the record's oldest.
_TOGETHER_MS: Final = 60_000
# What a commit says is committed anew after so long, or the brokers forget what does not change.
COMMIT_ANEW_SECONDS: Final = 3600.0
# A throttled stream is looked at once a second; it is not throttled any more when that was so long ago.
_HELD_SECONDS: Final = 3.0

_none: Final = repeat(None)


class WrongPartitions(Exception):
    """A record was written for another number of partitions than its topic has."""


class _Unread:
    """Events of one record that have not been given to delivery."""

    __slots__ = ("at", "bodies", "logged_at", "places", "size", "streams", "tenure")

    def __init__(
        self,
        tenure: Tenure,
        places: Sequence[int],
        streams: Sequence[int],
        bodies: Sequence[bytes],
        logged_at: float,
    ) -> None:
        self.tenure = tenure
        self.places = places
        self.streams = streams
        self.bodies = bodies
        self.logged_at = logged_at
        self.size = sum(map(len, bodies))
        self.at = 0

    def take(self, most: int) -> list[Record]:
        """The next events, so many at most, as records for delivery."""
        at, stop = self.at, min(self.at + most, len(self.bodies))
        self.at = stop
        part = slice(at, stop)
        return list(
            map(
                Record,
                self.bodies[part],
                self.streams[part],
                repeat(self.logged_at),
                _none,
                repeat(0),
                _none,
                _none,
                self.places[part],
            )
        )

    @property
    def is_empty(self) -> bool:
        return self.at >= len(self.bodies)


class ProjectFeed:
    """What was fetched for one project: the store that its delivery knows, a `FedStore`."""

    name: Final = "Kafka"

    def __init__(self, holdings: Holdings, project: str) -> None:
        self._holdings = holdings
        self.project = project
        self.unread: deque[_Unread] = deque()
        self.ring: Callable[[], object] = tuple

    @property
    def has_unread(self) -> bool:
        return bool(self.unread)

    @property
    def reads_again_at(self) -> float:
        return float("inf")

    def ring_for_news(self, ring: Callable[[], object]) -> None:
        self.ring = ring

    def read(self, max_events: int, max_bytes: int) -> Sequence[Record]:
        return self._holdings.read(self, max_events, max_bytes)

    def acknowledge(self, places: Iterable[int], code: str) -> None:
        # What has failed ends when its dead letter is written.
        if code == DELIVERED:
            self._holdings.end(places)

    def parks(self, head: Record, waiting: int) -> bool:
        return self._holdings.parks(head, waiting)

    def park(self, records: Sequence[Record]) -> None:
        self._holdings.park(self.project, records)

    def bury(self, records: Sequence[Record]) -> None:
        """Make dead letters of settled records."""
        self._holdings.bury(self.project, records)


class Holdings:
    """The partitions of a worker, and its projects' events between Kafka and delivery. For any thread.

    It knows no Kafka: it is told what was read, puts records into `send`, and tells what to commit.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        partitions: int,
        projects: Iterable[str],
        *,
        send: Callable[[Outgoing], object],
        clock: Callable[[], float],
        unix_clock: Callable[[], float],
        writer: str,
    ) -> None:
        """`projects` are fingerprints. `writer` names this worker among all there have ever been."""
        self._settings = settings
        self._partitions = partitions
        self._send = send
        self._clock = clock
        self._unix_clock = unix_clock
        self._writer = writer
        self._lock = threading.RLock()
        self._numbers = count(1)
        self._tenures: dict[int, Tenure] = {}
        self.feeds: Mapping[str, ProjectFeed] = {each: ProjectFeed(self, each) for each in projects}
        self.buffered_bytes = 0
        """Of events that are fetched and not given to delivery."""

    # Partitions come and go.

    def begin(self, partition: int, at: tuple[int, Progress], parked_at: tuple[int, Progress]) -> Tenure:
        """Begin with a partition, and with what is parked of it. Returns the tenure of the former.

        `at` and `parked_at` are the offsets to begin with, and what is known of what is beyond.
        """
        with self._lock:
            tenure = self._begin(self._settings.topic, partition, at)
            tenure.parked = self._begin(self._settings.parked_topic, partition, parked_at)
            return tenure

    def begin_parked(self, tenure: Tenure, start: int, until: int) -> Tenure:
        """Begin with what is parked, in which `start` is the first record and `until` the first that others
        have not parked. Returns the tenure of the parked partition."""
        with self._lock:
            parked = tenure.parked
            assert parked is not None  # noqa: S101 - of a partition of events
            if parked.watermark.offset < start:
                parked.watermark = Watermark(start)  # what was there is too old to be there
            parked.lanes = ParkedLanes(parked.watermark, until)
            return parked

    def _begin(self, topic: str, partition: int, at: tuple[int, Progress]) -> Tenure:
        offset, progress = at
        tenure = Tenure(next(self._numbers), topic, partition, Watermark(offset, progress.ended))
        self._tenures[tenure.number] = tenure
        return tenure

    def stop_giving(self, tenures: Iterable[Tenure]) -> set[int]:
        """Give no more events of these partitions to delivery. Returns the numbers of all their tenures."""
        numbers: set[int] = set()
        with self._lock:
            for tenure in tenures:
                for each in (tenure, tenure.parked):
                    if each is not None:
                        each.is_over = True
                        numbers.add(each.number)
            for feed in self.feeds.values():
                kept = [unread for unread in feed.unread if unread.tenure.number not in numbers]
                self.buffered_bytes -= sum(each.size for each in feed.unread) - sum(
                    each.size for each in kept
                )
                feed.unread.clear()
                feed.unread.extend(kept)
        return numbers

    def forget(self, numbers: Iterable[int]) -> None:
        """Hear no more of what ends in these tenures."""
        with self._lock:
            for number in numbers:
                self._tenures.pop(number, None)

    # What is read.

    def add(self, tenure: Tenure, fetched: Fetched) -> ProjectFeed | None:
        """Take a record that was read. Returns the feed that has news, if one has.

        Raises `WrongPartitions`.
        """
        if not fetched.value and is_probe(fetched.headers):
            with self._lock:
                tenure.watermark.take(fetched.offset, 0)
            return None
        try:
            head = read_headers(fetched.headers)
            events = unpack(fetched.value)
        except UnreadableRecord as error:
            self._set_aside(tenure, fetched, UNREADABLE, str(error))
            return None
        if head.partitions != self._partitions:
            raise WrongPartitions(
                f"a record of {fetched.topic!r} was written for {head.partitions} partitions, and there are "
                f"{self._partitions}: a user's events are in two of them; move to a topic with another name"
            )
        feed = self.feeds.get(head.project)
        if feed is None:
            self._set_aside(tenure, fetched, UNKNOWN_PROJECT, f"no project has the key {head.project}")
            return None
        logged_at = self._clock() - (self._unix_clock() - head.received_ms / 1000)
        with self._lock:
            if tenure.is_over:
                return None
            places, indices = self._places(tenure, fetched.offset, head, events.streams)
            if not places:
                return None
            streams: Sequence[int] = events.streams
            bodies: Sequence[bytes] = events.bodies
            if indices is not None:
                streams = [streams[index] for index in indices]
                bodies = [bodies[index] for index in indices]
            unread = _Unread(tenure, places, streams, bodies, logged_at)
            self.buffered_bytes += unread.size
            is_news = not feed.unread
            feed.unread.append(unread)
        return feed if is_news else None

    def _places(
        self, tenure: Tenure, offset: int, head: RecordHead, streams: Sequence[int]
    ) -> tuple[Sequence[int], Sequence[int] | None]:
        """The places of the events to deliver, and which of the record's they are; None: all of them."""
        first_place = tenure.first_place
        if tenure.lanes is not None:
            is_own = head.writer == self._writer
            given = tenure.lanes.read(offset, head.project, streams, is_own=is_own)
            return [first_place + number for _, number in given], [index for index, _ in given]
        first = tenure.watermark.take(offset, len(streams))
        stop = first + len(streams)
        ended = tenure.watermark.ended_within(first, stop)
        if not ended:
            return range(first_place + first, first_place + stop), None
        gone = {number for pair in ended for number in range(*pair)}
        left = [number for number in range(first, stop) if number not in gone]
        return [first_place + number for number in left], [number - first for number in left]

    def read(self, feed: ProjectFeed, max_events: int, max_bytes: int) -> list[Record]:
        """The next events of a project; those of parked streams are parked in passing."""
        records: list[Record] = []
        parked: list[Record] = []
        with self._lock:
            while feed.unread and len(records) < max_events and max_bytes > 0:
                unread = feed.unread[0]
                taken = unread.take(max_events - len(records))
                if unread.is_empty:
                    feed.unread.popleft()
                    self.buffered_bytes -= unread.size
                    max_bytes -= unread.size
                lanes = unread.tenure.parked.lanes if unread.tenure.parked is not None else None
                if lanes:
                    parked += [each for each in taken if lanes.has((feed.project, each.stream))]
                    taken = [each for each in taken if not lanes.has((feed.project, each.stream))]
                records += taken
            if parked:
                self.park(feed.project, parked)
        return records

    # What ends.

    def end(self, places: Iterable[int]) -> None:
        """Hear that the events at these places have ended."""
        with self._lock:
            for start, stop in runs_of(places):
                tenure = self._tenures.get(tenure_of(start))
                if tenure is not None:
                    tenure.end(start, stop)

    def commits(
        self, now: float, tenures: Iterable[Tenure], *, is_released: bool = False
    ) -> list[PartitionOffset]:
        """What has changed since it was last committed, the parked partitions' included."""
        with self._lock:
            positions: list[PartitionOffset] = []
            for tenure in tenures:
                for each in (tenure, tenure.parked):
                    if each is None:
                        continue
                    each.forget_held(now - _HELD_SECONDS)
                    position = each.position(is_released=is_released)
                    if position != each.committed or now >= each.commit_anew_at:
                        each.committed = position
                        each.commit_anew_at = now + COMMIT_ANEW_SECONDS
                        positions.append(position)
            return positions

    def commit_again(self, tenures: Iterable[Tenure]) -> None:
        """Hear that the last commit of these failed."""
        with self._lock:
            for tenure in tenures:
                tenure.committed = None
                if tenure.parked is not None:
                    tenure.parked.committed = None

    def seek(self, parked: Tenure) -> int | None:
        """Where to read on in a parked partition, if not behind what was read last."""
        with self._lock:
            return None if parked.lanes is None or parked.is_over else parked.lanes.seek()

    # What cannot go on.

    def parks(self, head: Record, waiting: int) -> bool:
        """Whether a throttled stream that begins with this record, and has so many, is to be parked."""
        with self._lock:
            tenure = self._tenures.get(tenure_of(head.place))
            if tenure is None or tenure.is_over or tenure.parked is None:
                return False
            tenure.held_at[head.stream] = self._clock()
            settings = self._settings
            return waiting >= settings.max_lane_events or tenure.watermark.lag >= settings.max_lag_events

    def park(self, project: str, records: Sequence[Record]) -> None:
        """Have records of throttled streams wait in Kafka: they end where they were when they are written."""
        by_tenure: dict[int, list[Record]] = {}
        for record in records:
            by_tenure.setdefault(tenure_of(record.place), []).append(record)
        with self._lock:
            for number, together in by_tenure.items():
                tenure = self._tenures.get(number)
                if tenure is None or tenure.is_over or tenure.parked is None:
                    continue  # the next owner reads them
                lanes = tenure.parked.lanes
                assert lanes is not None  # noqa: S101 - of a parked partition
                for record in together:
                    lanes.park((project, record.stream), 1)
                for part in self._parts(together):
                    self._send_parked(tenure, project, part)

    def _parts(self, records: Sequence[Record]) -> Iterator[list[Record]]:
        """Records that may be parked together, in their order."""
        together: list[Record] = []
        for record in records:
            if together and abs(record.logged_at - together[0].logged_at) * 1000 > _TOGETHER_MS:
                yield from in_records(together)
                together = []
            together.append(record)
        yield from in_records(together)

    def _send_parked(self, tenure: Tenure, project: str, records: Sequence[Record]) -> None:
        head = RecordHead(project, self._received_ms(records), self._partitions, self._writer)
        value = pack([each.stream for each in records], [each.body for each in records])
        places = [each.place for each in records]
        topic = self._settings.parked_topic
        self._send(Outgoing(topic, tenure.partition, value, headers_of(head), lambda: self.end(places)))

    def _received_ms(self, records: Sequence[Record]) -> int:
        oldest = min(each.logged_at for each in records)
        return int((self._unix_clock() - (self._clock() - oldest)) * 1000)

    def holds_up(self, feed: ProjectFeed) -> bool:
        """Whether what waits for one project, whose events nobody takes, keeps others from going on."""
        with self._lock:
            share = self._settings.max_buffered_bytes // (2 * len(self.feeds))
            return sum(each.size for each in feed.unread) >= share or any(
                tenure.watermark.lag >= self._settings.max_lag_events for tenure in self._tenures.values()
            )

    def set_aside(self, feed: ProjectFeed, outcome: Outcome) -> int:
        """Make dead letters of what waits for a project, but for its last record. Returns how many."""
        count = 0
        with self._lock:
            while len(feed.unread) > 1:
                unread = feed.unread.popleft()
                self.buffered_bytes -= unread.size
                records = unread.take(len(unread.bodies))
                for record in records:
                    record.outcome = outcome
                self.bury(feed.project, records)
                count += len(records)
        return count

    def bury(self, project: str, records: Sequence[Record]) -> None:
        """Make dead letters of settled records: they end when those are written."""
        with self._lock:
            for record in records:
                tenure = self._tenures.get(tenure_of(record.place))
                outcome = record.outcome
                if tenure is None or outcome is None:
                    continue
                obituary = Obituary(
                    reason=outcome.reason,
                    origin=f"{tenure.topic}/{tenure.partition}/{tenure.offset_of(record.place)}",
                    failed_ms=int(self._unix_clock() * 1000),
                    code=outcome.code,
                    message=outcome.message,
                )
                head = RecordHead(project, self._received_ms([record]), self._partitions)
                self._send_dead(
                    tenure.partition,
                    pack([record.stream], [record.body]),
                    [*headers_of(head), *obituary_headers(obituary)],
                    [record.place],
                )

    def _set_aside(self, tenure: Tenure, fetched: Fetched, reason: str, message: str) -> None:
        """Make a dead letter of a whole record, which counts as one event."""
        with self._lock:
            if tenure.is_over:
                return
            head = RecordHead("", 0, self._partitions)
            places, indices = self._places(tenure, fetched.offset, head, [0])
            if not places or indices == []:
                return
        obituary = Obituary(
            reason=reason,
            origin=f"{fetched.topic}/{fetched.partition}/{fetched.offset}",
            failed_ms=int(self._unix_clock() * 1000),
            message=message,
        )
        headers = [(name, value or b"") for name, value in fetched.headers or ()]
        self._send_dead(
            tenure.partition, fetched.value or b"", [*headers, *obituary_headers(obituary)], places
        )

    def _send_dead(
        self, partition: int, value: bytes, headers: Sequence[tuple[str, bytes]], places: Sequence[int]
    ) -> None:
        # In the partition of the same number, so that a stream's letters have their order, too.
        topic = self._settings.dead_topic
        self._send(Outgoing(topic, partition, value, headers, lambda: self.end(places)))


__all__ = ["Holdings", "Key", "ProjectFeed", "WrongPartitions"]
