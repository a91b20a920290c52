"""Lanes of streams that cannot simply go on."""

from __future__ import annotations

from antinode._delivery.core.stream_queues import Lanes
from antinode._delivery.record import Delivery


def record(stream: int = 1) -> Delivery:
    return Delivery(b"{}", stream, 0.0)


def test_a_stream_gets_its_records_back_in_order() -> None:
    """Records given back go before those that came later, in their own order."""
    lanes = Lanes()
    first, second, third = record(), record(), record()
    lane = lanes.append(1, third)
    lanes.prepend(1, [first, second])
    assert [lanes.pop(lane) for _ in range(3)] == [first, second, third]
    assert lanes.count == 0


def test_held_lanes_are_ready_when_their_time_has_come() -> None:
    """A held lane is not ready before its time, and `next_release` names that time."""
    lanes = Lanes()
    lane = lanes.append(1, record())
    lanes.hold(lane, 5.0)
    lanes.release_due(4.9)
    assert (lanes.next_ready(), lanes.next_release, lanes.ready_count) == (None, 5.0, 0)
    lanes.release_due(5.0)
    assert (lanes.ready_count, lanes.next_release) == (1, None)
    assert lanes.next_ready() is lane
    assert lanes.ready_count == 0


def test_a_lane_held_anew_waits_for_its_last_time() -> None:
    """Holding a lane again replaces the time; the earlier one means nothing any more."""
    lanes = Lanes()
    lane = lanes.append(1, record())
    lanes.hold(lane, 5.0)
    lanes.hold(lane, 9.0)
    lanes.release_due(6.0)
    assert lanes.next_ready() is None
    assert lanes.next_release == 9.0
    lanes.release_due(9.0)
    assert lanes.next_ready() is lane
    assert lanes.next_ready() is None


def test_ready_lanes_take_turns() -> None:
    """Lanes are given out in the order in which they became ready; one may be put first again."""
    lanes = Lanes()
    one, two = lanes.append(1, record(1)), lanes.append(2, record(2))
    lanes.make_ready(one)
    lanes.make_ready(two)
    assert lanes.next_ready() is one
    lanes.make_ready(one, first=True)
    assert lanes.next_ready() is one
    assert lanes.next_ready() is two


def test_records_that_join_a_ready_lane_are_ready_too() -> None:
    """The count of ready records follows what joins and leaves a ready lane."""
    lanes = Lanes()
    lane = lanes.append(1, record())
    lanes.make_ready(lane)
    lanes.append(1, record())
    lanes.prepend(1, [record(), record()])
    assert lanes.ready_count == 4
    lanes.pop(lane)
    assert (lanes.ready_count, lanes.count) == (3, 3)


def test_an_empty_lane_frees_its_stream() -> None:
    """Only an empty lane can be forgotten, and what it was held for is forgotten with it."""
    lanes = Lanes()
    lane = lanes.append(1, record())
    lanes.hold(lane, 5.0)
    assert not lanes.discard_empty(lane)
    lanes.pop(lane)
    assert lanes.discard_empty(lane)
    assert lanes.get(1) is None
    assert (lanes.next_release, len(lanes)) == (None, 0)
    again = lanes.append(1, record())
    lanes.release_due(6.0)
    assert not again.is_ready


def test_the_lane_that_waits_longest_is_found_at_once() -> None:
    """`first_filled` passes over lanes that are empty, and begins anew for one that was."""
    lanes = Lanes()
    one, two = lanes.append(1, record(1)), lanes.append(2, record(2))
    assert lanes.first_filled() is one
    lanes.pop(one)
    assert lanes.first_filled() is two
    lanes.append(1, record(1))
    assert lanes.first_filled() is two
    lanes.pop(two)
    assert lanes.first_filled() is one
