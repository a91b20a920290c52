"""The bytes of a segment: what is written is read, and damage costs only the records it touches."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._spool.format import (
    CODES,
    DAMAGED,
    FRAME_MAGIC_BYTES,
    FRAME_SIZE,
    HEADER_BLOCK,
    PENDING,
    Header,
    Newer,
    NotASegment,
    decode_header,
    encode_frame,
    encode_header,
    layout,
    new_owner,
    parse_lock_name,
    parse_segment_name,
    pid_of,
    read_acks,
    segment_name,
    size_for,
)
from antinode._spool.scanning import CHUNK
from tests.examples import examples
from tests.spool.files import scanned

SALT = 0x5EED

# Bodies of every kind, those made of the frame's own magic included.
body = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([FRAME_MAGIC_BYTES, b"\0" * 24, b"\xff", b"{}"]), max_size=20).map(b"".join),
)
some_bodies = st.lists(body, min_size=1, max_size=12)


def written(bodies: list[bytes], room: int = 300) -> tuple[bytes, list[int]]:
    """The records area, with zeros behind the records, and where each record ends."""
    frames = [encode_frame(nth, float(nth), body, SALT) for nth, body in enumerate(bodies)]
    return b"".join(frames) + bytes(room), list(itertools.accumulate(len(frame) for frame in frames))


@given(some_bodies)
def test_every_body_comes_back(bodies: list[bytes]) -> None:
    """Any bytes make a record, and records come back in order with their times, without any damage."""
    data, _ = written(bodies)
    frames, damages = scanned(data, 0, len(data), SALT)
    assert [frame.body for frame in frames] == bodies
    assert [frame.logged_at for frame in frames] == [float(nth) for nth in range(len(bodies))]
    assert damages == []


@given(some_bodies, st.data())
def test_a_flipped_bit_costs_the_record_it_hits(bodies: list[bytes], data: st.DataObject) -> None:
    """Wherever a bit flips, all other records are read, and the missing one is counted."""
    area, ends = written(bodies)
    at = data.draw(st.integers(0, ends[-1] * 8 - 1))
    flipped = bytearray(area)
    flipped[at // 8] ^= 1 << at % 8
    hit = next(nth for nth, end in enumerate(ends) if at // 8 < end)

    frames, damages = scanned(bytes(flipped), 0, len(area), SALT)

    assert [frame.nth for frame in frames] == [nth for nth in range(len(bodies)) if nth != hit]
    assert all(frame.body == bodies[frame.nth] for frame in frames)
    assert [(damage.nth, damage.records) for damage in damages] == [(hit, 1)]


@given(some_bodies, st.data())
def test_a_stretch_of_rubbish_costs_the_records_it_hits(bodies: list[bytes], data: st.DataObject) -> None:
    """Overwritten bytes, zeros or not, cost the records they lie in; no other is lost, none is invented."""
    area, ends = written(bodies)
    start = data.draw(st.integers(0, ends[-1] - 1))
    rubbish = data.draw(st.one_of(st.binary(min_size=1, max_size=150), st.integers(1, 150).map(bytes)))
    rubbish = rubbish[: ends[-1] - start]
    changed = area[:start] + rubbish + area[start + len(rubbish) :]
    starts = [0, *ends]
    hit = {
        nth for nth in range(len(bodies)) if changed[starts[nth] : ends[nth]] != area[starts[nth] : ends[nth]]
    }

    frames, damages = scanned(changed, 0, len(changed), SALT)

    assert [frame.nth for frame in frames] == [nth for nth in range(len(bodies)) if nth not in hit]
    assert all(frame.body == bodies[frame.nth] for frame in frames)
    missed = {nth for damage in damages for nth in range(damage.nth, damage.nth + damage.records)}
    behind = {nth for nth in hit if nth > max((frame.nth for frame in frames), default=-1)}
    assert hit - behind <= missed <= hit


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
@settings(max_examples=examples(25))
def test_a_truncated_area_keeps_what_is_whole(bodies: list[bytes]) -> None:
    """Cut at any byte, the records before the cut are read; a torn one is reported."""
    area, ends = written(bodies, room=0)
    for cut in range(len(area) + 1):
        frames, damages = scanned(area[:cut], 0, len(area), SALT)
        whole = sum(1 for end in ends if end <= cut)
        assert [frame.body for frame in frames] == bodies[:whole]
        torn = area[ends[whole - 1] if whole else 0 : cut].rstrip(b"\0")
        assert [damage.is_at_end for damage in damages] == ([True] if torn else [])


def test_records_on_both_sides_of_much_damage_are_read() -> None:
    """Damage longer than what is read at once is passed over, as are records longer than that."""
    bodies = [b"before", b"x" * (3 * CHUNK), b"y" * (2 * CHUNK + 5), b"after", b"last"]
    area, ends = written(bodies, room=CHUNK)
    assert [frame.body for frame in scanned(area, 0, len(area), SALT)[0]] == bodies
    for filler in (b"\0", b"\xff", FRAME_MAGIC_BYTES):
        stretch = (filler * (ends[2] - ends[0]))[: ends[2] - ends[0]]
        damaged = area[: ends[0]] + stretch + area[ends[2] :]
        frames, damages = scanned(damaged, 0, len(damaged), SALT)
        assert [frame.body for frame in frames] == [b"before", b"after", b"last"]
        assert [(damage.offset, damage.end, damage.records) for damage in damages] == [(ends[0], ends[2], 2)]


@pytest.mark.parametrize("shift", range(-30, 30, 7))
def test_a_record_across_two_chunks_is_found_again(shift: int) -> None:
    """Resuming after damage finds a record wherever it lies in what is read at once."""
    hole = CHUNK + shift
    area = bytes([255]) * hole + encode_frame(3, 0.0, b"found", SALT) + bytes(50)
    frames, damages = scanned(area, 0, len(area), SALT)
    assert [(frame.nth, frame.body) for frame in frames] == [(3, b"found")]
    assert [(damage.offset, damage.end, damage.records) for damage in damages] == [(0, hole, 3)]


@given(some_bodies)
def test_a_frame_of_another_segment_is_no_frame(bodies: list[bytes]) -> None:
    """Bytes that were a segment once do not become records inside another one."""
    data, ends = written(bodies)
    frames, damages = scanned(data, 0, len(data), SALT + 1)
    assert frames == []
    assert [damage.is_at_end for damage in damages] == [True]
    assert damages[0].end <= ends[-1]


@pytest.mark.parametrize("nth", [1, 1000])
def test_a_whole_frame_that_does_not_belong_there_is_passed_over(nth: int) -> None:
    """Behind damage, a frame of a position that came before or cannot have been reached is not resumed at."""
    head = b"".join(encode_frame(number, 0.0, b"%d" % number, SALT) for number in range(3))
    stray = encode_frame(nth, 0.0, b"stray", SALT)
    data = head + b"rubbish" + stray + encode_frame(4, 0.0, b"4", SALT) + bytes(100)
    frames, damages = scanned(data, 0, len(data), SALT)
    assert [frame.body for frame in frames] == [b"0", b"1", b"2", b"4"]
    assert [(damage.nth, damage.records) for damage in damages] == [(3, 1)]


header = st.builds(
    Header,
    owner=st.builds(
        new_owner, st.integers(0, 2**48 - 1), st.integers(1, 2**31 - 1), st.integers(0, 2**32 - 1)
    ),
    number=st.integers(0, 2**32 - 1),
    slots=st.integers(0, 2**32 - 1),
    data_start=st.integers(0, 2**63),
    data_end=st.integers(0, 2**63),
    wall=st.floats(allow_nan=False),
    monotonic=st.floats(allow_nan=False),
    fingerprint=st.binary(min_size=8, max_size=8),
    salt=st.integers(0, 2**32 - 1),
)


@given(header, st.integers(0, HEADER_BLOCK * 8 - 1))
def test_a_header_comes_back_or_is_refused(written: Header, bit: int) -> None:
    """A header is read as it was written; with any bit flipped it is not read at all."""
    block = encode_header(written)
    assert decode_header(block) == written
    flipped = bytearray(block)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NotASegment):
        decode_header(bytes(flipped))


@given(st.binary(max_size=600))
def test_other_bytes_are_no_header(block: bytes) -> None:
    """Whatever else stands there is refused with one exception."""
    with pytest.raises(NotASegment):
        decode_header(block)


def test_a_later_version_is_told_from_damage() -> None:
    """A whole header with a greater version number belongs to a later antinode."""
    from zlib import crc32

    owner = new_owner(0, 1, 2)
    block = bytearray(encode_header(Header(owner, 1, 1, 1, 1, 0.0, 0.0, bytes(8), 0)))
    block[8:10] = (2).to_bytes(2, "little")
    block[-4:] = crc32(block[:-4]).to_bytes(4, "little")
    with pytest.raises(Newer, match="version 2"):
        decode_header(bytes(block))


def test_no_single_bit_settles_a_record() -> None:
    """A flipped bit in an acknowledgement byte makes it pending, never another code."""
    valid = [PENDING, *CODES, DAMAGED]
    for code in valid:
        assert read_acks(bytes([code])) == bytes([code])
        for bit in range(8):
            assert read_acks(bytes([code ^ 1 << bit])) == bytes([PENDING])


@given(st.integers(0, 100_000_000))
def test_a_segment_of_its_own_takes_the_record(length: int) -> None:
    """The size computed for a body has room for its frame and an acknowledgement, and little more."""
    size = size_for(length)
    slots, start, end = layout(size)
    assert slots >= 1
    assert end - start >= FRAME_SIZE + length
    assert size <= (length + 2000) * 1.02 + 8192


@given(st.integers(0, 2**48 - 2), st.integers(1, 2**31), st.integers(0, 2**32), st.integers(0, 99_999_999))
def test_names_are_read_back_and_sort_by_age(ms: int, pid: int, random: int, number: int) -> None:
    """A segment's name tells its owner and number; owners sort by creation."""
    owner = new_owner(ms, pid, random)
    assert parse_segment_name(segment_name(owner, number)) == (owner, number)
    assert parse_lock_name(f"{owner}.lock") == owner
    assert pid_of(owner) == pid
    assert owner < new_owner(ms + 1, 1, 0)


@pytest.mark.parametrize("name", ["a.seg", "a.lock", ".lock", "", "0-1-2-3.seg", "x" * 300, "damaged"])
def test_other_names_belong_to_no_owner(name: str) -> None:
    """A name that the spool does not give is nobody's."""
    assert parse_segment_name(name) is None
    assert parse_lock_name(name) is None
    assert pid_of(name) == 0
