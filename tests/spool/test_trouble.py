"""Disks that fill up, fail or vanish: one exception says so, and the spool goes on when it can."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
from pathlib import Path

import pytest

from antinode._spool import DELIVERED, Spool, SpoolBroken, SpoolError, SpoolFull
from tests.spool.faulty import FaultyDisk, fill
from tests.spool.files import bodies, drain, opened, segments, settle


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


def test_a_spool_shows_its_state(tmp_path: Path) -> None:
    """The repr tells the directory, whether it works, and how much waits; never an event."""
    spool = Spool(tmp_path, max_bytes=1 << 24)
    assert repr(spool) == f"<Spool {str(tmp_path)!r} closed | segments: 0, unread: 0>"
    spool.open()
    spool.append(b"secret", 0.0, direct=False)
    assert repr(spool) == f"<Spool {str(tmp_path)!r} open | segments: 1, unread: 1>"
    shutil.rmtree(tmp_path)
    with pytest.raises(SpoolBroken):
        spool.prepare()
    assert "were removed" in repr(spool)
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
