"""The records that wait for an upload: the queue they enter by, and one for each stream that waits alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice

import msgspec

from antinode._delivery.core.loops import drain, sift, streams_of
from antinode._delivery.core.rate_limits import Key, RateLimits
from antinode._delivery.core.stream_queues import StreamQueue, StreamQueues
from antinode._delivery.record import NOT_STORED, Record
from antinode._protocol.nesting import is_deep

# A search for free streams passes over at most this many records before others get their turn.
SCAN_RECORDS = 20_000
# The ids of this many streams are remembered while rate limits exist; beyond, all are forgotten together.
MAX_KEYS = 50_000


class _RecordIds(msgspec.Struct):
    user_id: str | None = None
    device_id: str | None = None


_decode_ids = msgspec.json.Decoder(_RecordIds).decode


def ids_of(record: Record) -> tuple[str | None, str | None]:
    """A record's user_id and device_id, read back from its bytes: only a throttled one's are ever needed."""
    try:
        ids = _decode_ids(record.body)
    except (ValueError, RecursionError):  # all that msgspec raises for bytes
        return None, None
    return ids.user_id, ids.device_id


def is_event(body: bytes) -> bool:
    """Whether the bytes are one JSON object, no deeper than an event may be, with text ids. Never raises."""
    try:
        _decode_ids(body)
    except (ValueError, RecursionError):
        return False
    return not is_deep(body)


class Backlog:
    """Gives out records for uploads such that each stream stays in order.

    `fresh` is the queue in log order; any thread may append to it. A record whose stream is busy (another
    upload holds earlier records of it) or held (by a rate limit) moves to the stream's own queue when its
    turn comes, and later ones of the stream follow it there: each record moves at most once.
    """

    def __init__(self, pace: float | None = None) -> None:
        self.fresh: deque[Record] = deque()
        self.stream_queues = StreamQueues()
        self.rate_limits = RateLimits(pace)
        self.must_go_on = False
        """Whether the last search stopped early without a find, so that free streams may lie further back."""
        self.suspect: Record | None = None
        """The record at which the last search raised, if it did."""
        self._drained: set[int] = set()
        """The streams from whose queues the last search took records."""
        self._from_fresh = slice(0)
        """What the last search took from `fresh`."""
        self._is_fresh_first = False
        """Whether it is the turn of `fresh`, which stream queues that fill whole uploads must not starve."""
        self._busy: set[int] = set()
        self._keys: dict[int, tuple[Key, ...]] = {}

    def __iter__(self) -> Iterator[Record]:
        for stream_queue in self.stream_queues:
            yield from stream_queue.records
        yield from self.fresh

    @property
    def available(self) -> int:
        """Records that may be taken now, as far as is known without looking at each."""
        return len(self.fresh) + self.stream_queues.ready_count

    def clear(self) -> None:
        self.fresh.clear()
        self.stream_queues = StreamQueues()
        self._busy.clear()

    # Streams that uploads hold.

    def occupy(self, streams: Iterable[int]) -> None:
        """Have the later records of these streams wait, since an upload holds earlier ones."""
        self._busy.update(streams)

    def vacate(self, streams: set[int], now: float) -> None:
        """Free the streams of an upload that has ended; a rate limit may still hold one."""
        self._busy -= streams
        stream_queues = self.stream_queues
        if not stream_queues:
            return
        if len(stream_queues) < len(streams):
            freed = [stream_queue for stream_queue in stream_queues if stream_queue.stream in streams]
        else:
            freed = [
                stream_queue for stream in streams if (stream_queue := stream_queues.get(stream)) is not None
            ]
        for stream_queue in freed:
            is_held = stream_queue.release_at is not None and stream_queue.release_at > now
            if not stream_queue.is_ready and not is_held and not stream_queues.discard_empty(stream_queue):
                stream_queues.make_ready(stream_queue)

    def hold(self, stream: int, records: list[Record], until: float) -> None:
        """Give records back to the front of their stream, which then waits until its rate limits open."""
        stream_queue = self.stream_queues.prepend(stream, records)
        self.stream_queues.hold(stream_queue, until)

    # Taking.

    def take(self, now: float, *, events: int, size: int) -> list[Record]:
        """Take records for one upload: at most `events` of them and `size` bytes, but one if any may go.

        After an exception the records are back in their places; `suspect` is the one that raised, if any did.
        """
        self.must_go_on = False
        self.suspect = None
        self.stream_queues.release_due(now)
        search = _Filling(now, events, size, is_paced=self.rate_limits.is_active)
        if search.is_paced:
            self.rate_limits.prune(now)
        elif self._keys:
            self._keys.clear()
        try:
            if self._is_fresh_first:
                self._take_from_queue(search)
                self._take_ready(search)
            else:
                self._take_ready(search)
                self._take_from_queue(search)
        except BaseException:
            self._give_back(search.taken)
            raise
        self.must_go_on = self.must_go_on and not search.taken
        self._drained, self._from_fresh = search.drained, search.from_fresh
        return search.taken

    def streams_taken(self, taken: list[Record]) -> set[int]:
        """The streams of what the last search took.

        Looks at those out of `fresh` alone: the others were in queues by stream, and have left the caches.
        """
        return streams_of(taken[self._from_fresh]) | self._drained

    def _give_back(self, taken: list[Record]) -> None:
        """Put each record back in front of the later ones of its stream."""
        stream_queues = self.stream_queues
        for record in reversed(taken):
            if stream_queues.get(record.stream) is None:
                self.fresh.appendleft(record)
            else:
                stream_queues.prepend(record.stream, [record])
        # A queue that records were being taken from is no longer ready; here alone is it made ready again.
        for queue in stream_queues:
            is_idle = not queue.is_ready and queue.release_at is None
            if queue.records and is_idle and queue.stream not in self._busy:
                stream_queues.make_ready(queue)

    def remove(self, record: Record) -> None:
        """Take this record out, wherever it waits."""
        with suppress(ValueError):
            self.fresh.remove(record)
        queue = self.stream_queues.get(record.stream)
        if queue is not None and record in queue.records:
            queue.records.remove(record)
            self.stream_queues.recount()
            self.stream_queues.discard_empty(queue)

    def _take_from_queue(self, search: _Filling) -> None:
        from_lanes = len(search.taken)
        if search.is_paced:
            self._sift_paced(search)
        else:
            self._sift(search)
        search.from_fresh = slice(from_lanes, len(search.taken))
        self._is_fresh_first = 0 < from_lanes == len(search.taken) and bool(self.fresh)

    def _take_ready(self, search: _Filling) -> None:
        stream_queues = self.stream_queues
        while search.room > 0 and (stream_queue := stream_queues.next_ready()) is not None:
            # A queue that became ready in time, while an earlier upload of its stream still goes on, stays
            # busy: `vacate` makes it ready.
            if stream_queue.stream in self._busy:
                continue
            before = len(search.taken)
            has_room = self._take_from(stream_queue, search)
            if len(search.taken) > before:
                search.drained.add(stream_queue.stream)
            if not has_room:
                return

    def _take_from(self, stream_queue: StreamQueue, search: _Filling) -> bool:
        """Take from one stream queue; False when the upload is full. What is left is busy or held then."""
        stream_queues = self.stream_queues
        before = len(search.taken)
        if search.is_paced:
            while stream_queue.records and search.room > 0 and search.fits(stream_queue.records[0]):
                if not self._passes(stream_queue.records[0], search):
                    if len(search.taken) == before:
                        stream_queues.hold(stream_queue, search.opens_at)
                    return True
                search.take(stream_queues.pop(stream_queue))
        else:
            search.room, search.space = drain(stream_queue.records, search.taken, search.room, search.space)
            stream_queues.drained(stream_queue, len(search.taken) - before)
        if stream_queue.records and search.room > 0:
            if len(search.taken) == before:
                stream_queues.make_ready(stream_queue, first=True)
            return False
        stream_queues.discard_empty(stream_queue)
        return True

    def _sift(self, search: _Filling) -> None:
        """Take from `fresh` the records that may go, and move those that must wait to their stream queues."""
        fresh, stream_queues, busy = self.fresh, self.stream_queues, self._busy
        passed = 0
        while passed < SCAN_RECORDS:
            search.room, search.space, moved, ready = sift(
                fresh,
                search.taken,
                search.room,
                search.space,
                busy,
                stream_queues.by_stream,
                SCAN_RECORDS - passed,
            )
            stream_queues.count += moved
            stream_queues.ready_count += ready
            passed += moved
            if search.room <= 0 or not fresh:
                return
            if passed < SCAN_RECORDS:
                stream = fresh[0].stream
                if stream not in busy and stream_queues.get(stream) is None:
                    return  # the record at the front does not fit
                stream_queues.append(stream, fresh.popleft())
                passed += 1
        self.must_go_on = not search.taken

    def _sift_paced(self, search: _Filling) -> None:
        """Do what `_sift` does where each record has to pass its rate limits."""
        fresh, stream_queues, busy = self.fresh, self.stream_queues, self._busy
        # Streams of this very upload are busy too, but more records of theirs may follow into it.
        own = {record.stream for record in search.taken}
        for _ in range(SCAN_RECORDS):
            if search.room <= 0 or not fresh:
                return
            record = fresh[0]
            stream = record.stream
            if stream in busy or stream_queues.get(stream) is not None:
                stream_queues.append(stream, fresh.popleft())
                continue
            if not search.fits(record):
                return
            if not self._passes(record, search):
                stream_queue = stream_queues.append(stream, fresh.popleft())
                if stream not in own:
                    stream_queues.hold(stream_queue, search.opens_at)
                continue
            own.add(stream)
            search.take(fresh.popleft())
        self.must_go_on = not search.taken

    def _passes(self, record: Record, search: _Filling) -> bool:
        self.suspect = record
        keys = self.keys_of(record)
        self.suspect = None
        search.opens_at = self.rate_limits.opens_at(keys, search.now)
        if search.opens_at > search.now:
            return False
        self.rate_limits.pass_one(keys, search.now)
        return True

    def keys_of(self, record: Record) -> tuple[Key, ...]:
        """The rate limits that a record must pass."""
        keys = self._keys.get(record.stream)
        if keys is None:
            user, device = ids_of(record)
            named: list[Key] = [("stream", record.stream)]
            if user:
                named.append(("user", user))
            if device:
                named.append(("device", device))
            if len(self._keys) >= MAX_KEYS:
                self._keys.clear()
            keys = self._keys[record.stream] = tuple(named)
        return keys

    # Giving up.

    @property
    def oldest(self) -> Record | None:
        """The record that `pop_oldest` would take out."""
        stream_queue = self.stream_queues.first_filled()
        if stream_queue is not None:
            return stream_queue.records[0]
        return self.fresh[0] if self.fresh else None

    def pop_oldest(self) -> Record | None:
        """Take out the record to drop first. Stream queues come first: theirs have waited longest, and a
        throttled user must not cost others their events."""
        stream_queue = self.stream_queues.first_filled()
        if stream_queue is None:
            return self.fresh.popleft() if self.fresh else None
        record = self.stream_queues.pop(stream_queue)
        self._forget_if_empty(stream_queue)
        return record

    def take_stored(self, at_most: int) -> list[Record]:
        """Take out the first records that a store has, though others that it has not may stand before them.

        In the order of `pop_oldest`. To be called under the guard, or somebody may be adding to the queue.
        """
        taken: list[Record] = []
        for stream_queue in list(self.stream_queues):
            found = _remove_stored(stream_queue.records, at_most - len(taken))
            if found:
                taken += found
                self._forget_if_empty(stream_queue)
        if taken:
            self.stream_queues.recount()
        return taken + _remove_stored(self.fresh, at_most - len(taken))

    def take_out(self, is_gone: Callable[[Record], bool]) -> list[Record]:
        """Take out the records for which `is_gone` holds. To be called under the guard, as `take_stored`."""
        gone: list[Record] = []
        for stream_queue in list(self.stream_queues):
            if found := _remove(stream_queue.records, is_gone):
                gone += found
                self._forget_if_empty(stream_queue)
        if gone:
            self.stream_queues.recount()
        return gone + _remove(self.fresh, is_gone)

    def pop_while(self, is_gone: Callable[[Record], bool]) -> list[Record]:
        """Take out the records at the front of each queue for which `is_gone` holds."""
        gone: list[Record] = []
        for stream_queue in list(self.stream_queues):
            while stream_queue.records and is_gone(stream_queue.records[0]):
                gone.append(self.stream_queues.pop(stream_queue))
            self._forget_if_empty(stream_queue)
        while self.fresh and is_gone(self.fresh[0]):
            gone.append(self.fresh.popleft())
        return gone

    def _forget_if_empty(self, stream_queue: StreamQueue) -> None:
        if stream_queue.stream not in self._busy:
            self.stream_queues.discard_empty(stream_queue)

    def recount(self) -> None:
        """Make the counts right after an exception that interrupted a change."""
        for stream_queue in list(self.stream_queues):
            self._forget_if_empty(stream_queue)
        self.stream_queues.recount()

    def heads(self) -> list[Record]:
        """The oldest record of the queue and of each stream queue."""
        heads = [stream_queue.records[0] for stream_queue in self.stream_queues if stream_queue.records]
        if self.fresh:
            heads.append(self.fresh[0])
        return heads


def _remove(records: deque[Record], is_gone: Callable[[Record], bool]) -> list[Record]:
    gone = [record for record in records if is_gone(record)]
    if gone:
        kept = [record for record in records if not is_gone(record)]
        records.clear()
        records.extend(kept)
    return gone


def _remove_stored(records: deque[Record], at_most: int) -> list[Record]:
    stored = ((at, record) for at, record in enumerate(list(records)) if record.place != NOT_STORED)
    found = list(islice(stored, max(0, at_most)))
    for at, _ in reversed(found):
        del records[at]
    return [record for _, record in found]


class _Filling:
    """An upload being filled: what it has taken, and the room that is left."""

    __slots__ = ("drained", "from_fresh", "is_paced", "now", "opens_at", "room", "space", "taken")

    def __init__(self, now: float, events: int, size: int, *, is_paced: bool) -> None:
        self.now = now
        self.room = events
        self.space = size
        self.is_paced = is_paced
        self.opens_at = now
        """When the rate limit that stopped the last record opens."""
        self.taken: list[Record] = []
        self.drained: set[int] = set()
        """The streams from whose queues any were taken."""
        self.from_fresh = slice(0)

    def fits(self, record: Record) -> bool:
        return not self.taken or len(record.body) + 1 <= self.space

    def take(self, record: Record) -> None:
        self.taken.append(record)
        self.room -= 1
        self.space -= len(record.body) + 1
