"""Whatever lies in a spool directory costs no more than its size, and no good record beside it."""

from __future__ import annotations

import errno
import os
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from antinode import Client
from antinode._delivery.core import recovered
from antinode._factory import fingerprint
from antinode._spool import Spool
from antinode._spool.disk import Disk, NotRegular
from antinode._spool.format import (
    FRAME_MAGIC,
    Header,
    encode_frame,
    encode_header,
    layout,
    lock_name,
    segment_name,
)
from antinode._spool.inspection import inspect
from antinode._spool.scanning import scan
from tests.memory import KEY, Memory
from tests.native.comparing import PYTHON
from tests.spool.files import opened, settle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="FIFOs and links as POSIX has them")

GOOD = "0197f0000000-4000001-00000001"
BAD = "0197f0000001-4000002-00000002"
SIZE = 64 * 1024


def plant(directory: Path, owner: str, bodies: list[bytes], **claims: object) -> Path:
    """A segment of a dead owner, with some claims of its header changed."""
    plan = layout(SIZE)
    header = Header(owner, 1, plan.slots, plan.data_start, plan.data_end, 1.8e9, 0.0, bytes(8), 7)
    block = encode_header(header._replace(**claims))  # type: ignore[arg-type]
    data = bytearray(SIZE)
    data[: len(block)] = data[-len(block) :] = block
    at = plan.data_start
    for nth, body in enumerate(bodies):
        frame = encode_frame(nth, 1.0, body, 7)
        data[at : at + len(frame)] = frame
        at += len(frame)
    path = directory / segment_name(owner, 1)
    path.write_bytes(data)
    return path


NOT_EVENTS = [
    b"",
    b"\xff\xfe",
    b'{"user_id":"\xff"}',
    b"[]",
    b"null",
    b'{"user_id":5}',
    b'{"a":1},{"event_type":"smuggled","user_id":"user-1"}',
    b'{"a":1}],"api_key":"other","events":[{"event_type":"stolen"}',
    b'{"user_id":"user-1","x":' + b"[" * 15_000 + b"]" * 15_000 + b"}",
]


@pytest.mark.parametrize("body", NOT_EVENTS)
def test_a_record_that_is_no_event_is_given_up_alone(tmp_path: Path, body: bytes) -> None:
    """It is counted and kept as a dead letter; the good ones around it are delivered."""
    good = b'{"event_type":"good","user_id":"user-good"}'
    directory = tmp_path / "spool"
    directory.mkdir()
    plant(directory, GOOD, [good, body, good], fingerprint=fingerprint(KEY), wall=time.time())
    letters = tmp_path / "dead.jsonl"
    client = Client("test").init(KEY, transport=Memory(), storage=directory, dead_letters=letters)
    try:
        client.flush(120)
        stats = client.stats()
        assert (stats.recovered, stats.delivered, stats.dropped, stats.pending) == (
            3,
            2,
            {"unreadable": 1},
            0,
        )
    finally:
        client.shutdown()
    assert len(letters.read_bytes().splitlines()) == 1


class Unreadable:
    """A body that fails in whatever is done with it."""

    def __bytes__(self) -> bytes:
        raise RuntimeError("a fault that nobody has foreseen")


