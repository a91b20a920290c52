"""Locks, forks and adoption: each segment has exactly one living process that may touch it."""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from antinode._spool import DELIVERED, Spool, SpoolError, owners
from antinode._spool.disk import Disk
from antinode._spool.owners import acquire, is_held
from tests.spool.files import LIMIT, bodies, drain, opened, segments, settle

ADOPTER = """
import sys
from antinode._spool import Spool
spool = Spool(sys.argv[1], max_bytes=1 << 28)
spool.open()
print("ready", flush=True)
sys.stdin.readline()
print(spool.adopt(), flush=True)
sys.stdin.readline()
read = 0
while batch := spool.read(100, 1 << 20):
    read += len(batch)
print(read, flush=True)
spool.close()
"""
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def leave(path: Path, count: int, **options: object) -> None:
    """As a process that died: its records stay."""
    spool = opened(path, **options)  # type: ignore[arg-type]
    for number in range(count):
        spool.append(b"%d" % number, 0.0, direct=True)
    spool.close()


def in_child(check: Callable[[], None]) -> None:
    """Run it in a forked child; its failure is this test's."""
    child = os.fork()
    if child == 0:
        try:
            check()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def owner_of(spool: Spool) -> str:
    return segments(Path(spool.path))[-1].name.rsplit("-", 1)[0]


