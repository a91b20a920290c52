"""Keeps events in spool directories, and delivers them in the same process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from antinode._errors import ConfigurationError
from antinode.relay.figures import DeliveryFigures
from antinode.relay.intake import IntakeHealth, IntakeStats, KeptEvent, NotKept
from antinode.relay.projects import Project, Projects
from antinode.relay.spool.lane import KEEP_WITHIN_S, RETRY_AFTER_S, Lane


class SpoolIntake:
    """An intake and its delivery. Any number of processes may share one directory.

    Below it are, for each project, a spool that has the name of its key's fingerprint, and beside that the
    file of its dead letters.
    """

    def __init__(self, directory: Path, projects: Projects, options: Mapping[str, Any] | None = None) -> None:
        """`options` are those of `antinode.init` for delivery. Raises `ConfigurationError` about them, and
        about a directory that belongs to somebody else."""
        self.directory = directory.absolute()
        """Where it keeps events."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the spool directory {str(self.directory)!r:.200} cannot be made: {error.strerror or error}"
            ) from None
        self._lanes = {each.name: Lane(each, self.directory, options or {}) for each in projects}
        self._is_open = self._is_closed = False
        self._quiet = asyncio.Event()
        """Set while no call of `keep` is under way."""
        self._quiet.set()
        self._events = self._bytes = self._refused = self._waiting = 0

    async def open(self) -> None:
        """Open all spools, and deliver what is in them."""
        for lane in self._lanes.values():
            lane.open()
        self._is_open = True

    async def keep(self, project: Project, events: Sequence[KeptEvent]) -> None:
        if not self._is_open:
            self._refused += len(events)
            raise NotKept(RETRY_AFTER_S, self.health().why)
        if not events:
            return
        self._waiting += 1
        self._quiet.clear()
        try:
            await self._lanes[project.name].keep(events)
        except NotKept:
            self._refused += len(events)
            raise
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._quiet.set()
        self._events += len(events)
        self._bytes += sum(len(each.body) for each in events)

    async def close(self, within: float) -> None:
        if self._is_closed:
            return
        self._is_open, self._is_closed = False, True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), KEEP_WITHIN_S)
        await asyncio.gather(*(lane.close(within) for lane in self._lanes.values()))

    def health(self) -> IntakeHealth:
        if not self._is_open:
            return IntakeHealth(False, "it is closed" if self._is_closed else "it is not open yet")
        troubles = {name: lane.trouble for name, lane in self._lanes.items()}
        why = "; ".join(f"project {name}: {trouble}" for name, trouble in troubles.items() if trouble)
        return IntakeHealth(not why, why)

    def stats(self) -> IntakeStats:
        return IntakeStats(
            kept_events=self._events,
            kept_bytes=self._bytes,
            refused_events=self._refused,
            waiting=self._waiting,
        )

    def figures(self) -> Mapping[str, DeliveryFigures]:
        """How delivery stands, by the project's name."""
        return {name: lane.figures() for name, lane in self._lanes.items()}
