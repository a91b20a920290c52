"""Files that are damaged, cut short or somebody else's cost no more than what was in them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._spool import DELIVERED, Spool, SpoolBroken
from antinode._spool.disk import PAGE, read_through
from antinode._spool.format import ACKS_AT, HEADER_BLOCK, SMALLEST
from antinode._spool.inspection.inspect import verify
from tests.examples import examples
from tests.spool.faulty import FaultyDisk
from tests.spool.files import bodies, drain, opened, segments, settle


def leave(path: Path, count: int, size: int = 300) -> list[bytes]:
    written = [b"%d:" % number + bytes([65 + number % 26]) * size for number in range(count)]
    spool = opened(path)
    for body in written:
        spool.append(body, 0.0, direct=True)
    spool.close()
    return written


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one closed segment of 20 records."""
    path = tmp_path_factory.mktemp("original")
    leave(path, 20, size=40)
    return path


@given(data=st.data())
@settings(max_examples=examples(60), deadline=None)
def test_whatever_happens_to_a_file_never_raises(
    original: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Flips, cuts and overwritten stretches anywhere in the file: what is given was written, and in order."""
    (file,) = segments(original)
    content = bytearray(file.read_bytes())
    hurt: set[int] = set()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["flip", "cut", "overwrite"]))
        if kind == "flip":
            content[at] ^= 1 << data.draw(st.integers(0, 7))
            hurt.add(at)
        elif kind == "cut" and at > 0:
            hurt |= set(range(at, len(content)))
            del content[at:]
        else:
            rubbish = data.draw(st.binary(min_size=1, max_size=120))[: len(content) - at]
            content[at : at + len(rubbish)] = rubbish
            hurt |= set(range(at, at + len(rubbish)))
    path = tmp_path_factory.mktemp("damaged")
    (path / file.name).write_bytes(content)
    written = [b"%d:" % number + bytes([65 + number % 26]) * 40 for number in range(20)]

    spool = opened(path)
    spool.adopt(any_fingerprint=True)
    given_back = settle(spool)
    spool.prepare()
    assert given_back == [body for body in written if body in set(given_back)]
    size = file.stat().st_size
    header_lives = not any(at < HEADER_BLOCK for at in hurt) or not any(
        at >= size - HEADER_BLOCK for at in hurt
    )
    if header_lives:
        start = ACKS_AT + SMALLEST * 16 // 64
        offset = start
        for body in written:
            end = offset + 24 + len(body)
            if not any(offset <= at < end for at in hurt) and not any(ACKS_AT <= at < start for at in hurt):
                assert body in given_back
            offset = end
    spool.close()
    assert segments(path) == []
    shutil.rmtree(path)


def test_damage_is_set_aside_with_a_report_once(tmp_path: Path) -> None:
    """The damaged stretch is copied to damaged/ with a report; another adopter does not report it again."""
    written = leave(tmp_path, 50)
    (file,) = segments(tmp_path)
    content = bytearray(file.read_bytes())
    at = content.index(written[7])
    content[at + 5] ^= 0x10
    file.write_bytes(content)
    assert [(finding.problem, finding.records) for finding in verify(str(tmp_path))] == [("unreadable", 1)]

    spool = opened(tmp_path)
    spool.adopt()
    assert bodies(drain(spool)) == written[:7] + written[8:]
    stats = spool.stats()
    assert (stats.damaged_records, stats.damaged_bytes) == (1, 24 + len(written[7]))
    spool.close()
    (report,) = (tmp_path / "damaged").glob("*.json")
    told = json.loads(report.read_text())
    assert (told["segment"], told["problem"], told["records_missing"]) == (file.name, "unreadable", 1)
    (kept,) = (tmp_path / "damaged").glob("*.bin")
    assert kept.read_bytes() == bytes(content[at - 24 : at + len(written[7])])
    assert kept.stat().st_mode & 0o777 == 0o600

    spool = opened(tmp_path)
    spool.adopt()
    assert settle(spool) == written[:7] + written[8:]
    assert (spool.stats().damaged_records, spool.stats().damaged_bytes) == (0, 0)
    spool.close()
    assert segments(tmp_path) == []
    assert [Path(finding.path) for finding in verify(str(tmp_path))] == [kept]


@pytest.mark.parametrize("name", ["backup.seg", "000000000001-1-00000000-00000001.seg"])
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 300_000, b"hello" * 1000, None], ids=["empty", "zeros", "text", "dir"]
)
def test_what_is_no_segment_is_set_aside(tmp_path: Path, name: str, content: bytes | None) -> None:
    """Foreign and empty files, and a directory with a segment's name, go to damaged/ and hinder nothing."""
    written = leave(tmp_path, 3)
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)
    assert [Path(finding.path).name for finding in verify(str(tmp_path))] == [name]
    spool = opened(tmp_path)
    spool.adopt()
    assert settle(spool) == written
    spool.close()
    assert (tmp_path / "damaged" / name).exists()
    assert (tmp_path / "damaged" / f"{name}.json").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["damaged"]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """A file that does not look like the spool's stays where it is; a link is not followed."""
    (tmp_path / "README").write_text("mine")
    target = tmp_path / "elsewhere"
    target.write_text("mine")
    (tmp_path / "000000000001-1-00000000-00000001.seg").symlink_to(target)
    spool = opened(tmp_path)
    spool.adopt()
    assert drain(spool) == []
    spool.close()
    assert (tmp_path / "README").read_text() == target.read_text() == "mine"


