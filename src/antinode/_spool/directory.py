"""The directory that the processes share: making it so that it lasts, and how many bytes its files take."""

from __future__ import annotations

import os

from antinode._spool.disk import Disk, bytes_of
from antinode._spool.inspection.damage import DIRECTORY as DAMAGED_DIRECTORY


class SpoolDirectory:
    """Its files belong to all processes that have it open, and its bytes count for all of them together."""

    def __init__(self, disk: Disk, path: str) -> None:
        self.path = path
        self.bytes = 0
        """What all files took when they were last counted, and what was made since."""
        self._disk = disk

    def make(self, *, is_durable: bool) -> None:
        """Raises OSError. `is_durable`: a power cut does not take the directory's own name either.

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
                # Whoever may not read a directory cannot sync it, nor has made anything in it.
                continue

    def _is_there(self, directory: str) -> bool:
        try:
            self._disk.stat_directory(directory)
        except FileNotFoundError:
            return False
        return True

    def count(self) -> None:
        """Count the bytes of all files anew. Raises OSError when the directory cannot be listed."""
        total = 0
        for directory in (self.path, os.path.join(self.path, DAMAGED_DIRECTORY)):
            try:
                names = self._disk.names(directory)
            except FileNotFoundError:
                if directory == self.path:
                    raise
                continue
            for name in names:
                try:
                    total += bytes_of(self._disk.stat(os.path.join(directory, name)))
                except OSError:
                    continue
        self.bytes = total