def test_each_segment_is_adopted_by_exactly_one_process(tmp_path: Path) -> None:
    """Several processes adopt at the same moment: together they have every record once."""
    owners, count = 20, 30
    for _ in range(owners):
        leave(tmp_path, count)
    adopters = [
        subprocess.Popen(
            [sys.executable, "-c", ADOPTER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]

    def ask() -> list[str]:
        for adopter in adopters:
            assert adopter.stdin is not None
            adopter.stdin.write("\n")
            adopter.stdin.flush()
        return answers()

    def answers() -> list[str]:
        return [adopter.stdout.readline().strip() for adopter in adopters if adopter.stdout is not None]

    assert answers() == ["ready"] * 4
    assert sum(map(int, ask())) == owners
    assert sum(map(int, ask())) == owners * count
    for adopter in adopters:
        adopter.communicate(timeout=120)
        assert adopter.returncode == 0


def test_a_living_owner_keeps_its_segments(tmp_path: Path) -> None:
    """Neither another spool of the same process nor another process adopts them; a closed one's are free."""
    first, second = opened(tmp_path), opened(tmp_path)
    first.append(b"mine", 0.0, direct=True)
    assert second.adopt() == 0
    script = """
import sys
from antinode._spool import Spool
spool = Spool(sys.argv[1], max_bytes=1 << 28)
spool.open()
print(spool.adopt())
spool.close()
"""
    # Twice: an attempt by this very process must not have released the lock.
    for _ in range(2):
        assert subprocess.check_output([sys.executable, "-c", script, str(tmp_path)], text=True) == "0\n"
        assert second.adopt() == 0
    first.close()
    assert second.adopt() == 1
    assert settle(second) == [b"mine"]
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_adopted_records_come_before_own_and_by_age(tmp_path: Path) -> None:
    """Owners in the order of their creation, their segments by number, and own records last."""
    for title in (b"a", b"b", b"c"):
        spool = opened(tmp_path, wall=lambda title=title: 1000.0 + title[0])
        for number in range(400):
            spool.append(b"%s%d" % (title, number) + b"." * 2000, 0.0, direct=True)
        spool.close()
    spool = opened(tmp_path)
    spool.append(b"own", 0.0, direct=False)
    assert spool.adopt() >= 6
    assert spool.has_unread
    read = [body.rstrip(b".") for body in settle(spool)]
    assert read == [b"%s%d" % (title, number) for title in (b"a", b"b", b"c") for number in range(400)] + [
        b"own"
    ]
    spool.prepare()
    assert len(segments(tmp_path)) <= 2
    spool.close()


def test_an_adopter_that_dies_is_adopted_from(tmp_path: Path) -> None:
    """What it acknowledged stays acknowledged; the rest comes again."""
    leave(tmp_path, 10)
    first = opened(tmp_path)
    first.adopt()
    read = drain(first)
    first.acknowledge([record.place for record in read[:4]], DELIVERED)
    first.close()
    second = opened(tmp_path)
    second.adopt()
    assert settle(second) == [b"%d" % number for number in range(4, 10)]
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_another_api_keys_segments_are_left_alone(tmp_path: Path) -> None:
    """Only segments with the same fingerprint are adopted, unless all are asked for or they were disowned."""
    leave(tmp_path, 1, fingerprint=b"one")
    other = opened(tmp_path, fingerprint=b"two")
    assert other.adopt() == 0
    assert other.adopt(any_fingerprint=True) == 1
    other.close()

    refused = opened(tmp_path, fingerprint=b"bad")
    refused.append(b"before", 0.0, direct=True)
    refused.disown()
    for _ in range(300):
        refused.append(b"x" * 2000, 0.0, direct=True)
    refused.close()
    other = opened(tmp_path, fingerprint=b"two")
    assert other.adopt() > 1
    assert bodies(drain(other))[0] == b"before"
    other.close()


@needs_fork
def test_a_forked_child_has_segments_of_its_own(tmp_path: Path) -> None:
    """Renewed, the child writes elsewhere, adopts nothing of its living parent, and leaves its lock alone."""
    spool = opened(tmp_path)
    spool.append(b"parent", 0.0, direct=True)
    for _ in range(400):  # a sealed segment, a current one and a spare
        spool.append(b"x" * 1000, 0.0, direct=True)
    spool.prepare()
    leave(tmp_path, 1)
    assert spool.adopt() == 1
    owner = owner_of(spool)
    before = {file.name: file.read_bytes() for file in segments(tmp_path)}

    def child() -> None:
        spool.renew_after_fork()
        maps = Path("/proc/self/maps")
        assert not maps.exists() or str(tmp_path) not in maps.read_text(), "the parent's memory is given back"
        spool.open()
        assert spool.adopt() == 0
        spool.append(b"child", 0.0, direct=True)
        assert is_held(Disk(), str(tmp_path), owner)
        assert spool.close().events == 1

    in_child(child)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert spool.append(b"parent", 0.0, direct=True) > 0
    assert spool.adopt() == 1
    assert b"child" in bodies(drain(spool))

    def stranger() -> None:
        spool.renew_after_fork()
        assert acquire(Disk(), str(tmp_path), owner) is None

    in_child(stranger)
    spool.close()


@needs_fork
def test_a_killed_child_is_adopted_by_its_parent(tmp_path: Path) -> None:
    """When a child dies, its parent may adopt its segments like any other."""
    spool = opened(tmp_path)

    def child() -> None:
        spool.renew_after_fork()
        spool.open()
        spool.append(b"child", 0.0, direct=True)

    in_child(child)
    assert spool.adopt() == 1
    assert settle(spool) == [b"child"]
    spool.close()


def test_a_missing_lock_file_hinders_nobody(tmp_path: Path) -> None:
    """Segments whose lock file was removed are adopted all the same, and all files go in the end."""
    leave(tmp_path, 3)
    for file in tmp_path.glob("*.lock"):
        file.unlink()
    spool = opened(tmp_path)
    assert spool.adopt() == 1
    assert settle(spool) == [b"0", b"1", b"2"]
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_creation_are_cleaned_up(tmp_path: Path) -> None:
    """A lock file without segments and a segment that never got its name vanish with the next adopter."""
    leave(tmp_path, 1)
    (segment,) = segments(tmp_path)
    segment.rename(f"{segment}.new")
    spool = opened(tmp_path)
    assert spool.adopt() == 0
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_looking_whether_an_owner_lives_takes_nothing(tmp_path: Path) -> None:
    """is_held answers for this process and others without keeping or releasing a lock."""
    spool = opened(tmp_path)
    owner = owner_of(spool)
    assert is_held(Disk(), str(tmp_path), owner)
    assert acquire(Disk(), str(tmp_path), owner) is None
    spool.append(b"x", 0.0, direct=True)
    spool.close()
    assert not is_held(Disk(), str(tmp_path), owner)
    lock = acquire(Disk(), str(tmp_path), owner)
    assert lock is not None
    lock.release(remove=False)
    assert not is_held(Disk(), str(tmp_path), "000000000000-1-00000000")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO, errno.ENOMEM])
