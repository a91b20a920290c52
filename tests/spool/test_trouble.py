"""Disks that fill up, fail, vanish or lie: one exception says so, and the spool goes on when it can."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._spool import DELIVERED, Spool, SpoolBroken, SpoolError, SpoolFull
from antinode._spool.disk import PAGE, Disk, read_through
from antinode._spool.format import ACKS_AT, HEADER_BLOCK, SMALLEST
from antinode._spool.inspection.inspect import verify
from tests.spool.files import bodies, drain, opened, segments, settle


class FaultyDisk(Disk):
    """The real disk, until a call is told to fail."""

    def __init__(self) -> None:
        self.faults: dict[str, int] = {}
        self.room: int | None = None
        """Bytes that can still be reserved or written; None: as many as there are."""
        self.bad_pages: set[int] = set()
        """Pages that cannot be read."""

    def _check(self, call: str, size: int = 0) -> None:
        if (number := self.faults.get(call)) is not None:
            raise OSError(number, os.strerror(number))
        if self.room is not None:
            if size > self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.room -= size

    def create(self, path: str) -> int:
        self._check("create")
        return super().create(path)

    def open_lock(self, path: str) -> int:
        self._check("open_lock")
        return super().open_lock(path)

    def open(self, path: str) -> int:
        self._check("open")
        return super().open(path)

    def reserve(self, descriptor: int, size: int) -> None:
        self._check("reserve", size)
        super().reserve(descriptor, size)

    def map(self, descriptor: int, size: int):  # type: ignore[no-untyped-def]
        self._check("map")
        return super().map(descriptor, size)

    def write_at(self, descriptor: int, data: bytes, offset: int) -> int:
        self._check("write_at")
        if self.room is not None and offset > ACKS_AT and len(data) > 20:
            if self.room == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[: self.room]
            self.room -= len(data)
        return super().write_at(descriptor, data, offset)

    def read_at(self, descriptor: int, length: int, offset: int) -> bytes:
        self._check("read_at")
        if any(page in self.bad_pages for page in range(offset // PAGE, (offset + length - 1) // PAGE + 1)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read_at(descriptor, length, offset)

    def sync(self, descriptor: int) -> None:
        self._check("sync")
        super().sync(descriptor)

    def unlink(self, path: str) -> None:
        self._check("unlink")
        super().unlink(path)

    def rename(self, old: str, new: str) -> None:
        self._check("rename")
        super().rename(old, new)

    def make_directory(self, path: str) -> None:
        self._check("make_directory")
        super().make_directory(path)

    def names(self, path: str) -> list[str]:
        self._check("names")
        return super().names(path)


def fill(spool: Spool, size: int = 1000) -> list[int]:
    """Append until that fails; returns the places."""
    places = []
    try:
        while True:
            places.append(spool.append(b"x" * size, 0.0, direct=True))
    except SpoolError:
        return places


@pytest.mark.parametrize(
    ("call", "number", "words"),
    [
        ("make_directory", errno.EACCES, "no permission"),
        ("make_directory", errno.EROFS, "read-only"),
        ("make_directory", errno.EEXIST, "not a directory"),
        ("open_lock", errno.EMFILE, "too many open files"),
        ("open_lock", errno.EIO, "input/output error"),
        ("open_lock", 9999, "Unknown error"),
    ],
)
def test_opening_fails_with_the_reason(tmp_path: Path, call: str, number: int, words: str) -> None:
    """A directory that cannot be used raises SpoolBroken that says why; later it opens."""
    disk = FaultyDisk()
    disk.faults[call] = number
    spool = Spool(tmp_path / "spool", max_bytes=1 << 24, disk=disk)
    with pytest.raises(SpoolBroken, match=words) as caught:
        spool.open()
    assert caught.value.errno == number
    disk.faults.clear()
    spool.open()
    spool.append(b"x", 0.0, direct=True)
    spool.close()


@pytest.mark.parametrize("call", ["create", "reserve", "map", "write_at", "rename", "names"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_a_segment_that_cannot_be_made_is_tried_again(tmp_path: Path, call: str, number: int) -> None:
    """append raises SpoolBroken, prepare too until the disk is well; then it goes on with nothing lost."""
    disk = FaultyDisk()
    spool = opened(tmp_path, disk=disk, is_mapped=True)
    kept = [spool.append(b"before", 0.0, direct=True)]
    disk.faults[call] = number
    kept += fill(spool)
    for _ in range(3):
        with pytest.raises(SpoolBroken):
            spool.append(b"x", 0.0, direct=True)
        with pytest.raises(SpoolBroken):
            spool.prepare()
    assert "cannot" in spool.stats().trouble
    assert [name for name in os.listdir(tmp_path) if name.endswith(".new")] == []
    disk.faults.clear()
    spool.prepare()
    kept.append(spool.append(b"after", 0.0, direct=True))
    assert spool.close().events == len(kept)
    spool = opened(tmp_path)
    spool.adopt()
    read = settle(spool)
    assert (len(read), read[0], read[-1]) == (len(kept), b"before", b"after")
    spool.close()


@pytest.mark.parametrize("is_mapped", [True, False])
def test_a_full_disk_is_used_up_and_then_said(tmp_path: Path, is_mapped: bool) -> None:
    """Smaller segments are tried first; a write that the full disk cuts short costs only its own record."""
    disk = FaultyDisk()
    spool = opened(tmp_path, disk=disk, is_mapped=is_mapped)
    disk.room = 500_123
    places = fill(spool)
    assert len(places) > 400
    with pytest.raises(SpoolBroken, match="the disk is full"):
        spool.append(b"y" * 1000, 0.0, direct=True)
    disk.room = None
    spool.prepare()
    spool.append(b"after", 0.0, direct=True)
    spool.close()
    spool = opened(tmp_path)
    spool.adopt()
    assert len(settle(spool)) == len(places) + 1
    assert spool.stats().damaged_bytes == 0
    spool.close()


@pytest.mark.parametrize(
    "fault", [("reserve", errno.EOPNOTSUPP), ("map", errno.ENODEV), ("map", errno.ENOMEM)]
)
def test_where_mapping_is_refused_files_are_written_plainly(tmp_path: Path, fault: tuple[str, int]) -> None:
    """A file system that cannot reserve or map is no error."""
    disk = FaultyDisk()
    disk.faults = dict([fault])
    spool = opened(tmp_path, disk=disk, is_mapped=True)
    assert not spool.stats().is_mapped
    spool.append(b"x", 0.0, direct=False)
    assert bodies(drain(spool)) == [b"x"]
    spool.close()


def test_acknowledging_and_closing_never_raise(tmp_path: Path) -> None:
    """When the disk refuses acknowledgements and deletions, the records come again: never fewer."""
    disk = FaultyDisk()
    spool = opened(tmp_path, disk=disk)
    places = [spool.append(b"%d" % number, 0.0, direct=True) for number in range(5)]
    disk.faults = {"write_at": errno.EROFS, "unlink": errno.EROFS, "open": errno.EROFS}
    spool.acknowledge(places, DELIVERED)
    assert spool.stats().pending == 0
    spool.prepare()
    spool.close()
    spool = opened(tmp_path)
    assert spool.adopt() == 1
    assert len(settle(spool)) == 5
    spool.close()


def test_a_failed_sync_is_told(tmp_path: Path) -> None:
    """wait_durable and sync raise SpoolBroken, and try again the next time."""
    disk = FaultyDisk()
    spool = opened(tmp_path, disk=disk, durability="strict")
    place = spool.append(b"x", 0.0, direct=True)
    disk.faults["sync"] = errno.EIO
    for _ in range(2):
        with pytest.raises(SpoolBroken, match="made durable"):
            spool.wait_durable(place)
    with pytest.raises(SpoolBroken):
        spool.sync()
    disk.faults.clear()
    spool.wait_durable(place)
    spool.close()


@pytest.mark.parametrize("what", ["directory", "lock", "segment"])
def test_removed_files_are_noticed_and_made_anew(tmp_path: Path, what: str) -> None:
    """prepare says once that files were removed; the next one goes on, in a new directory if need be."""
    path = tmp_path / "spool"
    spool = opened(path)
    spool.append(b"unread", 0.0, direct=False)
    if what == "directory":
        shutil.rmtree(path)
    else:
        next(iter(path.glob("*.lock" if what == "lock" else "*.seg"))).unlink()
    assert spool.append(b"not noticed yet", 0.0, direct=False) > 0
    with pytest.raises(SpoolBroken, match="were removed"):
        spool.prepare()
    with pytest.raises(SpoolBroken, match="were removed"):
        spool.append(b"x", 0.0, direct=False)
    spool.prepare()
    assert spool.stats().trouble == ""
    spool.append(b"after", 0.0, direct=False)
    assert bodies(drain(spool)) == [b"unread", b"not noticed yet", b"after"], (
        "the open file could still be read"
    )
    spool.close()
    again = opened(path)
    again.adopt()
    expected = [b"unread", b"not noticed yet", b"after"] if what == "lock" else [b"after"]
    assert settle(again) == expected
    again.close()
    assert list(path.iterdir()) == []


def append_until_it_fails(spool: Spool) -> None:
    for _ in range(10_000):
        spool.append(bytes(200), 0.0, direct=True)


def test_a_directory_that_vanished_unnoticed_is_made_anew(tmp_path: Path) -> None:
    """Even if it is only the next segment that finds it gone, between two calls of `prepare`."""
    path = tmp_path / "spool"
    spool = opened(path)
    shutil.rmtree(path)
    path.write_bytes(b"in the way")
    with pytest.raises(SpoolBroken):
        append_until_it_fails(spool)
    with pytest.raises(SpoolBroken):
        spool.prepare()
    path.unlink()
    spool.prepare()
    spool.append(b"after", 0.0, direct=True)
    assert spool.close().events == 1


def test_segments_removed_while_unread_are_counted_as_lost(tmp_path: Path) -> None:
    """Full segments are not kept open; if they are removed their records are counted, and reading goes on."""
    spool = opened(tmp_path)
    count = 2000
    for _ in range(count):
        spool.append(b"x" * 1000, 0.0, direct=False)
    spool.prepare()
    spool.prepare()
    full = segments(tmp_path)[:2]
    for file in full:
        file.unlink()
    read = drain(spool)
    assert 0 < len(read) < count
    assert spool.stats().damaged_records == count - len(read)
    assert not spool.has_unread
    spool.append(b"x", 0.0, direct=True)
    spool.close()


# Damaged files.


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
@settings(max_examples=150, deadline=None)
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


# The real thing.


def test_a_file_size_limit_is_an_error_like_others(tmp_path: Path) -> None:
    """Under RLIMIT_FSIZE smaller segments are used, then SpoolBroken says what the matter is."""
    pytest.importorskip("resource")
    script = """
