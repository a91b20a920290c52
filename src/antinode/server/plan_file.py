"""The file of a tracking plan that the server shows beside what comes, read again when it changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from antinode._protocol.words import counted
from antinode.plan._errors import PlanError
from antinode.plan._models import TrackingPlan
from antinode.plan._reading import read_plan

LOOK_EVERY_SECONDS: Final = 0.5

_Stamp: TypeAlias = tuple[int, int, int]


class PlanReading(NamedTuple):
    """What a changed file gave."""

    plan: TrackingPlan
    """The one in force: the one before, where the file cannot be read."""
    error: str = ""
    """Why it cannot."""

    def told(self, path: Path) -> str:
        """This in a line or more for the log."""
        if self.error:
            what = "The tracking plan has changed and cannot be read; the one before stays in force."
            return f"{what}\n{self.error}"
        active = sum(not each.is_retired for each in self.plan.events.values())
        return f"The tracking plan was read again: {counted(active, 'event')} in {path}."


class PlanFile:
    """A file with a plan, as it was when it could last be read."""

    def __init__(self, path: Path) -> None:
        """Raises PlanError, or OSError, for what is there now."""
        self.path = path
        self._stamp = _stamp_of(path)
        self.plan = read_plan(path)

    def look(self) -> PlanReading | None:
        """What has come of the file since it was last looked at; None if it is still the same."""
        stamp = _stamp_of(self.path)
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            self.plan = read_plan(self.path)
        except PlanError as error:
            return PlanReading(self.plan, str(error))
        except OSError as error:
            return PlanReading(self.plan, f"{self.path} cannot be read ({error.strerror})")
        return PlanReading(self.plan)


def _stamp_of(path: Path) -> _Stamp | None:
    """What is another after each change; None where there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