def test_pages_that_cannot_be_read_cost_their_records(tmp_path: Path) -> None:
    """A page that stays bad loses the records on it alone; the file is set aside whole."""
    written = leave(tmp_path, 200)
    (original,) = segments(tmp_path)
    content = original.read_bytes()
    disk = FaultyDisk()
    disk.bad_pages = {5}
    now = [0.0]
    spool = opened(tmp_path, disk=disk, clock=lambda: now[0])
    spool.adopt()
    read = read_patiently(spool, now)
    lost = [body for body in written if body not in read]
    assert 0 < len(lost) <= PAGE // 300 + 2
    assert read == [body for body in written if body not in lost]
    assert spool.stats().damaged_records == len(lost)
    spool.close()

    # The page with acknowledgements: unreadable ones count as pending, for none must be lost.
    disk.bad_pages = {0}
    spool = opened(tmp_path, disk=disk, clock=lambda: now[0])
    assert spool.adopt(any_fingerprint=True) == 1
    again = spool.read(1000, 1 << 20)
    while spool.has_unread:
        now[0] += 60
        again += spool.read(1000, 1 << 20)
    assert len(again) >= len(written) - len(lost)
    spool.acknowledge([record.place for record in again], DELIVERED)
    spool.prepare()
    assert not original.exists()
    kept = (tmp_path / "damaged" / original.name).read_bytes()
    assert kept[HEADER_BLOCK * 100 :] == content[HEADER_BLOCK * 100 :], "what could be read later is there"
    spool.close()


def read_patiently(spool: Spool, now: list[float]) -> list[bytes]:
    """Read to the end, however often the disk refuses."""
    read = bodies(drain(spool))
    while spool.has_unread:
        now[0] += 60
        read += bodies(drain(spool))
    return read


def test_reading_through_bad_pages_keeps_lengths(tmp_path: Path) -> None:
    """Unreadable pages are filled, so that what follows keeps its place; the end stays the end."""
    file = tmp_path / "file"
    file.write_bytes(b"a" * PAGE + b"b" * PAGE + b"c" * 100)
    disk = FaultyDisk()
    disk.bad_pages = {1}
    descriptor = disk.open(str(file))
    assert read_through(disk, descriptor, 10, 3 * PAGE) == b"a" * (PAGE - 10) + b"\xff" * PAGE + b"c" * 100
    disk.bad_pages = {2}
    assert read_through(disk, descriptor, 2 * PAGE + 50, PAGE) == b"\xff" * 50
    disk.close(descriptor)


