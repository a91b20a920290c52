"""What dead processes left is unread until it is read: at no step does another thread see nothing of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from antinode._spool import Spool
from tests.spool.files import LIMIT
from tests.spool.test_owners import leave


def at_each_opcode(work: Callable[[], object], look: Callable[[], None]) -> None:
    """Do the work in this thread, and look between any two of its steps, as another thread may."""

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes = True
        if event == "opcode":
            look()
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(former)


def successor(path: Path, owners: int) -> Spool:
    """A spool that is about to adopt what so many owners left."""
    for _ in range(owners):
        leave(path, 1)
    spool = Spool(path, max_bytes=LIMIT)
    spool.open(will_adopt=True)
    return spool


def test_nothing_is_out_of_sight_while_it_is_adopted(tmp_path: Path) -> None:
    """Two owners are listed, locked and taken over; a flush that looks meanwhile waits for them."""
    spool = successor(tmp_path, 2)
    seen: list[bool] = []
    at_each_opcode(spool.adopt, lambda: seen.append(spool.has_unread and spool.stats().unread_adopted > 0))
    assert len(seen) > 500
    assert all(seen)
    spool.close()


def seen_by_who_is_slow(spool: Spool, look: Callable[[], object], step: int) -> tuple[object, bool]:
    """What a look sees at one of whose steps all is adopted, and whether it has that many steps."""
    left = step
    found: list[object] = []

    def adopt_in_time() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            sys.settrace(None)
            spool.adopt()

    at_each_opcode(lambda: found.append(look()), adopt_in_time)
    return found[0], left <= 0


@pytest.mark.parametrize("name", ["has_unread", "unread"])
def test_nothing_is_out_of_sight_of_who_is_slow_to_look(tmp_path: Path, name: str) -> None:
    """All of it is adopted at any one step of the look."""
    for step in range(1, 1000):
        spool = successor(tmp_path / str(step), 1)
        adoption = spool._adoption
        seen, has_so_many = seen_by_who_is_slow(spool, lambda of=adoption: getattr(of, name), step)
        assert seen, step
        spool.close()
        if not has_so_many:
            break
    assert step > 10
