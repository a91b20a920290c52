"""The backlog: giving out records such that each stream stays in order, with little work."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.core.backlog import SCAN_RECORDS, Backlog, ids_of
from antinode._delivery.record import Record

HUGE = 1 << 40


def record(stream: int, number: int = 0, *, user: str | None = None) -> Record:
    return Record(json.dumps({"user_id": user or f"u{stream}", "n": number}).encode(), stream, float(number))


def filled(streams: Iterator[int] | list[int], pace: float | None = None) -> Backlog:
    backlog = Backlog(pace)
    backlog.fresh.extend(record(stream, number) for number, stream in enumerate(streams))
    return backlog


def streams_of(records: list[Record]) -> list[int]:
    return [each.stream for each in records]


def test_without_busy_streams_the_queue_is_given_out_as_it_is() -> None:
    """Nobody has to wait: records leave in log order, as many as fit."""
    backlog = filled([1, 2, 1, 3])
    assert streams_of(backlog.take(0.0, events=3, size=HUGE)) == [1, 2, 1]
    assert len(backlog.stream_queues) == 0


@given(
    st.lists(st.integers(0, 9), max_size=60),
    st.lists(st.tuples(st.sets(st.integers(0, 9), max_size=6), st.integers(1, 12)), max_size=12),
    st.sampled_from([None, 1.0, 1000.0]),
)
def test_the_streams_of_what_was_taken_are_told(
    streams: list[int], turns: list[tuple[set[int], int]], pace: float | None
) -> None:
    """Those of all records, out of the queue or out of their own queues, and no others."""
    backlog = filled(streams, pace)
    for now, (busy, events) in enumerate(turns):
        backlog.occupy(busy)
        taken = backlog.take(float(now), events=events, size=HUGE)
        assert backlog.streams_taken(taken) == set(streams_of(taken))
        backlog.vacate(busy, float(now))


def test_one_record_goes_however_large() -> None:
    """A single record above the size goes alone; a second one that does not fit waits."""
    backlog = filled([1, 2])
    assert len(backlog.take(0.0, events=10, size=1)) == 1
    assert len(backlog.fresh) == 1


def test_a_busy_stream_waits_in_its_lane() -> None:
    """Records of a stream that an upload holds are passed over until it ends, then go first."""
    backlog = filled([1, 2, 1, 2, 3])
    backlog.occupy({1})
    assert streams_of(backlog.take(0.0, events=2, size=HUGE)) == [2, 2]
    assert backlog.available == 1
    backlog.vacate({1}, 0.0)
    assert backlog.available == 3
    assert streams_of(backlog.take(0.0, events=10, size=HUGE)) == [1, 1, 3]


def test_held_records_come_before_their_successors() -> None:
    """A stream that was held back keeps its order when its rate limit opens."""
    backlog = filled([1])
    first = record(1, -1)
    backlog.hold(1, [first], 30.0)
    assert backlog.take(0.0, events=10, size=HUGE) == []
    taken = backlog.take(30.0, events=10, size=HUGE)
    assert [each.logged_at for each in taken] == [-1.0, 0.0]


def test_a_rate_limit_that_opens_while_its_stream_is_busy_changes_nothing() -> None:
    """Time alone does not free a stream that an upload holds; the end of the upload does."""
    backlog = Backlog()
    backlog.occupy({1})
    backlog.hold(1, [record(1)], 30.0)
    assert backlog.take(31.0, events=10, size=HUGE) == []
    backlog.vacate({1}, 32.0)
    assert len(backlog.take(32.0, events=10, size=HUGE)) == 1


def test_the_end_of_an_upload_does_not_open_a_rate_limit() -> None:
    """A stream that was held back waits for its time although the upload that held it has ended."""
    backlog = Backlog()
    backlog.occupy({1})
    backlog.hold(1, [record(1)], 30.0)
    backlog.vacate({1}, 1.0)
    assert backlog.take(2.0, events=10, size=HUGE) == []
    assert len(backlog.take(30.0, events=10, size=HUGE)) == 1


def test_a_deep_lane_does_not_starve_the_queue() -> None:
    """When one stream's stream queue fills an upload, the queue comes first in the next."""
    backlog = filled([1] * 100 + [2])
    backlog.occupy({1})
    assert streams_of(backlog.take(0.0, events=10, size=HUGE)) == [2]
    backlog.fresh.append(record(3))
    backlog.vacate({1}, 0.0)
    assert streams_of(backlog.take(0.0, events=10, size=HUGE)) == [1] * 10
    backlog.occupy({1})
    backlog.vacate({1}, 0.0)
    assert streams_of(backlog.take(0.0, events=10, size=HUGE)) == [3, *[1] * 9]


def test_a_search_ends_before_it_takes_long() -> None:
    """A search that only finds busy streams stops after a while and says that there may be more."""
    backlog = filled([1] * (SCAN_RECORDS + 1) + [2])
    backlog.occupy({1})
    assert backlog.take(0.0, events=10, size=HUGE) == []
    assert backlog.must_go_on
    assert streams_of(backlog.take(0.0, events=10, size=HUGE)) == [2]
    assert not backlog.must_go_on


