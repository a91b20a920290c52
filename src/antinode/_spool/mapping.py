"""Memory to which a file is mapped, unmapped without harm where other code has closed descriptors.

Before Python 3.13 a map keeps a descriptor of its own, and closes that number when it goes, whatever file has
the number by then.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from antinode._spool.disk import Disk

if TYPE_CHECKING:
    import mmap

_kept: list[mmap.mmap] = []
"""Maps that may not be closed."""


class Mapping:
    """A file of this process's own, mapped. The memory is valid until `let_go`."""

    def __init__(self, disk: Disk, descriptor: int, size: int) -> None:
        """Raises OSError and ValueError, as mapping does."""
        self._disk = disk
        self._status = disk.stat_open(descriptor)
        self._descriptor = -1
        # The lowest number that is free, as the map's own will be unless another thread opens something.
        likely = -1 if sys.version_info >= (3, 13) else _lowest_free(descriptor)
        self.memory = disk.map(descriptor, size)
        if likely >= 0:
            self._descriptor = self._find_descriptor(descriptor, likely)

    def _find_descriptor(self, given: int, likely: int) -> int:
        """The map's own descriptor; -1 if not found. The file is new: nobody else here has opened it."""
        try:
            numbers = [likely, *map(int, os.listdir("/proc/self/fd"))]
        except (OSError, ValueError):
            numbers = [likely]
        return next((each for each in numbers if each != given and self._is_held_by(each)), -1)

    def _is_held_by(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._status)
        except OSError:
            return False

    def let_go(self) -> None:
        """Unmap it; or keep it for ever, where that would close a stranger's descriptor."""
        if self.memory.closed:
            return
        if self._descriptor < 0 or self._is_held_by(self._descriptor):
            self.memory.close()
            return
        self._disk.has_lost_descriptors = True
        if not any(each is self.memory for each in _kept):
            _kept.append(self.memory)
            _make_immortal(self.memory)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.let_go()


def _lowest_free(descriptor: int) -> int:
    copy = os.dup(descriptor)
    os.close(copy)
    return copy


def _make_immortal(memory: mmap.mmap) -> None:
    """Keep the map from being closed even when the interpreter ends and empties all modules."""
    with contextlib.suppress(ImportError):
        import ctypes  # noqa: PLC0415 - hardly ever

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))
