"""Whatever the disk refuses, whenever: nothing is deleted that was not read to its end, and order holds."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from antinode._spool import DELIVERED, Spool, SpoolError
from antinode._spool import spool as spool_module
from antinode._spool.disk import Disk
from tests.spool.files import LIMIT, bodies, drain, opened, segments, settle

ERRNOS = [
    getattr(errno, name)
    for name in (
        *("EMFILE", "ENFILE", "ENOMEM", "EIO", "EACCES", "EPERM", "ESTALE", "EINTR", "EAGAIN", "EBUSY"),
        *("ENOLCK", "ENOSPC", "EDQUOT", "EROFS", "ETIMEDOUT", "ENODEV", "EINVAL", "ELOOP"),
    )
    if hasattr(errno, name)
]
PATIENT = 200
"""Turns of a minute each after which whatever can end has ended."""


class RefusingDisk(Disk):
    """The real disk, but some of its calls are refused: those whose ordinals are in `refused`."""

    def __init__(self) -> None:
        self.refused: range = range(0)
        self.only = ""
        """The one call that is refused; empty: any."""
        self.number = errno.EIO
        self.calls = 0

    def __getattribute__(self, name: str) -> Any:
        attribute = object.__getattribute__(self, name)
        if name.startswith("_") or not callable(attribute):
            return attribute
        return lambda *arguments: self._call(name, attribute, arguments)

    def _call(self, name: str, attribute: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        ordinal = self.calls
        self.calls += 1
        if ordinal not in self.refused or (self.only and name != self.only):
            return attribute(*arguments)
        if name == "close":  # even then the descriptor is gone
            attribute(*arguments)
        raise OSError(self.number, os.strerror(self.number))


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "FIRST_SIZE", 16 * 1024)
    monkeypatch.setattr(spool_module, "LARGEST_SIZE", 16 * 1024)


class Life:
    """A process with a spool: takes over two dead owners, logs over several segments, delivers, closes."""

    def __init__(self, path: Path, disk: Disk, durability: str, *, is_mapped: bool) -> None:
        self.now = 1000.0
        self.spool = Spool(
            path,
            max_bytes=LIMIT,
            disk=disk,
            durability=durability,  # type: ignore[arg-type]
            is_mapped=is_mapped,
            clock=lambda: self.now,
        )
        self.arrived: list[bytes] = []
        self.logged = 0
        self.refusals: list[Exception] = []

    def turn(self) -> None:
        """What the coordinator does; a refusal is tried again in the next turn."""
        self.now += 60
        try:
            self.spool.open()
            self.spool.prepare()
            self.spool.adopt()
            if self.spool.durability != "process":
                self.spool.sync()
        except SpoolError as error:
            self.refusals.append(error)
        batch = self.spool.read(15, 1 << 20)
        self.arrived += bodies(batch)
        self.spool.acknowledge([record.place for record in batch], DELIVERED)
        self.refusals += self.spool.take_refusals()

    def log(self, count: int) -> None:
        for _ in range(count):
            body = b"own %04d" % self.logged + b"." * 1000
            for _ in range(PATIENT):
                try:
                    self.spool.append(body, self.now, direct=False)
                    break
                except SpoolError as error:
                    self.refusals.append(error)
                    self.turn()
            else:
                raise AssertionError("the spool takes nothing any more")
            self.logged += 1

    def run(self) -> None:
        self.turn()
        self.log(25)
        self.turn()
        self.log(15)
        for _ in range(12):
            self.turn()
        self.refusals += self.spool.take_refusals()
        self.spool.close()


def leave_dead(path: Path) -> list[bytes]:
    """Two owners with several segments each."""
    written = []
    for owner in range(2):
        spool = opened(path)
        for number in range(30):
            body = b"dead %d %04d" % (owner, number) + b"." * 1000
            spool.append(body, 0.0, direct=True)
            written.append(body)
        spool.close()
    return written


def first_arrivals(arrived: list[bytes]) -> list[bytes]:
    return list(dict.fromkeys(arrived))


def survive(path: Path, disk: RefusingDisk, durability: str, *, is_mapped: bool) -> Life:
    """Live with this disk, then let a healthy process finish: everything arrives, each stream in order."""
    dead = leave_dead(path)
    life = Life(path, disk, durability, is_mapped=is_mapped)
    life.run()
    disk.refused = range(0)
    rest = opened(path)
    rest.adopt()
    left = settle(rest)
    rest.prepare()
    assert rest.stats().damaged_records == 0
    rest.close()
    own = [body for body in first_arrivals(life.arrived + left) if body.startswith(b"own")]
    assert [int(body[4:8]) for body in own] == list(range(life.logged))
    assert [body for body in first_arrivals(life.arrived + left) if body.startswith(b"dead")] == dead
    assert list(path.iterdir()) == []
    return life


@pytest.mark.parametrize("number", ERRNOS, ids=errno.errorcode.get)
@pytest.mark.parametrize(
    ("durability", "is_mapped", "burst"),
    [("process", True, 1), ("process", False, 3), ("strict", True, 2)],
)
def test_nothing_is_lost_when_any_call_is_refused(
    tmp_path: Path, number: int, durability: str, is_mapped: bool, burst: int
) -> None:
    """Each call of the disk in turn: own segments and adopted ones, locks, creation, rotation, draining."""
    if os.name == "nt" and is_mapped:
        pytest.skip("files are not mapped there")
    (tmp_path / "well").mkdir()
    disk = RefusingDisk()
    survive(tmp_path / "well", disk, durability, is_mapped=is_mapped)
    total = disk.calls
    assert total > 200
    # Every burst with one errno, for each way of writing.
    for ordinal in range(ERRNOS.index(number) * burst, total, len(ERRNOS) * burst):
        disk = RefusingDisk()
        disk.refused, disk.number = range(ordinal, ordinal + burst), number
        path = tmp_path / str(ordinal)
        path.mkdir()
        try:
            survive(path, disk, durability, is_mapped=is_mapped)
        except BaseException as error:
            error.args = (f"call {ordinal} of {total}: {error}",)
            raise


@pytest.mark.parametrize("number", ERRNOS, ids=errno.errorcode.get)
@pytest.mark.parametrize(
    "call", ["open", "open_lock", "open_to_read", "read_at", "stat", "stat_open", "names"]
)
def test_a_refusal_that_lasts_is_told_and_costs_nothing(tmp_path: Path, call: str, number: int) -> None:
    """As long as it lasts nothing arrives out of order; when it is over, all of it arrives."""
    dead = leave_dead(tmp_path)
    disk = RefusingDisk()
    life = Life(tmp_path, disk, "process", is_mapped=False)
    life.spool.open()
    disk.refused, disk.only, disk.number = range(1_000_000), call, number
    for _ in range(4):
        life.turn()
    assert life.arrived == dead[: len(life.arrived)]
    assert life.refusals or life.arrived == dead or call == "stat_open"
    disk.refused = range(0)
    for _ in range(PATIENT):
        life.turn()
    arrived = first_arrivals(life.arrived)
    if number in (errno.EACCES, errno.EPERM):
        # Taken for another user's, for whom those behind it do not wait long: each owner's own order holds.
        arrived.sort(key=lambda body: body[:6])
    assert arrived == dead
    assert life.spool.stats().damaged_records == 0
    life.spool.close()
    assert segments(tmp_path) == []


@pytest.mark.parametrize("call", ["open", "read_at"])
@pytest.mark.parametrize("number", ERRNOS, ids=errno.errorcode.get)
def test_own_records_are_read_when_the_disk_is_well_again(tmp_path: Path, call: str, number: int) -> None:
    """Full segments are opened again to be read: a refusal costs none of their records, and is told once."""
    disk = RefusingDisk()
    life = Life(tmp_path, disk, "process", is_mapped=True)
    life.spool.open()
    life.log(100)
    for _ in range(3):
        life.spool.prepare()
    disk.refused, disk.only, disk.number = range(1_000_000), call, number
    before = bodies(life.spool.read(1000, 1 << 20))
    assert life.spool.read(1000, 1 << 20) == []
    (refusal,) = life.spool.take_refusals()
    assert "cannot be read" in str(refusal)
    assert life.spool.reads_again_at > life.now
    disk.refused = range(0)
    assert life.spool.read(1000, 1 << 20) == [], "not before its time"
    life.now += 60
    assert [int(body[4:8]) for body in before + bodies(drain(life.spool))] == list(range(100))
    assert life.spool.stats().damaged_records == 0
    life.spool.close()


@pytest.mark.parametrize("is_mapped", [True, False])
@pytest.mark.parametrize("call", ["read_at", "stat_open"])
def test_a_refused_read_leaves_alone_what_is_appended_to(tmp_path: Path, call: str, is_mapped: bool) -> None:
    """The next record reaches the segment, and no other file that was opened meanwhile."""
    if os.name == "nt" and is_mapped:
        pytest.skip("files are not mapped there")
    disk = RefusingDisk()
    life = Life(tmp_path / "spool", disk, "process", is_mapped=is_mapped)
    life.spool.open()
    life.log(3)
    disk.refused, disk.only = range(1_000_000), call
    before = bodies(life.spool.read(100, 1 << 20))
    disk.refused = range(0)
    with ExitStack() as opened_meanwhile:
        others = [tmp_path / f"other {number}" for number in range(8)]
        for other in others:
            opened_meanwhile.enter_context(other.open("wb"))
        life.log(3)
    assert life.refusals == []
    assert [other.stat().st_size for other in others] == [0] * 8
    life.now += 60
    assert [int(body[4:8]) for body in before + bodies(drain(life.spool))] == list(range(6))
    life.spool.close()


def test_another_file_under_the_name_is_not_the_segment(tmp_path: Path) -> None:
    """A segment that was replaced is gone: it is neither read, nor deleted, nor waited for."""
    leave_dead(tmp_path)
    spool = opened(tmp_path)
    spool.adopt()
    first, *_ = segments(tmp_path)
    replacement = tmp_path / "replacement"
    replacement.write_bytes(first.read_bytes())
    os.replace(replacement, first)
    read = settle(spool)
    assert 0 < len(read) < 60
    spool.prepare()
    assert first.exists()
    spool.close()


def test_an_owner_that_stays_refused_does_not_hold_up_the_others_for_ever(tmp_path: Path) -> None:
    """It is passed over after some tries, tried again with each look, and adopted when it can be."""
    leave_dead(tmp_path)
    first = segments(tmp_path)[0].name.rsplit("-", 1)[0]

    class Stubborn(Disk):
        is_well = False

        def open_lock(self, path: str) -> int:
            if first in path and not self.is_well:
                raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
            return super().open_lock(path)

    disk = Stubborn()
    life = Life(tmp_path, disk, "process", is_mapped=False)
    life.turn()
    life.log(1)
    assert life.arrived == []
    for _ in range(15):
        life.turn()
    assert {body[:6] for body in life.arrived} == {b"dead 1", b"own 00"}
    assert "no locks" in str(life.refusals[0])
    disk.is_well = True
    for _ in range(5):
        life.turn()
    assert len(life.arrived) == 61
    life.spool.close()


class Watching(Disk):
    """The real disk; says which directories were synced."""

    def __init__(self) -> None:
        self.synced: list[str] = []

    def sync_directory(self, path: str) -> None:
        self.synced.append(path)
        super().sync_directory(path)


@pytest.mark.parametrize("durability", ["interval", "strict"])
def test_the_directorys_own_name_is_synced_in_its_parent(tmp_path: Path, durability: str) -> None:
    """Each level that was made, before the first record; and again by the next process, made or not."""
    disk = Watching()
    spool = opened(tmp_path / "a" / "b" / "spool", disk=disk, durability=durability)
    assert disk.synced == [str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b"), spool.path]
    spool.close()
    disk.synced.clear()
    opened(spool.path, disk=disk, durability=durability).close()  # type: ignore[arg-type]
    assert disk.synced[0] == str(tmp_path / "a" / "b")
