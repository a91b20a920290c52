"""Batches, the chunks they are cut into, and halving."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.core.batch import SMALLEST_LIMIT_EVENTS, Batch, halves
from antinode._delivery.record import Record
from antinode._protocol.endpoints import Endpoint


def records(*sizes: int) -> list[Record]:
    return [Record(b"x" * size, number % 3, 0.0) for number, size in enumerate(sizes)]


sizes = st.lists(st.integers(0, 500), min_size=1, max_size=50)


@given(sizes, st.integers(1, 60), st.integers(0, 2000))
def test_a_cut_takes_what_fits_and_at_least_one(lengths: list[int], events: int, size: int) -> None:
    """The front of a chunk is cut within both limits, at least one record, and as much as fits."""
    given_records = records(*lengths)
    batch = Batch(list(given_records), Endpoint.HTTP_V2)
    taken = batch.cut_front(events, size)
    rest = list(batch.records())
    assert taken + rest == given_records
    assert 1 <= len(taken) <= events
    total = sum(len(record.body) + 1 for record in taken)
    assert total <= size or len(taken) == 1
    if rest and len(taken) < events:
        assert total + len(rest[0].body) + 1 > size


@given(st.lists(st.integers(0, 500), min_size=2, max_size=50))
def test_halves_are_both_smaller(lengths: list[int]) -> None:
    """Two or more records are cut into two parts in order, neither empty, neither too heavy."""
    whole = records(*lengths)
    left, right = halves(whole)
    assert left + right == whole
    assert left
    assert right
    total, heaviest = sum(lengths), max(lengths)
    assert max(sum(len(record.body) for record in part) for part in (left, right)) <= total / 2 + heaviest


@given(sizes, st.sets(st.integers(0, 2)), st.integers(1, 9))
def test_pulling_streams_keeps_everyones_order(lengths: list[int], streams: set[int], cut: int) -> None:
    """Pulled streams come out in order over all chunks; the others stay as they were."""
    whole = records(*lengths)
    batch = Batch([], Endpoint.HTTP_V2)
    batch.chunks.clear()
    batch.put_back(*[whole[start : start + cut] for start in range(0, len(whole), cut)])
    pulled = batch.pull(streams)
    assert list(batch.records()) == [record for record in whole if record.stream not in streams]
    for stream in streams:
        assert pulled.get(stream, []) == [record for record in whole if record.stream == stream]
    assert all(batch.chunks)


@given(sizes, st.integers(1, 9))
def test_removing_looks_at_every_record(lengths: list[int], cut: int) -> None:
    """`remove` takes out whatever matches, wherever in the chunks that wait it is."""
    whole = records(*lengths)
    batch = Batch([], Endpoint.HTTP_V2)
    batch.chunks.clear()
    batch.put_back(*[whole[start : start + cut] for start in range(0, len(whole), cut)])
    gone = batch.remove(lambda record: len(record.body) > 250)
    assert gone == [record for record in whole if len(record.body) > 250]
    assert list(batch.records()) == [record for record in whole if len(record.body) <= 250]
    assert batch.is_done == (not list(batch.records()))


def test_requests_shrink_to_ten_events_and_grow_again() -> None:
    """The limit of a request halves down to ten events, and doubles without end."""
    batch = Batch(records(1), Endpoint.HTTP_V2)
    batch.shrink(2000)
    assert batch.limit == 1000
    for _ in range(20):
        batch.shrink(2000)
    assert batch.limit == SMALLEST_LIMIT_EVENTS
    for _ in range(100):
        batch.grow()
    assert batch.limit > 2000
