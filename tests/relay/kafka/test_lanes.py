"""Parked lanes: every event is given once, each stream in order, and no stream waits for another."""

from hypothesis import given
from hypothesis import strategies as st

from antinode.relay.kafka.lanes import ParkedLanes
from antinode.relay.kafka.progress import read_progress, write_progress
from antinode.relay.kafka.watermark import Watermark

PROJECT = "p"
BOUND = 2


class Reader:
    """Reads a log of records, each a list of streams, as the lanes ask for."""

    def __init__(self, log, watermark=None, until=None):
        self.log = log
        self.lanes = ParkedLanes(
            watermark or Watermark(0), len(log) if until is None else until, lane_events=BOUND
        )
        self.events = {}
        self.flying = []

    def read(self):
        """Read one record, if there is one; returns whether there was."""
        at = self.lanes.seek()
        position = self.lanes.position
        assert at in (None, position)
        if position >= len(self.log):
            return False
        streams = self.log[position]
        for index, number in self.lanes.read(position, PROJECT, streams, is_own=False):
            assert number not in self.events
            self.events[number] = (position, index, streams[index])
            self.flying.append(number)
        return True

    def end(self, number):
        self.flying.remove(number)
        self.lanes.end(number)
        self.lanes.watermark.end(number, number + 1)


logs = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=8)


def by_stream(given):
    found = {}
    for position, index, stream in given:
        found.setdefault(stream, []).append((position, index))
    return found


@given(logs, st.data())
def test_each_stream_comes_whole_and_in_order(log, data):
    """Whatever ends when: all events are given, once, in the order of the log stream by stream; and never
    more of one stream at a time than the bound."""
    reader = Reader(log)
    total = sum(map(len, log))
    for _ in range(40 * total):
        if len(reader.events) == total and not reader.flying:
            break
        ends = data.draw(st.booleans()) if reader.flying else False
        if ends:
            reader.end(data.draw(st.sampled_from(reader.flying)))
        elif not reader.read() and reader.flying:
            reader.end(reader.flying[0])
        held = [reader.events[number][2] for number in reader.flying]
        assert all(held.count(stream) <= BOUND for stream in held)
    assert len(reader.events) == total
    given = list(reader.events.values())
    assert all(places == sorted(places) for places in by_stream(given).values())
    assert len(reader.lanes) == 0
    assert reader.lanes.watermark.offset == len(log)


@given(logs, st.integers(0, 3))
def test_a_stream_that_stands_still_keeps_no_other(log, still):
    """All events of the other streams end, though none of one stream does."""
    reader = Reader(log)
    for _ in range(100):
        went_on = reader.read()
        for number in [each for each in reader.flying if reader.events[each][2] != still]:
            reader.end(number)
            went_on = True
        if not went_on:
            break
    else:
        raise AssertionError("it reads the same again and again")
    ended = [event for number, event in reader.events.items() if number not in reader.flying]
    others = [stream for streams in log for stream in streams if stream != still]
    assert sorted(stream for _, _, stream in ended) == sorted(others)
    assert len(reader.flying) == min(BOUND, sum(streams.count(still) for streams in log))


@given(logs, st.data())
def test_the_next_owner_gives_the_rest(log, data):
    """After a commit in the midst, the next owner gives exactly what had not ended."""
    reader = Reader(log)
    for _ in range(data.draw(st.integers(0, 2 * len(log)))):
        reader.read()
        for number in list(reader.flying):
            if data.draw(st.booleans()):
                reader.end(number)
    ended = {event[:2] for number, event in reader.events.items() if number not in reader.flying}
    watermark = reader.lanes.watermark
    progress = read_progress(write_progress(watermark.ended_beyond(), is_released=True))
    later = Reader(log, Watermark(watermark.offset, progress.ended))
    for _ in range(200):
        if not later.read():
            if not later.flying:
                break
            later.end(later.flying[0])
    whole = {(position, index) for position, streams in enumerate(log) for index in range(len(streams))}
    assert {event[:2] for event in later.events.values()} == whole - ended
    assert later.lanes.is_scanned


def test_what_is_parked_is_known_at_once_and_until_it_has_ended():
    """A stream is parked from the moment it is, until the last of its events has ended."""
    log = []
    reader = Reader(log)
    reader.lanes.park((PROJECT, 7), 2)
    assert reader.lanes.has((PROJECT, 7))
    assert reader.lanes.pending == 2
    log.append([7, 7])
    assert [number for _, number in reader.lanes.read(0, PROJECT, [7, 7], is_own=True)] == [0, 1]
    assert reader.lanes.pending == 2
    for number in (0, 1):
        assert reader.lanes.has((PROJECT, 7))
        reader.lanes.end(number)
    assert not reader.lanes.has((PROJECT, 7))


def test_others_parked_events_are_known_once_all_is_read():
    """Until what others have parked has been read, nobody can say that a stream is not parked."""
    reader = Reader([[1], [2]])
    assert not reader.lanes.is_scanned
    reader.read()
    assert not reader.lanes.is_scanned
    reader.read()
    assert reader.lanes.is_scanned