import resource, sys
from antinode._spool import Spool, SpoolBroken
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for is_mapped in (None, False):
    spool = Spool(sys.argv[1], max_bytes=1 << 24, is_mapped=is_mapped)
    spool.open()
    for _ in range(1000):
        spool.append(b"x" * 1000, 0.0, direct=True)
    try:
        spool.append(b"x" * 200_000, 0.0, direct=True)
    except SpoolBroken as error:
        print(error)
    print(spool.append(b"after", 0.0, direct=True) > 0, spool.close().events)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    for message, after in zip(*[iter(done.stdout.splitlines())] * 2, strict=True):
        assert "the file size limit" in message
        assert after == "True 1001"
    assert max(file.stat().st_size for file in segments(tmp_path)) <= 100_000


@pytest.fixture
def small_tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    path = tmp_path / "tmpfs"
    path.mkdir()
    mount = shutil.which("mount")
    if mount is None or not sys.platform.startswith("linux"):
        pytest.skip("needs mount and Linux")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m", "none", str(path)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("mounting needs root")
    yield path
    subprocess.run(["umount", str(path)], check=True)  # noqa: S607 - beside mount


def test_a_full_file_system_is_survived(small_tmpfs: Path) -> None:
    """On a real full disk everything that append took is kept, the process lives, and goes on when it can."""
    for is_mapped in (None, False):
        spool = opened(small_tmpfs, is_mapped=is_mapped)
        assert spool.stats().is_mapped is (is_mapped is None)
        places = fill(spool)
        assert len(places) > 700
        filler = small_tmpfs / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                while file.write(b"x" * 512):
                    pass
        except OSError:
            pass
        fill(spool, size=1)
        assert "disk is full" in spool.stats().trouble or not is_mapped
        spool.acknowledge(places[: len(places) // 2], DELIVERED)
        filler.unlink()
        spool.prepare()
        spool.append(b"after", 0.0, direct=True)
        spool.close()
        spool = opened(small_tmpfs)
        spool.adopt()
        read = settle(spool)
        assert read[-1] == b"after"
        assert len(read) > len(places) // 2
        spool.close()
        assert list(small_tmpfs.iterdir()) == []


def remount(path: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(path)], check=True)  # noqa: S607 - the fixture found it


def test_a_read_only_file_system_is_said(small_tmpfs: Path) -> None:
    """Remounted read-only, the spool says so; remounted again, it goes on."""
    spool = opened(small_tmpfs, is_mapped=False)
    spool.close()
    remount(small_tmpfs, "ro")
    with pytest.raises(SpoolBroken, match="read-only"):
        spool.open()
    remount(small_tmpfs, "rw")
    spool.open()
    spool.append(b"x", 0.0, direct=True)
    spool.close()


@pytest.mark.parametrize(
    "error",
    [
        SpoolFull("/spool", 5),
        SpoolBroken("/spool", "go on", errno.EIO, "…"),
        SpoolBroken.of("/s", "x", OSError("odd")),
    ],
)
def test_errors_survive_pickling(error: SpoolError) -> None:
    """An exception that crosses processes keeps its class and its words."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy)) == (type(error), str(error))
    assert repr(error.path) in str(error)


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


def test_a_spool_shows_its_state(tmp_path: Path) -> None:
    """The repr tells the directory, whether it works, and how much waits; never an event."""
    spool = Spool(tmp_path, max_bytes=1 << 24)
    assert repr(spool) == f"<Spool {str(tmp_path)!r} closed | 0 segments, 0 unread>"
    spool.open()
    spool.append(b"secret", 0.0, direct=False)
    assert repr(spool) == f"<Spool {str(tmp_path)!r} open | 1 segments, 1 unread>"
    shutil.rmtree(tmp_path)
    with pytest.raises(SpoolBroken):
        spool.prepare()
    assert "were removed" in repr(spool)
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


def test_directories_are_made_for_this_user_alone(tmp_path: Path) -> None:
    """The spool's own, and those above it that were not there; what was there stays as it is."""
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    opened(there / "made" / "too" / "spool").close()
    modes = [path.stat().st_mode & 0o777 for path in (there, there / "made", there / "made/too/spool")]
    assert modes[1:] == [0o700, 0o700]
    assert modes[0] == there.stat().st_mode & 0o777
    assert (there / "made" / "too").stat().st_mode & 0o777 == 0o700


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
