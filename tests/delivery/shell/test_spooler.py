"""The spooler with simulated time and a simulated disk: when it syncs, and what it says of trouble."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.record import SpooledRecord
from antinode._delivery.shell.spooler import Spooler
from antinode._delivery.storage import DiskStats, Stored
from tests.delivery.model_store import ModelStore

INTERVAL = 1.0
GUARD = threading.RLock()


class ModelDisk(ModelStore):
    """A disk that takes what it is given, unless it is told to refuse."""

    adopts_again_at = float("inf")
    reads_again_at = float("-inf")

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self.syncs: list[float] = []
        self.refused_syncs = 0
        """So many of the next syncs are refused."""
        self.takes_records = True
        self.is_unlisted = False
        """Whether the directory cannot be listed."""

    def open(self, *, will_adopt: bool = False) -> None:
        return

    def adopt(self, *, max_owners: int = 64) -> int:
        if self.is_unlisted:
            raise OSError("it cannot be listed")
        return 0

    def take_refusals(self) -> Sequence[Exception]:
        return ()

    def prepare(self) -> None:
        if self.trouble is not None:
            self.takes_records = False
            raise OSError("the disk is broken")
        self.takes_records = True

    def disown(self) -> None:
        return

    def stats(self) -> DiskStats:
        return SimpleNamespace(unread_adopted=0)

    def sync(self) -> None:
        if self.refused_syncs:
            self.refused_syncs -= 1
            raise OSError("it cannot be made durable")
        self.syncs.append(self._scene.now)

    def wait_durable(self, place: int, *, alone: bool = False) -> None:
        return

    def acknowledge(self, places: Iterable[int], code: object) -> None:
        super().acknowledge(places, str(code))

    def ends(self) -> dict[int, int]:
        return {}

    def forget(self, is_meant: object, held: object, ends: object) -> Sequence[Stored]:
        return ()

    def forget_left(self, is_meant: object) -> tuple[int, int]:
        return 0, 0

    def recover(self) -> None:
        return

    def renew_after_fork(self) -> None:
        return

    def close(self) -> SimpleNamespace:
        return SimpleNamespace(events=0)


class Scene:
    """A spooler whose coordinator wakes exactly when it asked to be woken. Nothing is ever uploaded."""

    def __init__(self, sync_every: float | None = INTERVAL) -> None:
        self.now = 1000.0
        self.disk = ModelDisk(self)
        self.spooler = Spooler(self.disk, codes={}, sync_every=sync_every, clock=lambda: self.now)
        self.core = Core(CoreConfig(), random=lambda: 0.5, guard=GUARD, store=self.spooler)
        self.told: list[str] = []
        self.spooler.open()
        self.wake_at = self.tend()

    def tend(self) -> float:
        self.wake_at = self.spooler.tend(self.core, self.now, GUARD)
        self.told += [note.text for note in self.spooler.notes]
        self.spooler.notes.clear()
        return self.wake_at

    def log(self) -> None:
        assert self.core.admit(SpooledRecord(b'{"user_id":"u"}', 1, self.now))

    def go_on_until(self, then: float) -> None:
        while self.wake_at <= then:
            self.now = max(self.now, self.wake_at)
            self.tend()
        self.now = then


@given(steps=st.lists(st.tuples(st.floats(0.0, 4 * INTERVAL), st.booleans()), min_size=1, max_size=20))
def test_each_event_is_synced_within_the_interval_in_an_outage(steps: list[tuple[float, bool]]) -> None:
    """Whether or not something wakes the coordinator just then: a sync begins at most an interval later."""
    scene = Scene()
    scene.log()
    scene.tend()
    logged = []
    for gap, wakes in steps:
        scene.go_on_until(scene.now + gap)
        scene.log()
        logged.append(scene.now)
        if wakes:
            scene.tend()
    scene.go_on_until(scene.now + 2 * INTERVAL)
    for at in logged:
        following = min(sync for sync in scene.disk.syncs if sync >= at)
        assert following - at <= INTERVAL * 1.000001


def test_nothing_new_is_not_synced_again() -> None:
    """One sync for one event, however long nothing is logged."""
    scene = Scene()
    scene.log()
    scene.tend()
    scene.go_on_until(scene.now + 50 * INTERVAL)
    assert len(scene.disk.syncs) == 1


@pytest.mark.parametrize("trouble", ["sync", "listing"])
def test_trouble_that_keeps_no_event_from_the_disk_is_not_told_as_such(trouble: str) -> None:
    """A sync or a listing that is refused leaves events on disk, and the line about it says so."""
    scene = Scene()
    scene.log()
    scene.disk.refused_syncs = trouble == "sync"
    scene.disk.is_unlisted = trouble == "listing"
    scene.go_on_until(scene.now + 11)
    assert any("written to it all the same" in text for text in scene.told)
    assert not any("memory alone" in text for text in scene.told)


def test_events_in_memory_alone_are_told_even_in_the_midst_of_other_trouble() -> None:
    """Once, when the first event could not be stored; and that events are taken again, once they are."""
    scene = Scene()
    scene.disk.is_unlisted = True
    scene.go_on_until(scene.now + 10)
    scene.disk.trouble = "broken"
    scene.disk.takes_records = False
    for _ in range(5):
        scene.log()
        scene.tend()
    assert sum("memory alone" in text for text in scene.told) == 1
    scene.disk.trouble, scene.disk.is_unlisted = None, False
    scene.go_on_until(scene.now + 100)
    assert sum("takes events again" in text for text in scene.told) == 1


@pytest.mark.parametrize(("refused", "is_told"), [(0, False), (1, False), (2, True)])
def test_the_last_sync_is_tried_again_and_its_failure_told(refused: int, is_told: bool) -> None:
    """A closing that could not make the last events durable says so."""
    scene = Scene()
    scene.log()
    scene.disk.refused_syncs = refused
    scene.spooler.close(scene.core)
    assert [note.text for note in scene.spooler.notes] == (
        ["events are not synced to disk: it cannot be made durable"] if is_told else []
    )
