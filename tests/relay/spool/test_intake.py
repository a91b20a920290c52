"""The spool as an intake: it keeps the contract, and what only a disk can do to it."""

from __future__ import annotations

import asyncio
import errno
import stat
import sys
from pathlib import Path

import msgspec
import pytest

from antinode._spool.inspection.inspect import records, survey
from antinode.relay.intake import NotKept
from antinode.relay.projects import Project, Projects
from antinode.relay.spool.intake import SpoolIntake
from antinode.relay.spool.lane import spool_directory
from antinode.relay.spool.syncing import GroupSync
from tests.relay.contract import IntakeContract, keep_at_last, ready
from tests.relay.kept import APP, WEB, event
from tests.spool.faulty import FaultyDisk
from tests.storage.spooling import NOBODY

UNREACHABLE = Projects(msgspec.structs.replace(each, server_url=NOBODY) for each in (WEB, APP))


class SpoolBench:
    """A directory for spools whose events can be delivered nowhere."""

    def __init__(self, directory: Path, disk: FaultyDisk) -> None:
        self.directory = directory
        self.disk = disk

    def intake(self, **options: object) -> SpoolIntake:
        return SpoolIntake(self.directory, UNREACHABLE, options)

    async def read_back(self, project: Project) -> list[bytes]:
        directory = spool_directory(self.directory, project.fingerprint)
        return [each.body for segment in survey(str(directory)) for each in records(segment.path)]

    async def break_down(self) -> None:
        self.disk.faults["sync"] = errno.EIO

    async def mend(self) -> None:
        self.disk.faults.clear()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SpoolBench:
    disk = FaultyDisk()
    monkeypatch.setattr("antinode._spool.spool.Disk", lambda: disk)
    return SpoolBench(tmp_path / "relay", disk)


class TestSpoolIntake(IntakeContract):
    """The contract of all intakes."""

    closes_within_s = 0.0

    @pytest.fixture
    def bench(self, bench: SpoolBench) -> SpoolBench:
        return bench


async def test_a_full_spool_refuses_and_is_not_ready(bench: SpoolBench) -> None:
    """At its limit the spool takes nothing more and loses nothing of what was answered for."""
    intake = bench.intake(max_spool_bytes=1024 * 1024)
    await intake.open()
    kept = 0

    async def fill() -> None:
        nonlocal kept
        for number in range(100):
            await intake.keep(WEB, [event(number, size=50_000)])
            kept += 1

    with pytest.raises(NotKept, match="holds its limit"):
        await fill()
    assert not intake.health().takes
    assert "project web" in intake.health().why
    assert WEB.api_key not in intake.health().why
    await intake.close(0.0)
    found = await bench.read_back(WEB)
    assert found == [event(number, size=50_000).body for number in range(kept)]


async def test_a_disk_that_takes_nothing_refuses_and_is_gone_back_to(bench: SpoolBench) -> None:
    """An event that the disk does not take is not kept in memory in its place: its client is told."""
    bench.disk.faults.update(create=errno.ENOSPC, make_directory=errno.EROFS)
    intake = bench.intake()
    await intake.open()
    assert not intake.health().takes
    with pytest.raises(NotKept):
        await intake.keep(WEB, [event(1)])
    assert intake.figures()["web"].pending == 0
    bench.disk.faults.clear()
    await asyncio.wait_for(keep_at_last(intake, event(2)), 30)
    # The other project's spool is gone back to in its own time.
    await asyncio.wait_for(ready(intake), 30)
    assert intake.figures()["web"].pending == 1
    await intake.close(0.0)
    assert await bench.read_back(WEB) == [event(2).body]


async def test_readiness_comes_back_without_traffic(bench: SpoolBench) -> None:
    """Once the disk syncs again the intake says so, although nobody sends to one that is not ready."""
    intake = bench.intake()
    await intake.open()
    await bench.break_down()
    with pytest.raises(NotKept, match="does not sync"):
        await intake.keep(WEB, [event(1)])
    await bench.mend()
    await asyncio.wait_for(ready(intake), 30)
    await intake.close(0.0)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
async def test_only_the_owner_can_read_what_is_kept(bench: SpoolBench) -> None:
    """Directories that are made are the owner's alone: events hold what users did."""
    intake = bench.intake()
    await intake.open()
    await intake.keep(WEB, [event(1)])
    for directory in (bench.directory, spool_directory(bench.directory, WEB.fingerprint)):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert not any(WEB.api_key in str(path) for path in bench.directory.rglob("*"))
    await intake.close(0.0)


async def test_requests_at_once_share_a_sync() -> None:
    """While one sync runs the others wait for the next one, together; each returns after its own place."""
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()
    synced: list[int] = []

    def sync(place: int) -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(120)
        synced.append(place)

    group = GroupSync(sync, "test-sync")
    tasks = [asyncio.create_task(group.durable(place)) for place in range(10)]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(group.durable(place)) for place in range(10, 50)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    gate.set()
    await asyncio.gather(*tasks)
    assert synced[-1] == 49
    assert len(synced) <= 3
    group.close()