@pytest.mark.parametrize("fault", ["ids_of", "is_event", "body"])
def test_a_record_that_fails_in_an_unforeseen_way_is_given_up_alone(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The coordinator goes on with the others at once; the record is dropped, told, and a dead letter."""
    good, bad = b'{"event_type":"good","user_id":"user-good"}', b'{"event_type":"bad"}'
    directory = tmp_path / "spool"
    directory.mkdir()
    plant(directory, GOOD, [good, bad, good], fingerprint=fingerprint(KEY), wall=time.time())
    if fault == "body":
        read = Spool.read

        def read_odd(self: Spool, max_events: int, max_bytes: int) -> list[Any]:
            items = read(self, max_events, max_bytes)
            odd = partial(msgspec.structs.replace, body=Unreadable())
            return [odd(each) if each.body == bad else each for each in items]

        monkeypatch.setattr(Spool, "read", read_odd)
    else:
        # Only where the Python code looks.
        monkeypatch.setattr(recovered, "plain_records", PYTHON["plain_records"])
        sound = getattr(recovered, fault)

        def failing(given: Any) -> Any:
            if getattr(given, "body", given) == bad:
                raise RuntimeError("a fault that nobody has foreseen")
            return sound(given)

        monkeypatch.setattr(recovered, fault, failing)
    letters = tmp_path / "dead.jsonl"
    client = Client("test").init(KEY, transport=Memory(), storage=directory, dead_letters=letters)
    try:
        report = client.flush(120)
        stats = client.stats()
        assert (report.pending, stats.delivered, stats.dropped) == (0, 2, {"unreadable": 1})
    finally:
        client.shutdown()
    assert len(letters.read_bytes().splitlines()) == 1
    assert not any("coordinator" in record.message for record in caplog.records)
    assert inspect.survey(str(directory)) == [], "none of it comes again"


def make_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, make_link])
@pytest.mark.parametrize("name", [segment_name(BAD, 1), lock_name(BAD), "stray.seg"])
def test_what_is_no_regular_file_is_neither_waited_for_nor_followed(
    tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    """A FIFO, a directory or a link with a name of the spool's hinders no command and no other owner."""
    plant(tmp_path, GOOD, [b"good"])
    make(tmp_path / name)
    assert [each.pending for each in inspect.survey(str(tmp_path))] == [1]
    inspect.verify(str(tmp_path))
    spool = opened(tmp_path)
    spool.adopt()
    assert settle(spool) == [b"good"]
    spool.close()


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, make_link])
def test_what_is_in_a_locks_place_is_told_and_moved_away(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """The owner's segments are delivered all the same."""
    plant(tmp_path, BAD, [b"behind it"])
    lock = tmp_path / lock_name(BAD)
    make(lock)
    assert [each.path for each in inspect.verify(str(tmp_path))] == [str(lock)]
    spool = opened(tmp_path)
    spool.adopt()
    assert settle(spool) == [b"behind it"]
    spool.close()
    assert [path.name for path in tmp_path.iterdir()] == ["damaged"]
    assert os.path.lexists(tmp_path / "damaged" / lock.name)


@pytest.mark.parametrize(("owner", "number"), [(GOOD, 1), (BAD, 7)])
def test_a_header_that_is_another_files_is_set_aside(tmp_path: Path, owner: str, number: int) -> None:
    """Who may touch a segment goes by its name: a header may not give it to somebody else."""
    directory = tmp_path / "spool"
    directory.mkdir()
    path = plant(tmp_path, owner, [b"twice"], number=number).replace(directory / segment_name(BAD, 1))
    plant(directory, GOOD, [b"good"])
    assert [each.path for each in inspect.verify(str(directory))] == [str(path)]
    spool = opened(directory)
    spool.adopt()
    assert settle(spool) == [b"good"]
    spool.close()
    assert (directory / "damaged" / path.name).exists()


def kept(directory: Path) -> tuple[int, int]:
    """The files in `damaged/`, and their bytes."""
    files = list((directory / "damaged").iterdir())
    return len(files), sum(file.stat().st_size for file in files)


def test_damaged_is_bounded_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound damage is counted and told once; the good records between are given all the same."""
    monkeypatch.setattr("antinode._spool.inspection.damage.MOST_FILES", 20)
    path = plant(tmp_path, BAD, [])
    frames = b"".join(encode_frame(nth, 1.0, b"{}", 7) + b"\1" for nth in range(100))
    with path.open("r+b") as file:
        file.seek(layout(SIZE).data_start)
        file.write(frames)
    spool = opened(tmp_path)
    spool.adopt()
    assert settle(spool) == [b"{}"] * 100
    assert kept(tmp_path)[0] == 20
    assert spool.stats().damaged_bytes == 100
    (refusal,) = spool.take_refusals()
    assert "holds as much as it may" in str(refusal)
    assert "counted" in refusal.consequence
    assert spool.take_refusals() == []
    spool.close()


def test_damaged_is_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are no segments stay where they are when no more may be set aside; nothing is deleted."""
    monkeypatch.setattr("antinode._spool.inspection.damage.MOST_BYTES", 3 * SIZE)
    for number in range(10):
        (tmp_path / f"stray-{number}.seg").write_bytes(b"\1" * SIZE)
    spool = opened(tmp_path)
    for _ in range(3):
        spool.adopt()
    assert kept(tmp_path)[1] < 4 * SIZE
    assert len(list(tmp_path.glob("**/stray-*.seg"))) == 10
    assert len(spool.take_refusals()) == 1
    spool.close()


def test_what_is_in_damaged_already_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is the directory's, not a process's."""
    monkeypatch.setattr("antinode._spool.inspection.damage.MOST_FILES", 4)
    for number in range(5):
        (tmp_path / f"stray-{number}.seg").write_bytes(b"anything")
        spool = opened(tmp_path)
        spool.adopt()
        spool.close()
    assert kept(tmp_path)[0] == 4


def test_a_link_in_the_place_of_damaged_is_not_followed(tmp_path: Path) -> None:
    """Nothing is written where it points to."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    directory = tmp_path / "spool"
    directory.mkdir()
    (directory / "damaged").symlink_to(elsewhere)
    (directory / "stray.seg").write_bytes(b"anything")
    spool = opened(directory)
    spool.adopt()
    spool.close()
    assert list(elsewhere.iterdir()) == []
    assert (directory / "stray.seg").exists()


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, make_link])
def test_only_regular_files_are_opened(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Each way to open a file refuses everything else, at once."""
    make(tmp_path / "odd")
    for open_it in (Disk().open, Disk().open_to_read, Disk().open_lock):
        with pytest.raises(NotRegular):
            open_it(str(tmp_path / "odd"))


@pytest.mark.parametrize(
    "claims",
    [
        {"slots": 2**32 - 1},
        {"data_start": 2**64 - 1},
        {"data_start": 0},
        {"data_start": 2**63, "data_end": 0},
        {"data_end": 2**64 - 1},
    ],
)
def test_a_headers_claims_take_no_memory_that_the_file_does_not_have(
    tmp_path: Path, claims: dict[str, int]
) -> None:
    """A header may claim what it likes: the acknowledgements held are no more than the file's bytes."""
    plant(tmp_path, GOOD, [b"good"])
    path = plant(tmp_path, BAD, [], **claims)
    inspect.survey(str(tmp_path))
    spool = opened(tmp_path)
    spool.adopt()
    assert settle(spool) == [b"good"]
    assert all(segment.header.slots <= SIZE for segment in spool._segments.values())
    spool.close()
    assert not path.exists()


@pytest.mark.parametrize("wall", [float("nan"), float("inf"), -float("inf"), 1e308, -1e300, 1e18])
def test_a_time_out_of_all_bounds_is_a_date_all_the_same(tmp_path: Path, wall: float) -> None:
    """Times that no calendar has are brought within it, and the record is given."""
    path = plant(tmp_path, BAD, [b"body"], wall=wall)
    (record,) = inspect.records(str(path))
    assert 0 <= record.logged < 253_402_300_800
    spool = opened(tmp_path)
    spool.adopt()
    assert settle(spool) == [b"body"]
    spool.close()


def test_frames_within_frames_take_linear_time() -> None:
    """Claimed records that lie in one another are not each checked to their end."""
    read = 0
    size = 1 << 20
    raw = bytearray()
    while len(raw) < size // 2:
        raw += struct.pack("<IIIId", 0, FRAME_MAGIC, len(raw) // 24, size // 2 - 100, 0.0)
    raw = raw.ljust(size, b"\1")

    def read_at(offset: int, length: int) -> bytes:
        nonlocal read
        read += length
        return bytes(raw[offset : offset + length])

    list(scan(read_at, 0, size, 0, 7))
    assert read < 12 * size


def test_many_small_damages_take_linear_time() -> None:
    """A byte of damage between any two records costs a little reading, not a whole chunk."""
    read = 0
    raw = b"".join(encode_frame(nth, 1.0, b"{}", 7) + b"\1" for nth in range(20_000))

    def read_at(offset: int, length: int) -> bytes:
        nonlocal read
        read += length
        return raw[offset : offset + length]

    found = list(scan(read_at, 0, len(raw), 0, 7))
    assert len(found) == 40_000
    assert read < 200 * len(raw)


def test_a_sparse_file_counts_with_its_blocks(tmp_path: Path) -> None:
    """A file with a hole of gigabytes leaves the room that it does not take."""
    path = plant(tmp_path, BAD, [b"body"])
    os.truncate(path, 50 * 2**30)
    spool = opened(tmp_path)
    assert spool.append(b"own", 1.0, direct=True)
    spool.close()


class CountingDisk(Disk):
    """The real disk; counts the bytes that are read."""

    def __init__(self) -> None:
        self.read = 0

    def read_at(self, descriptor: int, length: int, offset: int) -> bytes:
        self.read += length
        return super().read_at(descriptor, length, offset)


HUGE = 50 * 2**30


def has_holes(path: Path) -> bool:
    """Whether the file system tells where a file's holes are."""
    with path.open("rb") as file:
        try:
            return os.lseek(file.fileno(), 4 * SIZE, os.SEEK_DATA) > 4 * SIZE
        except OSError as error:
            return error.errno == errno.ENXIO  # nothing but a hole
        except AttributeError:
            return False


@pytest.mark.parametrize("slots", [SIZE // 64, 2**32 - 1])
def test_a_segment_of_holes_costs_neither_time_nor_memory(tmp_path: Path, slots: int) -> None:
    """Its records are given, wherever in it they lie; its holes are passed over."""
    start = layout(SIZE).data_start if slots < SIZE else 2**33
    claims = {"slots": slots, "data_start": start, "data_end": HUGE - 512}
    path = plant(tmp_path, BAD, [], **claims)
    frame = encode_frame(0, 1.0, b"behind the holes", 7)
    with path.open("r+b") as file:
        file.seek(HUGE // 2)
        file.write(frame)
    os.truncate(path, HUGE)
    with path.open("r+b") as file:
        file.seek(HUGE // 2 + len(frame) + 2 * SIZE)
        file.write(b"\1")
    if not has_holes(path):
        pytest.skip("this file system does not tell where a file's holes are")
    plant(tmp_path, GOOD, [b"good"])
    disk = CountingDisk()
    spool = opened(tmp_path, disk=disk)
    spool.adopt()
    assert settle(spool) == [b"good", b"behind the holes"]
    assert disk.read < 100 * 2**20
    assert all(len(segment.acks) <= 32 * 2**20 for segment in spool._segments.values() if not segment.is_own)
    spool.close()


def test_a_survey_passes_over_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So do the commands that look into a spool from outside."""
    path = plant(tmp_path, BAD, [b"first"], data_end=HUGE - 512)
    os.truncate(path, HUGE)
    if not has_holes(path):
        pytest.skip("this file system does not tell where a file's holes are")
    disk = CountingDisk()
    monkeypatch.setattr(inspect, "Disk", lambda: disk)
    assert [each.events for each in inspect.survey(str(tmp_path))] == [1]
    inspect.verify(str(tmp_path))
    assert disk.read < 100 * 2**20
