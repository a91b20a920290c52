"""The tracker: in whatever order rows settle, and wherever the process is killed, each settles once."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from antinode._importing.tracking import Position, Span, Tracker

Row = tuple[int, int]


def chunks_of(sizes: list[int], cuts: list[int]) -> list[tuple[int, int, int]]:
    """Source, first row and count of each chunk; the cuts differ from run to run, as blocks may."""
    found, turn = [], 0
    for source, size in enumerate(sizes):
        first = 1
        while first <= size:
            count = min(cuts[turn % len(cuts)], size - first + 1)
            found.append((source, first, count))
            first += count
            turn += 1
    return found


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=4),
    st.lists(
        st.tuples(
            st.lists(st.integers(1, 9), min_size=1, max_size=5),
            st.randoms(use_true_random=False),
            st.integers(0, 60),
            st.integers(0, 60),
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_each_row_settles_once_over_any_number_of_runs(sizes: list[int], runs: list) -> None:
    """Each run goes on from the checkpoint of the one before, takes some rows, and settles some in any order.

    What the checkpoint says is settled is exactly what was, and no run is asked for it again.
    """
    settled: set[Row] = set()
    position = Position()
    for cuts, random, taken, ended in [*runs, ([7], None, 10**6, 10**6)]:
        tracker = Tracker(msgspec.json.decode(msgspec.json.encode(position), type=Position))
        pending: list[tuple[Span, int]] = []
        for source, first, count in chunks_of(sizes, cuts)[:taken]:
            if tracker.is_over(source, first + count - 1):
                continue
            span = tracker.open(source, first, count)
            for place in range(count):
                row = (source, first + place)
                assert bool(span.done[place]) == (row in settled)
                if not span.done[place]:
                    pending.append((span, place))
        if random is not None:
            random.shuffle(pending)
        for span, place in pending[:ended]:
            span.settle(place)
            settled.add((span.source, span.first + place))
        position = tracker.reached()
    assert settled == {(source, row) for source, size in enumerate(sizes) for row in range(1, size + 1)}
    assert position.beyond == ()


def test_what_lies_ahead_is_counted() -> None:
    """`ahead` is the distance that the checkpoint may have to describe."""
    tracker = Tracker(Position())
    first, second = tracker.open(0, 1, 10), tracker.open(0, 11, 10)
    for place in range(10):
        second.settle(place)
    tracker.advance()
    assert tracker.ahead == 20
    assert tracker.reached() == Position(0, 0, ((0, 11, 20),))
    for place in range(10):
        first.settle(place)
    assert tracker.reached() == Position(0, 20)
    assert tracker.ahead == 0
