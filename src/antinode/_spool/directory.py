"""The directory that the processes share: making it so that it lasts, and how many bytes its files take."""

from __future__ import annotations

import os

from antinode._spool.disk import Disk, bytes_of
from antinode._spool.inspection.damage import DIRECTORY as DAMAGED_DIRECTORY

COUNTED_AT_ONCE = 256
"""How many files are counted at once where nobody must be kept waiting."""


class SpoolDirectory:
    """Its files belong to all processes that have it open, and its bytes count for all of them together."""

    def __init__(self, disk: Disk, path: str) -> None:
        self.path = path
        self.bytes = 0
        """What all files took when they were last counted, and what was made since; before that, a guess."""
        self.is_counted = False
        self._disk = disk

    def make(self, *, is_durable: bool) -> None:
        """Make the directory. Raises OSError. `is_durable`: its own name, too, survives a power cut.

        The parent is synced even if the directory is there: whoever made it may have died before that.
        """
        if not is_durable:
            self._disk.make_directory(self.path)
            return
        made: list[str] = []
        parent = os.path.dirname(self.path)
        while not made or not self._is_there(made[-1]):
            made.append(parent)
            parent = os.path.dirname(parent)
        self._disk.make_directory(self.path)
        for directory in reversed(made):
            try:
                self._disk.sync_directory(directory)
            except PermissionError:
                # A directory that this process may not read cannot be synced, and nothing was made in it.
                continue

    def _is_there(self, directory: str) -> bool:
        try:
            self._disk.stat_directory(directory)
        except FileNotFoundError:
            return False
        return True

    def names(self) -> list[str]:
        """The names of all files. Raises OSError."""
        return self._disk.names(self.path)

    def count(self, names: list[str] | None = None, *, at_most: int | None = None) -> None:
        """Count the bytes of all files anew. Raises OSError when the directory cannot be listed.

        names: it was listed just now. at_most: where there are more files, what was counted before is kept.
        If nothing was, the guess is half of what so many of them suggest: too low rather than too high, and
        enough to stop processes that each die before they have counted.
        """
        if names is None:
            names = self.names()
        damaged = os.path.join(self.path, DAMAGED_DIRECTORY)
        try:
            set_aside = self._disk.names(damaged)
        except OSError:
            set_aside = []
        if at_most is None or len(names) + len(set_aside) <= at_most:
            self.bytes = self._sum(self.path, names) + self._sum(damaged, set_aside)
            self.is_counted = True
        elif not self.is_counted and names:
            some = names[:: max(1, len(names) // at_most)][:at_most]
            self.bytes = self._sum(self.path, some) * len(names) // len(some) // 2

    def _sum(self, directory: str, names: list[str]) -> int:
        total = 0
        for name in names:
            try:
                total += bytes_of(self._disk.stat(os.path.join(directory, name)))
            except OSError:
                continue
        return total
