"""The compiled loops over records: they do what those in Python do."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.record import Record
from tests.native.comparing import OUTCOME, PYTHON, copies, record, stream_queue_of

records = st.lists(
    st.builds(
        record, st.binary(max_size=40), st.integers(-5, 5), st.sampled_from([0, 0, 0, 1, 7]), st.booleans()
    ),
    max_size=20,
)


def state(given: list[Record]) -> list[tuple[Any, ...]]:
    return [(each.body, each.stream, each.attempts, each.outcome, each.callbacks) for each in given]


some_streams = st.sets(st.integers(-5, 5), max_size=2)


@given(
    records,
    st.integers(0, 25),
    st.integers(0, 200),
    st.booleans(),
    some_streams,
    some_streams,
    st.integers(0, 5),
)
def test_loops_do_what_the_python_code_does(
    native: Any,
    given: list[Record],
    events: int,
    size: int,
    has_some: bool,
    busy: set[int],
    queued_streams: set[int],
    most: int,
) -> None:
    """Each on the same records: what they return, and what becomes of the records."""
    for name in ("total_size", "streams_of", "most_attempts"):
        assert getattr(native, name)(given) == PYTHON[name](given)
    assert native.fitting(given, events, size) == PYTHON["fitting"](given, events, size)
    assert native.join(b"head", given, b"tail") == PYTHON["join"](b"head", given, b"tail")
    fronts = []
    for sift in (native.sift, PYTHON["sift"]):
        queue = deque(given)
        taken = [record(b"first")] if has_some else []
        stream_queues = {
            stream: stream_queue_of(stream, filled=stream % 2, is_ready=stream > 1)
            for stream in queued_streams
        }
        left = sift(queue, taken, events, size, busy, stream_queues, most)
        fronts.append(
            (
                state(taken),
                list(queue),
                {key: list(each.records) for key, each in stream_queues.items()},
                left,
            )
        )
    assert fronts[0] == fronts[1]
    fronts = []
    for drain in (native.drain, PYTHON["drain"]):
        queue = deque(given)
        taken = [record(b"first")] if has_some else []
        left = drain(queue, taken, events, size)
        fronts.append((state(taken), list(queue), {}, left))
    assert fronts[0] == fronts[1]
    ends = []
    for deliver in (native.deliver, PYTHON["deliver"]):
        own = copies(given)
        others, asked = deliver(own, OUTCOME)
        ends.append((state(own), [own.index(each) for each in others], [own.index(each) for each in asked]))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("given", [[1], [None], (), None, [Record(None, 1, 0.0)]])  # type: ignore[arg-type]
def test_what_are_no_records_is_an_error_and_no_crash(native: Any, given: Any) -> None:
    """TypeError, whatever it is."""
    for call in (
        lambda: native.total_size(given),
        lambda: native.fitting(given, 1, 1),
        lambda: native.join(b"", given, b""),
        lambda: native.streams_of(given),
        lambda: native.most_attempts(given),
        lambda: native.deliver(given, OUTCOME),
        lambda: native.sift(deque(given or ()), None, 1, 1, set(), {}, 9),
        lambda: native.sift(deque([record(b"", 1)]), [], 1, 1, set(), {1: given}, 9),
        lambda: native.drain(deque(given or ()), None, 1, 1),
    ):
        with pytest.raises(TypeError):
            call()