def test_an_owner_whose_lock_cannot_be_looked_at_is_not_called_dead(tmp_path: Path, number: int) -> None:
    """Only a lock that is free, or gone, tells that its owner has ended."""

    class Refusing(Disk):
        def open_to_read(self, path: str) -> int:
            raise OSError(number, os.strerror(number), path)

    spool = opened(tmp_path)
    assert is_held(Refusing(), str(tmp_path), "000000000000-1-00000000")
    spool.close()


def test_a_removed_lock_file_is_not_mistaken_for_a_lock(tmp_path: Path) -> None:
    """A lock on a file that its path no longer names is worth nothing, and is seen to be."""
    lock = acquire(Disk(), str(tmp_path), "000000000000-1-00000000")
    assert lock is not None
    assert lock.is_in_place
    os.unlink(lock.path)
    assert not lock.is_in_place
    Path(lock.path).touch()
    assert not lock.is_in_place
    lock.release(remove=True)
    assert Path(lock.path).exists(), "somebody else's file is left alone"


def test_a_lock_is_had_again_once_the_system_has_given_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux ends the lock of a descriptor that another thread closes a moment after it is gone."""
    lock = acquire(Disk(), str(tmp_path), "000000000000-1-00000000")
    assert lock is not None
    still_held = os.dup(lock._descriptor)
    os.close(lock._descriptor)
    monkeypatch.setattr(owners.time, "sleep", lambda _: os.close(still_held))
    assert lock.hold()
    lock.release(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_without_segments_leaves_no_file(tmp_path: Path) -> None:
    """A spool whose files were removed goes on under another name, and nothing of the first one stays."""
    spool = opened(tmp_path)
    for each in segments(tmp_path):
        each.unlink()
    with pytest.raises(SpoolError, match="removed"):
        spool.prepare()
    spool.prepare()
    spool.append(b"again", 0.0, direct=False)
    assert settle(spool) == [b"again"]
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_more_segments_than_open_files(tmp_path: Path) -> None:
    """Adoption leaves most descriptors to others, and goes on when what it holds is delivered."""
    resource = pytest.importorskip("resource")
    for _ in range(60):
        leave(tmp_path, 1)
    used = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 64
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spool = opened(tmp_path)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 100, hard))
    try:
        read = adopted = 0
        while now := spool.adopt():
            adopted += now
            assert now <= (used + 100) // 8
            while batch := spool.read(7, LIMIT):
                read += len(batch)
                spool.acknowledge([record.place for record in batch], DELIVERED)
            spool.prepare()
        assert adopted == read == 60
        spool.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_order_holds_when_the_wall_clock_is_set_back(tmp_path: Path) -> None:
    """A later owner sorts behind earlier ones, whatever the clock says."""
    for number, wall in enumerate((2000.0, 1000.0, 3000.0, 10.0)):
        spool = opened(tmp_path, wall=lambda wall=wall: wall)
        spool.append(b"%d" % number, 0.0, direct=True)
        spool.close()
    spool = opened(tmp_path)
    spool.adopt()
    assert settle(spool) == [b"0", b"1", b"2", b"3"]
    spool.close()


def test_an_older_owner_that_dies_later_is_read_first(tmp_path: Path) -> None:
    """What is adopted while other segments still wait is sorted in among them by age."""
    older, newer = opened(tmp_path), opened(tmp_path)
    older.append(b"older", 0.0, direct=True)
    newer.append(b"newer", 0.0, direct=True)
    reader = opened(tmp_path)
    newer.close()
    assert reader.adopt() == 1
    older.close()
    assert reader.adopt() == 1
    assert settle(reader) == [b"older", b"newer"]
    reader.close()


class Interfering(Disk):
    """The real disk; something happens just before a lock file is opened, or just after."""

    def __init__(self) -> None:
        self.before: Callable[[], None] | None = None
        self.after: Callable[[str], None] | None = None

    def open_lock(self, path: str) -> int:
        before, self.before = self.before, None
        if before is not None:
            before()
        descriptor = super().open_lock(path)
        after, self.after = self.after, None
        if after is not None:
            after(path)
        return descriptor


def test_a_lock_file_that_goes_between_opening_and_locking_is_no_lock(tmp_path: Path) -> None:
    """An adopter that opens a lock file just before another removes it does not think it has the owner."""
    disk = Interfering()
    disk.after = os.unlink
    assert acquire(disk, str(tmp_path), "000000000000-1-00000000") is None
    lock = acquire(disk, str(tmp_path), "000000000000-1-00000000")
    assert lock is not None
    lock.release(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_segments_made_before_the_lock_was_had_are_adopted_too(tmp_path: Path) -> None:
    """The owner may have gone on after the directory was listed: all of its segments are taken."""
    owner = opened(tmp_path)
    for _ in range(400):
        owner.append(b"x" * 1000, 0.0, direct=True)
    owner.close()
    first, second = segments(tmp_path)
    hidden = second.rename(tmp_path / "hidden")
    disk = Interfering()
    adopter = opened(tmp_path, disk=disk)
    disk.before = lambda: os.rename(hidden, second)
    assert adopter.adopt() == 2
    assert len(settle(adopter)) == 400
    adopter.close()
    assert list(tmp_path.iterdir()) == []
    assert not first.exists()


OWNER = "000000000000-1-00000000"
LOCKF = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
try:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print("refused", flush=True)
else:
    print("locked", flush=True)
    sys.stdin.readline()
"""