def test_a_paced_user_is_cut_short_and_others_go_on() -> None:
    """Under a pace, what is above a user's leave waits for its time; the next user is not delayed."""
    backlog = filled([1] * 5 + [2], pace=3.0)
    assert streams_of(backlog.take(0.0, events=10, size=HUGE)) == [1, 1, 1, 2]
    backlog.occupy({1, 2})
    backlog.vacate({1, 2}, 0.1)
    assert backlog.take(0.1, events=10, size=HUGE) == []
    release = backlog.stream_queues.next_release
    assert release is not None
    assert streams_of(backlog.take(release, events=10, size=HUGE)) == [1, 1]


def test_one_users_devices_share_a_rate_limit() -> None:
    """A throttled user waits with every device, whatever streams these make."""
    backlog = Backlog()
    backlog.rate_limits.throttle(("user", "same"), 0.0, 30.0, None)
    backlog.fresh.extend([record(1, user="same"), record(2, user="same"), record(3, user="other")])
    assert streams_of(backlog.take(1.0, events=10, size=HUGE)) == [3]
    assert sorted(streams_of(backlog.take(30.0, events=10, size=HUGE))) == [1, 2]


def test_the_oldest_is_dropped_from_a_lane_first() -> None:
    """Those who wait in stream queues have waited longest: one of them makes room, then the queue's front."""
    backlog = filled([1, 2, 1, 3])
    backlog.occupy({1})
    backlog.take(0.0, events=1, size=HUGE)
    dropped = [each.logged_at for each in iter(backlog.pop_oldest, None)]
    assert dropped == [0.0, 2.0, 3.0]
    assert backlog.available == 0


def test_ids_are_read_back_from_the_bytes() -> None:
    """A record's ids come from its own bytes; what has none, or is no object, has none."""
    assert ids_of(Record(b'{"user_id":"u","device_id":"d"}', 1, 0.0)) == ("u", "d")
    assert ids_of(Record(b'{"event_properties":{"user_id":"x"}}', 1, 0.0)) == (None, None)
    assert ids_of(Record(b"[]", 1, 0.0)) == (None, None)


@given(
    streams=st.lists(st.integers(0, 5), max_size=80),
    steps=st.lists(
        st.tuples(st.integers(1, 12), st.sampled_from(["take", "end", "hold", "drop"])), max_size=60
    ),
    pace=st.sampled_from([None, 2.0]),
)
def test_each_stream_leaves_in_order(
    streams: list[int], steps: list[tuple[int, str]], pace: float | None
) -> None:
    """However uploads overlap, end and give records back, a stream's records leave in order, none twice."""
    backlog, now = filled(streams, pace), 0.0
    under_way: list[list[Record]] = []
    left: list[Record] = []
    dropped = 0
    for size, step in [*steps, *[(12, "end"), (12, "take")] * 200]:
        now += 1.0
        if step == "take" and len(under_way) < 3:
            records = backlog.take(now, events=size, size=HUGE)
            busy = {each.stream for batch in under_way for each in batch}
            assert not busy & {each.stream for each in records}
            backlog.occupy({each.stream for each in records})
            if records:
                under_way.append(records)
        elif step in ("end", "hold") and under_way:
            records = under_way.pop(size % len(under_way))
            if step == "hold":
                stream = records[0].stream
                backlog.hold(stream, [each for each in records if each.stream == stream], now + size)
                left += [each for each in records if each.stream != stream]
            else:
                left += records
            backlog.vacate({each.stream for each in records}, now)
        elif step == "drop":
            dropped += backlog.pop_oldest() is not None
    assert len(left) + dropped == len(streams)
    by_stream: dict[int, list[float]] = {}
    for each in left:
        by_stream.setdefault(each.stream, []).append(each.logged_at)
    assert all(times == sorted(times) for times in by_stream.values())


def looks(n: int, streams: int, connections: int, pace: float | None = None) -> int:
    """How often records' streams are looked at until a backlog of `n` is worked off."""
    count = 0

    class Looked(Record, gc=False, eq=False):
        def __getattribute__(self, name: str) -> object:
            nonlocal count
            if name == "stream":
                count += 1
            return super().__getattribute__(name)

    backlog = Backlog(pace)
    hot = [0] * (n // 2)
    others = [1 + number % streams for number in range(n - n // 2)]
    for pair in zip(hot, others, strict=True):
        backlog.fresh.extend(Looked(b'{"user_id":"u%d"}' % stream, stream, 0.0) for stream in pair)
    under_way: list[set[int]] = []
    now, taken = 0.0, 0
    while taken < n:
        now += 40.0 if pace else 1.0
        while len(under_way) < connections:
            records = backlog.take(now, events=2000, size=HUGE)
            if not records:
                break
            taken += len(records)
            streams_taken = {each.stream for each in records}
            backlog.occupy(streams_taken)
            under_way.append(streams_taken)
        if under_way:
            backlog.vacate(under_way.pop(0), now)
    return count


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("streams", [1, 50, 100_000])
def test_a_backlog_is_worked_off_in_linear_work(connections: int, streams: int) -> None:
    """Twice the backlog, half of it one hot stream, takes about twice the looks at records."""
    once, twice = looks(20_000, streams, connections), looks(40_000, streams, connections)
    assert 20_000 <= once <= 10 * 20_000
    assert twice <= 2.3 * once


def test_a_paced_backlog_is_worked_off_in_linear_work() -> None:
    """Under a pace too, twice the backlog takes about twice the looks at records."""
    once, twice = looks(5_000, 50, 4, pace=30.0), looks(10_000, 50, 4, pace=30.0)
    assert 5_000 <= once <= 12 * 5_000
    assert twice <= 2.3 * once
