"""The spool's frames as compiled code stores them, and what it leaves to the Python code."""

from __future__ import annotations

import random
from typing import Any

import pytest

from antinode._delivery.record import NOT_STORED
from antinode._spool import format as spool_format
from antinode._spool.scanning import Frame, scan
from antinode._spool.writers import MappedSegment, OwnSegment
from tests import needs
from tests.memory import Memory
from tests.storage.spooling import MakeClient, tick

MANY = 3000
"""More than the first segment holds."""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what Python has appended."""
    sizes: list[int] = []
    append = MappedSegment.append

    def counting(self: MappedSegment, body: bytes, logged_at: float) -> int:
        sizes.append(len(body))
        return append(self, body, logged_at)

    monkeypatch.setattr(MappedSegment, "append", counting)
    return sizes


def frames_of(segment: OwnSegment) -> list[tuple[int, bytes, float]]:
    header = segment.header
    found = scan(segment.read_at, header.data_start, segment.end, 0, header.salt)
    frames = [each for each in found if isinstance(each, Frame)]
    assert segment.end == header.data_start + sum(
        spool_format.FRAME_SIZE + len(frame.body) for frame in frames
    )
    assert segment.count == len(frames)
    return [(segment.base + each.nth, each.body, each.logged_at) for each in frames]


@pytest.mark.parametrize("durability", ["process", "interval"])
def test_frames_are_those_of_the_python_code(
    make_client: MakeClient, counted: list[int], durability: str
) -> None:
    """Each record is in the files at its place, whole and in order; Python sees to full segments alone."""
    needs.native()
    client = make_client(transport=Memory(is_open=False), durability=durability, upload_interval_in_sec=3600)
    if not isinstance(spool_of(client)._current, MappedSegment):
        pytest.skip("segments are not mapped here")
    chance = random.Random(7)
    logged: list[Any] = [
        client.log_event(tick(seq, f"user-{seq % 9}", text="x" * chance.choice([0, 7, 300])))
        for seq in range(MANY)
    ]
    segments = [each for each in spool_of(client)._segments.values() if isinstance(each, OwnSegment)]
    stored = [frame for segment in segments for frame in frames_of(segment)]
    assert stored == [(each.place, each.body, each.logged_at) for each in logged]
    assert client.stats().pending == MANY
    # Once for the segment that is full, and once for the next.
    assert 2 <= len(counted) < 20


def test_what_memory_does_not_hold_goes_to_disk_without_python(
    make_client: MakeClient, counted: list[int]
) -> None:
    """It comes back whole and in order, and whoever has kept a handle hears of the end."""
    needs.native()
    memory = Memory(is_open=False)
    client = make_client(transport=memory, max_queue_events=50, upload_interval_in_sec=3600)
    if not isinstance(spool_of(client)._current, MappedSegment):
        pytest.skip("segments are not mapped here")
    kept: dict[int, Any] = {}
    for seq in range(MANY):
        handle = client.log_event(tick(seq, f"user-{seq % 9}"))
        if seq % 7 == 0:
            kept[seq] = handle
    stats = client.stats()
    assert stats.on_disk > MANY - 1000
    assert stats.pending == MANY
    assert len(counted) < 20
    memory.gate.set()
    assert client.flush(120).delivered == MANY
    for user in range(9):
        of_user = [event for event in memory.events if event["user_id"] == f"user-{user}"]
        assert [event["event_properties"]["seq"] for event in of_user] == list(range(user, MANY, 9))
    assert all(handle.result(0).ok for handle in kept.values())
    assert client.stats().on_disk == 0
    assert client.stats().balanced


def test_what_the_disk_refuses_is_left_to_python(
    make_client: MakeClient, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that no segment can be made for is in memory alone, and counted."""
    needs.native()
    client = make_client(transport=Memory(is_open=False), upload_interval_in_sec=3600)
    spool = spool_of(client)
    if not isinstance(spool._current, MappedSegment):
        pytest.skip("segments are not mapped here")
    first: Any = client.log_event(tick(0))

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(28, "no space left")

    monkeypatch.setattr(spool._disk, "create", refuse)
    large = "x" * 1000
    rest: list[Any] = [client.log_event(tick(seq, text=large)) for seq in range(1, 600)]
    assert first.place != NOT_STORED
    assert {each.place == NOT_STORED for each in rest} == {True, False}
    assert client.stats().pending == 600
    assert client.stats().balanced


def spool_of(client: Any) -> Any:
    return client._sender._spooler._disk
