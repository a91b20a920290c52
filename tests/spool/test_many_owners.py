"""Many dead owners: what `init` does for them does not grow with them, and all they left is delivered."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from antinode import Client
from antinode._factory import fingerprint
from antinode._spool import Spool, SpoolFull
from antinode._spool import spool as spool_module
from antinode._spool.directory import COUNTED_AT_ONCE
from antinode._spool.disk import Disk
from antinode._spool.format import SMALLEST
from antinode.testing import Endpoint
from tests.spool.files import LIMIT, opened, segments, settle

KEY = "0123456789abcdef0123456789abcdef"
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running


def leave_owners(path: Path, count: int) -> None:
    """So many processes that died, each with one event, numbered by age."""
    for number in range(count):
        spool = Spool(path, max_bytes=1 << 40, fingerprint=fingerprint(KEY))
        spool.open()
        body = b'{"event_type":"Tick","user_id":"user-0","insert_id":"%d","event_properties":{"n":%d}}'
        spool.append(body % (number, number), 0.0, direct=True)
        spool.close()


class CountingDisk(Disk):
    """The real disk; counts the calls of one thread, by their names."""

    calls: ClassVar[Counter[str]] = Counter()
    thread = 0

    def __getattribute__(self, name: str) -> Any:
        attribute = object.__getattribute__(self, name)
        if callable(attribute) and not name.startswith("_") and threading.get_ident() == CountingDisk.thread:
            CountingDisk.calls[name] += 1
        return attribute


def calls_of_init(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    monkeypatch.setattr(spool_module, "Disk", CountingDisk)
    monkeypatch.setattr(CountingDisk, "thread", threading.get_ident())
    monkeypatch.setattr(CountingDisk, "calls", Counter())
    client = Client().init(KEY, storage=directory, server_url=NOBODY)
    calls = Counter(CountingDisk.calls)
    client.shutdown(0)
    return calls


def test_what_init_asks_of_the_disk_does_not_grow_with_the_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller's thread makes the same calls for twice as many, and lists the directory once."""
    few, many = COUNTED_AT_ONCE // 2 + 20, COUNTED_AT_ONCE + 40
    leave_owners(tmp_path / "few", few)
    leave_owners(tmp_path / "many", many)
    of_few = calls_of_init(tmp_path / "few", monkeypatch)
    of_many = calls_of_init(tmp_path / "many", monkeypatch)
    assert of_few == of_many
    assert of_many["names"] == 2, "the directory, and what was set aside in it"
    assert of_many["stat"] <= COUNTED_AT_ONCE + 1
    assert of_many.total() - of_many["stat"] < 30


def test_a_full_directory_of_many_files_is_found_full_once_it_is_counted(tmp_path: Path) -> None:
    """The segment that was made before that is a small one, and nothing more is made."""
    leave_owners(tmp_path, COUNTED_AT_ONCE + 1)
    before = segments(tmp_path)
    spool = opened(tmp_path, max_bytes=sum(path.stat().st_size for path in before))
    assert spool.stats().bytes <= SMALLEST
    spool.prepare()
    for _ in range(SMALLEST // 2000):
        spool.append(b"x" * 1000, 0.0, direct=True)
    with pytest.raises(SpoolFull):
        spool.append(b"x" * SMALLEST, 0.0, direct=True)
    assert len(segments(tmp_path)) == len(before) + 1
    spool.close()


def test_processes_that_die_at_once_do_not_fill_the_disk_uncounted(tmp_path: Path) -> None:
    """Each makes its segment before the bytes are counted, but not when there are too many for the limit."""
    leave_owners(tmp_path, COUNTED_AT_ONCE + 1)
    limit = 1 << 20
    for _ in range(2000):
        spool = opened(tmp_path, max_bytes=limit)
        try:
            spool.append(b"x", 0.0, direct=True)
        except SpoolFull:
            break
        finally:
            spool.close()
    else:
        pytest.fail("nothing stopped them")
    assert sum(path.stat().st_size for path in segments(tmp_path)) < 3 * limit


def test_what_dead_owners_left_comes_before_what_is_logged_before_adoption(tmp_path: Path) -> None:
    """From the moment it is open: own records wait, also before anybody has looked who has died."""
    leave_owners(tmp_path, 3)
    spool = Spool(tmp_path, max_bytes=LIMIT, fingerprint=fingerprint(KEY))
    spool.open(will_adopt=True)
    assert spool.has_unread
    spool.append(b"own", 0.0, direct=False)
    assert spool.read(100, 1 << 20) == []
    assert spool.reads_again_at == float("inf")
    assert spool.adopts_again_at <= 0
    spool.adopt()
    assert [body[-3:] for body in settle(spool)] == [b"0}}", b"1}}", b"2}}", b"own"]
    spool.close()


def test_an_empty_directory_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Without anybody's files there is nothing to adopt, and events go to the queue in memory directly."""
    spool = Spool(tmp_path, max_bytes=LIMIT)
    spool.open(will_adopt=True)
    assert not spool.has_unread
    spool.close()


OWNERS, DESCRIPTORS = 300, 96
DELIVERER = """
import os, resource, sys
from antinode import Client
from antinode._spool import spool as spool_module
from antinode._spool.disk import Disk

class Counting(Disk):
    open_now = most = 0
    def _count(self, descriptor):
        Counting.open_now += 1
        Counting.most = max(Counting.most, Counting.open_now)
        return descriptor
    def open(self, path): return self._count(super().open(path))
    def open_to_read(self, path): return self._count(super().open_to_read(path))
    def open_lock(self, path): return self._count(super().open_lock(path))
    def create(self, path): return self._count(super().create(path))
    def close(self, descriptor):
        Counting.open_now -= 1
        super().close(descriptor)

spool_module.Disk = Counting
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[4]), hard))
client = Client().init(sys.argv[1], storage=sys.argv[2], server_url=sys.argv[3])
client.log_event({"event_type": "Tick", "user_id": "user-0", "event_properties": {"n": int(sys.argv[5])}})
report = client.flush(120)
print(report.pending, client.stats().recovered, Counting.most, flush=True)
client.shutdown(10)
"""


def test_a_client_delivers_what_hundreds_left_with_few_descriptors(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    """All of it, oldest first and its own event last; most descriptors stay the application's."""
    pytest.importorskip("resource", reason="needs limits of a process")
    leave_owners(tmp_path, OWNERS)
    done = subprocess.run(
        [sys.executable, "-c", DELIVERER, KEY, str(tmp_path), endpoint.url, str(DESCRIPTORS), str(OWNERS)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    pending, recovered, most = map(int, done.stdout.split())
    assert (pending, recovered) == (0, OWNERS)
    assert most <= DESCRIPTORS // 2
    assert [event["event_properties"]["n"] for event in endpoint.events] == list(range(OWNERS + 1))
    assert os.listdir(tmp_path) == []
