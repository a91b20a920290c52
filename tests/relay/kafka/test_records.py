"""The value and the headers of a record: what is packed comes back, and nothing else passes for a record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode.relay.intake import KeptEvent
from antinode.relay.kafka.partitions import partition_of
from antinode.relay.kafka.records import (
    EVENT_OVERHEAD_BYTES,
    MAX_RECORD_BYTES,
    RecordHead,
    UnreadableRecord,
    headers_of,
    in_records,
    pack,
    read_headers,
    unpack,
)
from antinode.relay.streams import stream_of

streams = st.integers(0, 2**64 - 1)
events = st.lists(st.tuples(streams, st.binary(max_size=60)), min_size=1, max_size=20)

KNOWN = [33, 4, 43]


def kept(body, stream=7):
    return KeptEvent(body=body, user_id=None, device_id=None, stream=stream)


@given(events)
def test_what_is_packed_comes_back(packed):
    """Each event has its stream and its bytes, in the order in which they were packed."""
    read = unpack(pack([stream for stream, _ in packed], [body for _, body in packed]))
    assert list(zip(read.streams, read.bodies, strict=True)) == packed


@given(events, st.data())
def test_a_value_that_was_cut_or_grew_is_unreadable(packed, data):
    """No part of a value passes for a value."""
    value = pack([stream for stream, _ in packed], [body for _, body in packed])
    length = data.draw(st.integers(0, len(value) - 1))
    with pytest.raises(UnreadableRecord):
        unpack(value[:length])
    with pytest.raises(UnreadableRecord):
        unpack(value + b"x")


@given(st.none() | st.binary(max_size=200))
def test_any_bytes_are_events_or_unreadable(value):
    """Reading raises nothing else, and never gives a record without events."""
    try:
        read = unpack(value)
    except UnreadableRecord:
        return
    assert pack(read.streams, read.bodies) == value


def test_the_format_is_what_its_text_says():
    """The bytes of format 1, number by number: what is stored today is read by every later version."""
    assert pack([1, 2**64 - 1], [b"{}", b"[1]"]) == (
        b"\0\0\0\2\0\0\0\0\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\2\0\0\0\3{}[1]"
    )
    assert headers_of(RecordHead("00ff00ff00ff00ff", 1_700_000_000_123, 12)) == [
        ("antinode-format", b"1"),
        ("antinode-project", b"00ff00ff00ff00ff"),
        ("antinode-received", b"1700000000123"),
        ("antinode-partitions", b"12"),
    ]


def test_headers_come_back():
    """What a head says is read from the headers made of it, whatever others there are."""
    head = RecordHead("00ff00ff00ff00ff", 1_700_000_000_123, 12)
    assert read_headers([("traceparent", None), *headers_of(head)]) == head


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [],
        [("antinode-format", b"2")],
        headers_of(RecordHead("00", 1, 2))[:-1],
        [*headers_of(RecordHead("00", 1, 2))[:-1], ("antinode-partitions", b"many")],
        [*headers_of(RecordHead("00", 1, 2)), ("antinode-received", None)],
    ],
)
def test_headers_of_others_are_unreadable(headers):
    """A record without the relay's headers, or of another format, is none that could be delivered."""
    with pytest.raises(UnreadableRecord):
        read_headers(headers)


@given(st.lists(st.binary(max_size=50), max_size=40), st.integers(20, 200))
def test_no_record_is_larger_than_allowed(bodies, most):
    """All events come, in order; only one that is too large by itself makes a record that is."""
    parts = list(in_records(map(kept, bodies), most))
    assert [event.body for part in parts for event in part] == bodies
    for part in parts:
        value = pack([event.stream for event in part], [event.body for event in part])
        assert len(value) <= most or len(part) == 1


def test_as_few_records_as_fit():
    """Events share a record as long as there is room."""
    size = MAX_RECORD_BYTES // 3 - EVENT_OVERHEAD_BYTES - 4
    assert [len(part) for part in in_records([kept(b"x" * size)] * 7)] == [3, 3, 1]


@given(st.text(max_size=20), st.text(max_size=20), st.integers(1, 1000))
def test_a_stream_has_one_partition(user, device, partitions):
    """The same ids are in the same partition, one that there is."""
    partition = partition_of(stream_of(user, device), partitions)
    assert 0 <= partition < partitions
    assert partition == partition_of(stream_of(user, device), partitions)


def test_partitions_are_filled_alike():
    """No partition has much more of many streams than its share."""
    counts = [0] * 12
    for number in range(12_000):
        counts[partition_of(stream_of(f"user-{number}", None), 12)] += 1
    assert 850 < min(counts) <= max(counts) < 1150


def test_the_partition_of_known_ids():
    """These are what topics hold: another answer would part a user's events."""
    ids = [("datamonster", None), ("u1", "d1"), (None, "d1")]
    assert [partition_of(stream_of(*pair), 48) for pair in ids] == KNOWN
