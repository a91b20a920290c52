"""An intake that keeps events in memory, for tests of what is before it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from antinode.relay.intake import IntakeHealth, IntakeStats, KeptEvent, NotKept
from antinode.relay.projects import Project


class MemoryStore:
    """What the intakes of a test share."""

    def __init__(self) -> None:
        self.kept: dict[str, list[KeptEvent]] = defaultdict(list)
        """By the project's name."""
        self.is_broken = False
        self.gate = asyncio.Event()
        """While it is not set, `keep` waits."""
        self.gate.set()

    def intake(self) -> MemoryIntake:
        return MemoryIntake(self)

    async def read_back(self, project: Project) -> list[bytes]:
        return [each.body for each in self.kept[project.name]]

    async def break_down(self) -> None:
        self.is_broken = True

    async def mend(self) -> None:
        self.is_broken = False


class MemoryIntake:
    """Keeps what it is given in a `MemoryStore`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._is_open = False
        self._events = self._bytes = self._refused = self._waiting = 0

    async def open(self) -> None:
        self._is_open = True

    async def keep(self, project: Project, events: Sequence[KeptEvent]) -> None:
        if not self.health().takes:
            self._refused += len(events)
            raise NotKept(2.0, self.health().why)
        self._waiting += 1
        try:
            await self._store.gate.wait()
        finally:
            self._waiting -= 1
        self._store.kept[project.name] += events
        self._events += len(events)
        self._bytes += sum(len(each.body) for each in events)

    async def close(self, within: float) -> None:
        self._is_open = False

    def health(self) -> IntakeHealth:
        if not self._is_open:
            return IntakeHealth(False, "it is not open")
        return IntakeHealth(not self._store.is_broken, "it is broken" if self._store.is_broken else "")

    def stats(self) -> IntakeStats:
        return IntakeStats(
            kept_events=self._events,
            kept_bytes=self._bytes,
            refused_events=self._refused,
            waiting=self._waiting,
        )
