"""Looking into a directory: safe while its owners live, and changing nothing."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from antinode._spool import DELIVERED, REJECTED
from antinode._spool.disk import Disk
from antinode._spool.format import encode_frame
from antinode._spool.inspection import inspect
from antinode._spool.owners import is_held
from antinode._spool.scanning import Frame, scan
from tests.spool.files import opened, segments


def test_a_survey_tells_what_each_segment_holds(tmp_path: Path) -> None:
    """Owner, process, age, events, what is pending, and whether somebody stands for it; oldest first."""
    dead = opened(tmp_path, wall=lambda: 1_000.0, clock=lambda: 50.0, fingerprint=b"project1")
    places = [dead.append(b"%d" % number, 40.0 + number, direct=True) for number in range(5)]
    dead.acknowledge(places[:2], DELIVERED)
    dead.close()
    living = opened(tmp_path)
    living.append(b"now", 0.0, direct=True)

    first, second = inspect.survey(str(tmp_path))
    assert (first.pid, first.is_alive, first.created, first.fingerprint) == (
        os.getpid(),
        False,
        1_000.0,
        b"project1",
    )
    assert (first.events, first.pending, first.oldest) == (5, 3, 992.0)
    assert first.bytes == Path(first.path).stat().st_size
    assert (second.is_alive, second.events, second.pending, second.number) == (True, 1, 1, 1)
    assert (first.damaged_records, second.damaged_bytes) == (0, 0)
    assert is_held(Disk(), str(tmp_path), second.owner), "looking has not released the lock"
    living.close()


def test_records_are_listed_with_their_fate(tmp_path: Path) -> None:
    """Every readable record with its time and code, or only the pending ones."""
    spool = opened(tmp_path, wall=lambda: 1_000.0, clock=lambda: 50.0)
    places = [spool.append(b"%d" % number, 50.0 + number, direct=True) for number in range(3)]
    spool.acknowledge([places[1]], REJECTED)
    (segment,) = segments(tmp_path)
    assert list(inspect.records(str(segment))) == [
        (0, 0, 1_000.0, b"0"),
        (1, REJECTED, 1_001.0, b"1"),
        (2, 0, 1_002.0, b"2"),
    ]
    assert [record.body for record in inspect.records(str(segment), pending_only=True)] == [b"0", b"2"]
    spool.close()


def test_what_is_written_while_it_is_read_leaves_no_gap(tmp_path: Path) -> None:
    """What was not there when the segment was opened is read where it stands, not passed over."""
    spool = opened(tmp_path)
    for number in range(3):
        spool.append(b"%d" % number, 0.0, direct=True)
    (segment,) = segments(tmp_path)
    seen = inspect.records(str(segment))
    first = next(seen)
    for number in range(3, 3_000):
        spool.append(b"%d" % number + b" " * 60, 0.0, direct=True)
    numbers = [int(record.body) for record in (first, *seen)]
    spool.close()
    assert numbers == list(range(len(numbers)))


def test_an_unfinished_record_of_a_living_owner_is_no_damage(tmp_path: Path) -> None:
    """What is half written at the moment of looking is damage only when its owner is dead."""
    spool = opened(tmp_path, is_mapped=False)
    spool.append(b"whole", 0.0, direct=True)
    (segment,) = segments(tmp_path)
    with segment.open("r+b") as file:
        content = file.read()
        file.seek(content.index(b"whole") + 5)
        file.write(b"torn")
    assert inspect.verify(str(tmp_path)) == []
    assert inspect.survey(str(tmp_path))[0].damaged_bytes == 0
    spool.renew_after_fork()  # lets go of everything, as a death does
    (finding,) = inspect.verify(str(tmp_path))
    assert (finding.length, finding.records) == (4, 1)
    assert inspect.survey(str(tmp_path))[0].damaged_bytes == 4


def test_a_healthy_directory_has_no_findings(tmp_path: Path) -> None:
    """Living, closed, and unfinished segments are as they should be; a stranger's file is named."""
    spool = opened(tmp_path)
    for _ in range(1000):
        spool.append(b"x" * 1000, 0.0, direct=True)
    spool.close()
    spool = opened(tmp_path)
    assert inspect.verify(str(tmp_path)) == []
    (tmp_path / "notes.txt").write_text("hello")
    (finding,) = inspect.verify(str(tmp_path))
    assert finding.problem == "does not belong to a spool"
    spool.close()


def test_a_cut_segment_is_told(tmp_path: Path) -> None:
    """A segment that is shorter than its header says may have lost records."""
    spool = opened(tmp_path)
    for number in range(10):
        spool.append(b"%d" % number, 0.0, direct=True)
    spool.close()
    (segment,) = segments(tmp_path)
    os.truncate(segment, segment.stat().st_size - 512 - 25)
    problems = [finding.problem for finding in inspect.verify(str(tmp_path))]
    assert problems == ["cut short by 537 bytes"]
    assert [record.body for record in inspect.records(str(segment))] == [
        b"%d" % number for number in range(9)
    ]


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    """A directory that is not there raises OSError; a file that is no segment ValueError."""
    with pytest.raises(FileNotFoundError):
        inspect.survey(str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        inspect.verify(str(tmp_path / "none"))
    file = tmp_path / "file.seg"
    file.write_bytes(b"no segment")
    with pytest.raises(ValueError, match="no segment"):
        next(inspect.records(str(file)))
    assert inspect.survey(str(tmp_path)) == []


def test_a_reader_catches_up_with_a_living_writer() -> None:
    """Records that are written after their place was read as zeros are read again, and reading ends."""
    salt = 7
    frames = b"".join(encode_frame(nth, 0.0, b"%d" % nth, salt) for nth in range(100))
    visible = len(frames) // 2

    def read_at(offset: int, length: int) -> bytes:
        nonlocal visible
        seen = (frames[:visible] + bytes(len(frames)))[offset : offset + length]
        visible += 40  # the writer goes on
        return seen

    found = list(itertools.islice(scan(read_at, 0, len(frames), 0, salt), 1000))
    assert all(isinstance(item, Frame) or item.is_at_end for item in found)
    assert [item.nth for item in found if isinstance(item, Frame)][:50] == list(range(50))
    assert len(found) <= 101
