"""A disk that fails when it is told to."""

from __future__ import annotations

import errno
import os

from antinode._spool import Spool, SpoolError
from antinode._spool.disk import PAGE, Disk
from antinode._spool.format import ACKS_AT


class FaultyDisk(Disk):
    """The real disk, until a call is told to fail."""

    def __init__(self) -> None:
        self.faults: dict[str, int] = {}
        self.room: int | None = None
        """Bytes that can still be reserved or written; None: as many as there are."""
        self.bad_pages: set[int] = set()
        """Pages that cannot be read."""

    def _check(self, call: str, size: int = 0) -> None:
        if (number := self.faults.get(call)) is not None:
            raise OSError(number, os.strerror(number))
        if self.room is not None:
            if size > self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.room -= size

    def create(self, path: str) -> int:
        self._check("create")
        return super().create(path)

    def open_lock(self, path: str) -> int:
        self._check("open_lock")
        return super().open_lock(path)

    def open(self, path: str) -> int:
        self._check("open")
        return super().open(path)

    def reserve(self, descriptor: int, size: int) -> None:
        self._check("reserve", size)
        super().reserve(descriptor, size)

    def map(self, descriptor: int, size: int):  # type: ignore[no-untyped-def]
        self._check("map")
        return super().map(descriptor, size)

    def write_at(self, descriptor: int, data: bytes, offset: int) -> int:
        self._check("write_at")
        if self.room is not None and offset > ACKS_AT and len(data) > 20:
            if self.room == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[: self.room]
            self.room -= len(data)
        return super().write_at(descriptor, data, offset)

    def read_at(self, descriptor: int, length: int, offset: int) -> bytes:
        self._check("read_at")
        if any(page in self.bad_pages for page in range(offset // PAGE, (offset + length - 1) // PAGE + 1)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read_at(descriptor, length, offset)

    def sync(self, descriptor: int) -> None:
        self._check("sync")
        super().sync(descriptor)

    def unlink(self, path: str) -> None:
        self._check("unlink")
        super().unlink(path)

    def rename(self, old: str, new: str) -> None:
        self._check("rename")
        super().rename(old, new)

    def make_directory(self, path: str) -> None:
        self._check("make_directory")
        super().make_directory(path)

    def names(self, path: str) -> list[str]:
        self._check("names")
        return super().names(path)


def fill(spool: Spool, size: int = 1000) -> list[int]:
    """Append until that fails; returns the places."""
    places = []
    try:
        while True:
            places.append(spool.append(b"x" * size, 0.0, direct=True))
    except SpoolError:
        return places
