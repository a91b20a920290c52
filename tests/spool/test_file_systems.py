"""Real limits, full and read-only file systems."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from antinode._spool import DELIVERED, SpoolBroken
from tests.spool.faulty import fill
from tests.spool.files import opened, segments, settle


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
