"""Memory set aside for the end, so that a process that has none left can still settle what is queued."""

from __future__ import annotations

import mmap
import sys
from typing import Final

# Python's allocator asks for one mebibyte at a time. Pages that nobody touches take addresses, but no memory.
RESERVE_BYTES: Final = 4 * 1024 * 1024


class Reserve:
    """The process's reserve: given back when an ending begins, and set aside again when it is over."""

    def __init__(self) -> None:
        self._memory: mmap.mmap | None = None

    def hold(self) -> None:
        """Set the memory aside, unless it is, or there is none."""
        if self._memory is None:
            try:
                if sys.platform == "win32":
                    self._memory = mmap.mmap(-1, RESERVE_BYTES)
                else:
                    self._memory = mmap.mmap(-1, RESERVE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            except (OSError, MemoryError):
                return

    def give_back(self) -> None:
        """Let others have the memory. A plain method, since a `with` statement needs memory to begin."""
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()


RESERVE: Final = Reserve()
