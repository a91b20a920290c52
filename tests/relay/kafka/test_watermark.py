"""The watermark and what a commit says: nothing that has not ended is passed over, whatever comes when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode.relay.kafka.progress import MAX_TEXT, UNKNOWN, read_progress, write_progress
from antinode.relay.kafka.watermark import Watermark

sizes = st.lists(st.integers(1, 5), min_size=1, max_size=12)


@st.composite
def histories(draw):
    """Records by their sizes, and ranges of events that end, in any order."""
    counts = draw(sizes)
    total = sum(counts)
    places = st.tuples(st.integers(0, total), st.integers(0, total)).map(lambda pair: (min(pair), max(pair)))
    return counts, draw(st.lists(places, max_size=10))


def numbered(counts, offset=100):
    """For each event, in order, the offset of its record."""
    return [offset + at for at, count in enumerate(counts) for _ in range(count)]


def taken(counts, watermark, offset=100):
    for at, count in enumerate(counts):
        watermark.take(offset + at, count)
    return watermark


@given(histories())
def test_the_offset_is_the_first_record_with_a_pending_event(history):
    """As if each event were looked at by itself."""
    counts, ends = history
    watermark = taken(counts, Watermark(100))
    offsets, ended = numbered(counts), set()
    for start, stop in ends:
        watermark.end(start, stop)
        ended.update(range(start, stop))
        pending = [offset for number, offset in enumerate(offsets) if number not in ended]
        assert watermark.offset == min(pending, default=100 + len(counts))
        assert watermark.has_pending == bool(pending)
        first = next((number for number in range(len(offsets)) if number not in ended), len(offsets))
        assert watermark.lag == len(offsets) - first
        for number in set(range(len(offsets))) - ended:
            assert watermark.offset_of(number) == offsets[number]


@given(histories(), st.integers(0, 12))
def test_the_next_owner_knows_what_has_ended(history, read_before):
    """A commit and its text, read back: exactly the events that had ended are passed over, those before the
    offset included, however far the last owner had read."""
    counts, ends = history
    known = counts[:read_before] or counts[:1]
    first = taken(known, Watermark(100))
    ended = set()
    for start, stop in ends:
        first.end(start, min(stop, sum(known)))
        ended.update(range(start, min(stop, sum(known))))
    progress = read_progress(write_progress(first.ended_beyond(), is_released=False))
    later = Watermark(first.offset, progress.ended)
    passed = sum(counts[: first.offset - 100])
    assert set(range(passed)) <= ended
    for at in range(first.offset - 100, len(counts)):
        number = later.take(100 + at, counts[at])
        skipped = {
            passed + each for pair in later.ended_within(number, number + counts[at]) for each in range(*pair)
        }
        assert skipped == ended & set(range(passed + number, passed + number + counts[at]))


def test_what_is_known_of_other_records_counts_for_nothing():
    """When records are gone from the topic, what ended beyond the offset is not taken for the next ones."""
    watermark = Watermark(100, [(0, 3), (5, 6)])
    number = watermark.take(200, 10)
    assert watermark.ended_within(number, number + 10) == []
    assert watermark.offset == 200


def test_a_committed_record_that_had_ended_is_passed():
    """An offset whose records had all ended, by its text, moves on as they are read."""
    watermark = Watermark(100, [(0, 4)])
    watermark.take(100, 2)
    assert watermark.offset == 101
    watermark.take(101, 3)
    assert watermark.offset == 101
    assert list(watermark.ended_beyond()) == [(0, 2)]


@st.composite
def ranges(draw, most=2**40):
    """Ranges in order, which do not touch."""
    at, found = 0, []
    for _ in range(draw(st.integers(0, 30))):
        start = at + draw(st.integers(1, most)) if found else draw(st.integers(0, most))
        at = start + draw(st.integers(1, most))
        found.append((start, at))
    return found


@given(ranges(), st.booleans())
def test_a_text_comes_back(ended, is_released):
    """What is written is read, if it fits."""
    progress = read_progress(write_progress(ended, is_released=is_released))
    assert progress.ended == ended
    assert progress.is_released is is_released


@given(st.integers(1, 5000), st.integers(1, 10**6))
def test_a_text_is_never_too_long(count, step):
    """Of many ranges the first ones are kept, as many as the brokers take."""
    ended = [(at * 2 * step, at * 2 * step + step) for at in range(count)]
    text = write_progress(ended, is_released=True)
    assert len(text.encode()) <= MAX_TEXT
    read = read_progress(text)
    assert read.is_released
    assert list(read.ended) == ended[: len(read.ended)]
    assert len(read.ended) == count or len(read.ended) > 400


@given(st.text(max_size=60) | st.none())
def test_a_strange_text_says_nothing(text):
    """What was not written by the relay counts for nothing, and raises nothing."""
    assert read_progress(text) == UNKNOWN


@given(ranges(), st.integers(0, 2**63), st.integers(0, 2**63))
def test_a_text_is_for_its_offset_alone(ended, offset, other):
    """In another cluster, to which a tool copied it with a translated offset, it would name other events."""
    text = write_progress(ended, is_released=True, offset=offset)
    assert read_progress(text, offset).ended == ended
    assert (read_progress(text, other) == UNKNOWN) is (offset % 2**32 != other % 2**32)


@pytest.mark.parametrize("at", [3, 8, 12])
def test_a_damaged_text_says_nothing(at):
    """A text with one other character is not believed."""
    text = write_progress([(0, 1), (5, 9), (20, 70)], is_released=False)
    damaged = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    assert read_progress(damaged) == UNKNOWN