def test_a_later_versions_segment_is_left_for_it(tmp_path: Path) -> None:
    """A segment with a greater version number is neither read nor set aside nor deleted."""
    from zlib import crc32

    leave(tmp_path, 3)
    (file,) = segments(tmp_path)
    content = bytearray(file.read_bytes())
    for at in (0, len(content) - HEADER_BLOCK):
        content[at + 8] = 9
        content[at + 508 : at + 512] = crc32(content[at : at + 508]).to_bytes(4, "little")
    file.write_bytes(content)
    spool = opened(tmp_path)
    assert spool.adopt(any_fingerprint=True) == 0
    spool.close()
    assert file.read_bytes() == content
    assert "version 9" in verify(str(tmp_path))[0].problem


@pytest.mark.parametrize("damage", ["flip", "zeros at the end", "zeros in the middle"])
def test_own_records_that_went_bad_are_counted(tmp_path: Path, damage: str) -> None:
    """A live segment damaged on disk: the other records are given, the missing ones counted, reading ends."""
    spool = opened(tmp_path)
    written = [b"%d:" % number + b"x" * 100 for number in range(50)]
    for body in written:
        spool.append(body, 0.0, direct=False)
    (segment,) = segments(tmp_path)
    content = segment.read_bytes()
    with segment.open("r+b") as file:
        at = content.index(written[20])
        if damage == "flip":
            file.seek(at + 9)
            file.write(b"y")
            lost = 1
        else:
            count = 30 if damage == "zeros at the end" else 3
            file.seek(at - 24)
            file.write(bytes(count * (24 + len(written[20]))))
            lost = count
    assert bodies(drain(spool)) == written[:20] + written[20 + lost :]
    assert spool.stats().damaged_records == lost
    assert not spool.has_unread
    spool.append(b"after", 0.0, direct=False)
    assert settle(spool) == [b"after"]
    spool.close()


@pytest.mark.parametrize("is_mapped", [None, False], ids=["mapped where safe", "plain"])
@pytest.mark.parametrize("size", [0, 5000])
def test_a_live_segment_that_is_cut_short_is_left_for_a_new_one(
    tmp_path: Path, is_mapped: bool | None, size: int
) -> None:
    """Before anything is stored behind its end, which would end the process; what it held counts as lost."""
    spool = opened(tmp_path, is_mapped=is_mapped)
    places = [spool.append(b"%d" % number, 1.0, direct=True) for number in range(5)]
    os.truncate(segments(tmp_path)[0], size)
    with pytest.raises(SpoolBroken, match="cut short"):
        spool.prepare()
    assert not spool.takes_records
    spool.prepare()
    assert spool.lost(places) == set(places)
    later = spool.append(b"later", 2.0, direct=True)
    assert spool.lost([later]) == set()
    spool.close()


def test_a_spare_segment_that_is_cut_short_is_not_used(tmp_path: Path) -> None:
    """Nor is it stored into when the current one is full."""
    spool = opened(tmp_path, max_bytes=8 * 16 * 1024)
    body = b"x" * 1000
    while len(segments(tmp_path)) < 2:
        spool.append(body, 1.0, direct=True)
        spool.prepare()
    os.truncate(segments(tmp_path)[1], 0)
    for _ in range(30):
        spool.append(body, 1.0, direct=True)
    spool.close()


def test_damage_that_costs_events_is_told_once(tmp_path: Path) -> None:
    """With how many there were; those beside it are given."""
    spool = opened(tmp_path)
    for number in range(5):
        spool.append(b"record %d" % number, 1.0, direct=True)
    spool.close()
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"record 2", b"rec0rd 2"))
    spool = opened(tmp_path)
    spool.adopt()
    assert len(settle(spool)) == 4
    (told,) = spool.take_refusals()
    assert "1 event in the spool" in str(told)
    assert "damaged/" in told.consequence
    assert spool.take_refusals() == []
    spool.close()