def lockf_gets(path: str) -> bool:
    """Whether a process that locks as earlier versions do gets the lock; it gives it up at once."""
    done = subprocess.run(
        [sys.executable, "-c", LOCKF, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True
    )
    return done.stdout == b"locked\n"


def second_copy() -> Any:
    """The module once more, with a state of its own, as another interpreter of this process has it."""
    spec = importlib.util.spec_from_file_location("owners_again", owners.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


needs_posix_locks = pytest.mark.skipif(sys.platform == "win32", reason="POSIX locks")


@needs_posix_locks
def test_another_interpreter_of_the_process_is_kept_out(tmp_path: Path) -> None:
    """A lock is one opening's, not the process's; and that another has tried does not end it."""
    lock = acquire(Disk(), str(tmp_path), OWNER)
    assert lock is not None
    again = second_copy()
    for _ in range(2):
        assert again.is_held(Disk(), str(tmp_path), OWNER)
        assert again.acquire(Disk(), str(tmp_path), OWNER) is None
        assert not lockf_gets(lock.path), "no other process has it either"
    lock.release(remove=False)
    other = again.acquire(Disk(), str(tmp_path), OWNER)
    assert other is not None
    assert acquire(Disk(), str(tmp_path), OWNER) is None
    other.release(remove=True)


@needs_posix_locks
def test_locks_of_earlier_versions_are_respected_and_respect_ours(tmp_path: Path) -> None:
    """They lock the same file for the process, with `lockf`: either keeps the other out."""
    path = tmp_path / f"{OWNER}.lock"
    with subprocess.Popen(
        [sys.executable, "-c", LOCKF, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        assert is_held(Disk(), str(tmp_path), OWNER)
        assert acquire(Disk(), str(tmp_path), OWNER) is None
        process.communicate(b"\n", timeout=30)
    lock = acquire(Disk(), str(tmp_path), OWNER)
    assert lock is not None
    assert not lockf_gets(lock.path)
    lock.release(remove=False)
    assert lockf_gets(lock.path)


@pytest.mark.skipif(sys.platform != "linux", reason="an old kernel of Linux")
def test_a_kernel_without_locks_of_open_files_has_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the command is refused as unknown, `flock` keeps other openings out as well."""
    monkeypatch.setattr("fcntl.F_OFD_SETLK", 9999)
    monkeypatch.setattr("fcntl.F_OFD_GETLK", 9999)
    lock = acquire(Disk(), str(tmp_path), OWNER)
    assert lock is not None
    assert is_held(Disk(), str(tmp_path), OWNER)
    assert acquire(Disk(), str(tmp_path), OWNER) is None
    lock.release(remove=False)
    assert not is_held(Disk(), str(tmp_path), OWNER)


FORKER = """
import os, sys
from antinode._spool.disk import Disk
from antinode._spool.owners import acquire
lock = acquire(Disk(), sys.argv[1], sys.argv[2])
if os.fork() == 0:
    print("forked", flush=True)
    sys.stdin.readline()
os._exit(0)
"""


@needs_fork
def test_a_child_does_not_keep_the_lock_of_a_parent_that_has_died(tmp_path: Path) -> None:
    """Though it was never told to renew anything, it has closed what it inherited."""
    with subprocess.Popen(
        [sys.executable, "-c", FORKER, str(tmp_path), OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"forked\n"
        process.wait(timeout=120)  # the parent; the child goes on
        assert not is_held(Disk(), str(tmp_path), OWNER)
        process.communicate(timeout=120)


@needs_fork
def test_a_child_forked_in_c_gives_up_nothing_of_its_parents(tmp_path: Path) -> None:
    """It runs no fork hook; what it releases is its own all the same, and it may lock for itself."""
    lock = acquire(Disk(), str(tmp_path), OWNER)
    assert lock is not None
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        own = "000000000001-1-00000000"
        mine = acquire(Disk(), str(tmp_path), own)
        lock.release(remove=True)
        is_right = mine is not None and acquire(Disk(), str(tmp_path), OWNER) is None
        os._exit(0 if is_right and is_held(Disk(), str(tmp_path), own) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lock.is_in_place
    assert not lockf_gets(lock.path)
    lock.release(remove=True)


@needs_fork
def test_a_released_lock_is_free_though_a_child_has_the_file_open(tmp_path: Path) -> None:
    """Whoever owns it unlocks, and does not leave it to the last that closes the file."""
    lock = acquire(Disk(), str(tmp_path), OWNER)
    assert lock is not None
    reader, writer = os.pipe()
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    lock.release(remove=False)
    assert not is_held(Disk(), str(tmp_path), OWNER)
    os.close(writer)
    os.close(reader)
    os.waitpid(child, 0)


INTERPRETERS = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
from antinode._spool import Spool
spool = Spool(sys.argv[1], max_bytes=1 << 28)
spool.open()
spool.append(b"mine", 0.0, direct=True)
code = (
    "from antinode._spool import Spool\\n"
    f"spool = Spool({sys.argv[1]!r}, max_bytes=1 << 28)\\n"
    "spool.open()\\n"
    "assert spool.adopt() == 0, 'the segments of a living interpreter were adopted'\\n"
    "spool.close()\\n"
)
is_new = hasattr(interpreters, "new_config")
other = interpreters.create("legacy") if is_new else interpreters.create(isolated=False)
print(interpreters.run_string(other, code))
interpreters.destroy(other)
print(spool.close().events)
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="subinterpreters as CPython has them")
def test_a_subinterpreter_adopts_nothing_of_another(tmp_path: Path) -> None:
    """Two interpreters of one process share a directory as two processes do."""
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETERS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("None\n1\n", "")
