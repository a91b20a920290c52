"""Wall clocks that are wrong cost no event: neither its order, nor its life, nor its file."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from antinode import Client
from antinode._factory import fingerprint
from antinode._spool import Spool
from tests.memory import KEY, Memory
from tests.spool.files import LIMIT, segments, settle

WRONG = {"1970": 3.5, "before 1970": -86_400.0, "2100": 4_102_444_800.0, "year 9000": 2.2e11}


def leave(path: Path, name: str, wall: float) -> None:
    """A process whose wall clock says so leaves an event."""
    spool = Spool(path, max_bytes=LIMIT, fingerprint=fingerprint(KEY), wall=lambda: wall)
    spool.open()
    spool.append(b'{"event_type":"%s","user_id":"user-1"}' % name.encode(), time.monotonic(), direct=True)
    spool.close()


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_order_is_that_of_logging_whatever_the_clock_says(tmp_path: Path, wrong: float) -> None:
    """One process of three has a wrong clock; the next one gives what they left in order, and deletes it."""
    for name, wall in (("first", time.time()), ("second", wrong), ("third", time.time())):
        leave(tmp_path, name, wall)
    spool = Spool(tmp_path, max_bytes=LIMIT, fingerprint=fingerprint(KEY))
    spool.open()
    assert spool.adopt() == 3
    assert [body.split(b'"')[3] for body in settle(spool)] == [b"first", b"second", b"third"]
    spool.close()
    assert segments(tmp_path) == []


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_nothing_expires_by_a_clock_that_was_set_in_between(tmp_path: Path, wrong: float) -> None:
    """Logged under a wrong clock, it is as old as the next process at most, and is delivered."""
    leave(tmp_path, "left", wrong)
    memory = Memory()
    client = Client().init(KEY, transport=memory, storage=tmp_path, max_event_age=3600)
    assert client.flush(120).complete
    assert [event["event_type"] for event in memory.events] == ["left"]
    assert client.stats().dropped == {}
    client.shutdown()


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_reader_with_a_wrong_clock_reads_all(tmp_path: Path, wrong: float) -> None:
    """It is an owner like others, and what it leaves in its turn comes after what it found."""
    leave(tmp_path, "left", time.time())
    spool = Spool(tmp_path, max_bytes=LIMIT, fingerprint=fingerprint(KEY), wall=lambda: wrong)
    spool.open()
    spool.adopt()
    (record,) = spool.read(10, 1 << 20)
    assert record.logged_at <= time.monotonic()
    spool.append(b'{"event_type":"own","user_id":"user-1"}', time.monotonic(), direct=True)
    spool.close()
    spool = Spool(tmp_path, max_bytes=LIMIT, fingerprint=fingerprint(KEY))
    spool.open()
    spool.adopt()
    assert [body.split(b'"')[3] for body in settle(spool)] == [b"left", b"own"]
    spool.close()
