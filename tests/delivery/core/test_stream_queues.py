"""Queues of streams that cannot simply go on."""

from __future__ import annotations

from antinode._delivery.core.stream_queues import StreamQueues
from antinode._delivery.record import Record


def record(stream: int = 1) -> Record:
    return Record(b"{}", stream, 0.0)


def test_a_stream_gets_its_records_back_in_order() -> None:
    """Records given back go before those that came later, in their own order."""
    queues = StreamQueues()
    first, second, third = record(), record(), record()
    queue = queues.append(1, third)
    queues.prepend(1, [first, second])
    assert [queues.pop(queue) for _ in range(3)] == [first, second, third]
    assert queues.count == 0


def test_held_lanes_are_ready_when_their_time_has_come() -> None:
    """A held stream queue is not ready before its time, and `next_release` names that time."""
    queues = StreamQueues()
    queue = queues.append(1, record())
    queues.hold(queue, 5.0)
    queues.release_due(4.9)
    assert (queues.next_ready(), queues.next_release, queues.ready_count) == (None, 5.0, 0)
    queues.release_due(5.0)
    assert (queues.ready_count, queues.next_release) == (1, None)
    assert queues.next_ready() is queue
    assert queues.ready_count == 0


def test_a_lane_held_anew_waits_for_its_last_time() -> None:
    """Holding a stream queue again replaces the time; the earlier one means nothing any more."""
    queues = StreamQueues()
    queue = queues.append(1, record())
    queues.hold(queue, 5.0)
    queues.hold(queue, 9.0)
    queues.release_due(6.0)
    assert queues.next_ready() is None
    assert queues.next_release == 9.0
    queues.release_due(9.0)
    assert queues.next_ready() is queue
    assert queues.next_ready() is None


def test_ready_lanes_take_turns() -> None:
    """Stream queues are given out in the order in which they became ready; one may be put first again."""
    queues = StreamQueues()
    one, two = queues.append(1, record(1)), queues.append(2, record(2))
    queues.make_ready(one)
    queues.make_ready(two)
    assert queues.next_ready() is one
    queues.make_ready(one, first=True)
    assert queues.next_ready() is one
    assert queues.next_ready() is two


def test_records_that_join_a_ready_lane_are_ready_too() -> None:
    """The count of ready records follows what joins and leaves a ready stream queue."""
    queues = StreamQueues()
    queue = queues.append(1, record())
    queues.make_ready(queue)
    queues.append(1, record())
    queues.prepend(1, [record(), record()])
    assert queues.ready_count == 4
    queues.pop(queue)
    assert (queues.ready_count, queues.count) == (3, 3)


def test_an_empty_lane_frees_its_stream() -> None:
    """Only an empty stream queue can be forgotten, and what it was held for is forgotten with it."""
    queues = StreamQueues()
    queue = queues.append(1, record())
    queues.hold(queue, 5.0)
    assert not queues.discard_empty(queue)
    queues.pop(queue)
    assert queues.discard_empty(queue)
    assert queues.get(1) is None
    assert (queues.next_release, len(queues)) == (None, 0)
    again = queues.append(1, record())
    queues.release_due(6.0)
    assert not again.is_ready


def test_the_lane_that_waits_longest_is_found_at_once() -> None:
    """`first_filled` passes over stream queues that are empty, and begins anew for one that was."""
    queues = StreamQueues()
    one, two = queues.append(1, record(1)), queues.append(2, record(2))
    assert queues.first_filled() is one
    queues.pop(one)
    assert queues.first_filled() is two
    queues.append(1, record(1))
    assert queues.first_filled() is two
    queues.pop(two)
    assert queues.first_filled() is one
