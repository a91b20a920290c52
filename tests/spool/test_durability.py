"""Syncs that fail: the system says so once, and takes what it could not write for written from then on."""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from pathlib import Path

import pytest

from antinode._spool import Spool, SpoolBroken
from antinode._spool.disk import PAGE, Disk
from antinode._spool.format import HEADER_BLOCK, decode_header
from tests.spool.files import opened, scanned, segments


class ForgetfulDisk(Disk):
    """What a power cut would leave, as Linux has it: pages are clean after a sync that failed, too."""

    def __init__(self) -> None:
        self.durable: dict[int, dict[int, bytes]] = defaultdict(dict)
        """Inode -> page -> bytes on the medium."""
        self._clean: dict[int, dict[int, bytes]] = defaultdict(dict)
        self.fails = 0
        """So many of the next syncs of files fail."""
        self.drops_pages = False
        """Whether the pages of a sync that fails are read from the medium from then on."""

    def write_at(self, descriptor: int, data: bytes, offset: int) -> int:
        written = super().write_at(descriptor, data, offset)
        clean = self._clean[os.fstat(descriptor).st_ino]
        for page in range(offset // PAGE, (offset + written - 1) // PAGE + 1):
            clean.pop(page, None)
        return written

    def sync(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        inode, durable = status.st_ino, self.durable[status.st_ino]
        dirty = {}
        for page in range(-(-status.st_size // PAGE)):
            data = os.pread(descriptor, PAGE, page * PAGE)
            if self._clean[inode].get(page) != data:
                dirty[page] = data
        if not self.fails:
            durable.update(dirty)
            self._clean[inode].update(dirty)
            return
        self.fails -= 1
        if self.drops_pages:
            for page, data in dirty.items():
                os.pwrite(descriptor, durable.get(page, bytes(len(data))), page * PAGE)
            dirty = {page: durable.get(page, bytes(len(data))) for page, data in dirty.items()}
        self._clean[inode].update(dirty)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def after_power_cut(self, path: Path) -> int:
        """How many records of a segment can still be read."""
        pages = self.durable[path.stat().st_ino]
        size = path.stat().st_size
        data = b"".join(pages.get(page, bytes(PAGE)) for page in range(-(-size // PAGE)))[:size]
        header = decode_header(data[:HEADER_BLOCK])
        return len(scanned(data, header.data_start, header.data_end, header.salt)[0])


def spool_with(path: Path, disk: Disk, *, is_mapped: bool) -> Spool:
    if is_mapped and os.name == "nt":
        pytest.skip("files are not mapped there")
    return opened(path, disk=disk, durability="interval", is_mapped=is_mapped)


def log(spool: Spool, count: int) -> int:
    """Returns the last one's place."""
    return [spool.append(b"x" * 700, 0.0, direct=True) for _ in range(count)][-1]


@pytest.mark.parametrize("is_mapped", [True, False])
@pytest.mark.parametrize("failures", [1, 3])
def test_what_a_failed_sync_left_out_is_written_anew(tmp_path: Path, failures: int, is_mapped: bool) -> None:
    """A sync that returns has made all of it durable, though the system had taken it for written."""
    disk = ForgetfulDisk()
    spool = spool_with(tmp_path, disk, is_mapped=is_mapped)
    log(spool, 20)
    spool.sync()
    log(spool, 50)
    disk.fails = failures
    for _ in range(failures):
        with pytest.raises(SpoolBroken, match="be made durable"):
            spool.sync()
    (segment,) = segments(tmp_path)
    assert disk.after_power_cut(segment) < 70
    log(spool, 5)
    spool.sync()
    assert disk.after_power_cut(segment) == 75
    spool.close()


def test_a_waiting_thread_is_not_told_that_a_record_is_durable_that_is_not(tmp_path: Path) -> None:
    """wait_durable returns only once the record is on the medium, after a failure too."""
    disk = ForgetfulDisk()
    spool = spool_with(tmp_path, disk, is_mapped=False)
    place = log(spool, 10)
    disk.fails = 1
    with pytest.raises(SpoolBroken):
        spool.wait_durable(place)
    spool.wait_durable(place, alone=True)
    assert disk.after_power_cut(segments(tmp_path)[0]) == 10
    spool.close()


@pytest.mark.parametrize("is_mapped", [True, False])
def test_records_that_did_not_outlive_a_failed_sync_are_told_once(tmp_path: Path, is_mapped: bool) -> None:
    """Where the system drops the pages that it could not write, the next sync says how many are lost."""
    disk = ForgetfulDisk()
    disk.drops_pages = True
    spool = spool_with(tmp_path, disk, is_mapped=is_mapped)
    log(spool, 40)
    disk.fails = 1
    with pytest.raises(SpoolBroken):
        spool.sync()
    with pytest.raises(SpoolBroken, match=r"40 events .* no longer"):
        spool.sync()
    log(spool, 1)
    spool.sync()
    spool.close()
