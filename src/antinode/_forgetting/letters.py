"""Forgetting in files of dead letters: a line is overwritten where it stands.

The file keeps its length, so that other processes may go on appending, and rotating, meanwhile; and each line
is one write, so that a process that dies in between has forgotten some whole lines, and touched no other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from stat import S_ISREG

from antinode._deadletters import files_of

_BINARY = getattr(os, "O_BINARY", 0)  # Windows only
_SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def forget_letters(path: str, is_meant: Callable[[bytes], bool]) -> int:
    """Blank the lines that are meant in the file and in those set aside; returns how many they were.

    Raises OSError when the disk refuses.
    """
    count = 0
    seen: set[tuple[int, int]] = set()
    # The newest first: a file that is set aside meanwhile is met again, under its new name.
    for name in [*reversed(files_of(path)), *files_of(path)]:
        with suppress(FileNotFoundError):
            count += _forget_in(name, is_meant, seen)
    return count


def _forget_in(name: str, is_meant: Callable[[bytes], bool], seen: set[tuple[int, int]]) -> int:
    descriptor = os.open(name, os.O_RDWR | _BINARY | _SAFELY)
    try:
        status = os.fstat(descriptor)
        if not S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) in seen:
            return 0
        seen.add((status.st_dev, status.st_ino))
        count = at = 0
        with os.fdopen(os.dup(descriptor), "rb") as file:
            for line in file:
                if is_meant(line):
                    _blank(descriptor, at, len(line.rstrip(b"\r\n")))
                    count += 1
                at += len(line)
        if count:
            os.fsync(descriptor)
        return count
    finally:
        os.close(descriptor)


def _blank(descriptor: int, at: int, length: int) -> None:
    rest = memoryview(b" " * length)
    if hasattr(os, "pwrite"):
        while rest:
            done = os.pwrite(descriptor, rest, at)
            rest, at = rest[done:], at + done
        return
    with os.fdopen(os.dup(descriptor), "r+b", buffering=0, closefd=True) as file:
        file.seek(at)
        file.write(rest)
