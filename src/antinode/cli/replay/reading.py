"""The letters in the files, one after the other, as far as they are chosen."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO, Final, NamedTuple

from antinode._deadletters import Letter, decode, files_of, open_letters
from antinode._protocol.limits import BATCH_BODY_LIMIT_BYTES
from antinode.cli.ui.errors import Failed

_PIECE = 1024 * 1024
MAX_LINE: Final = BATCH_BODY_LIMIT_BYTES + 1024 * 1024
"""Bytes of a line: the largest event that was ever sent, and what stands beside it."""
_MOST_TOLD: Final = 100


class ReadableLine(NamedTuple):
    """A line that can be read."""

    where: str
    """`FILE:12`."""
    line: bytes
    number: int
    letter: Letter


@dataclass(frozen=True)
class Choice:
    """Which letters are meant; with nothing named, all."""

    reasons: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()

    def takes(self, letter: Letter) -> bool:
        return (not self.reasons or letter.reason in self.reasons) and (
            not self.outcomes or letter.outcome in self.outcomes
        )


@dataclass
class DeadLetterFiles:
    """The files, opened once: if one is set aside under another name meanwhile, it is read all the same."""

    choice: Choice
    passed_over: int = 0
    """Lines that were not chosen."""
    hollow: int = 0
    """Chosen letters in which there is no event."""
    unreadable: int = 0
    """Lines that cannot be read."""
    problems: list[str] = field(default_factory=list)
    """What is wrong with them; of many, the first hundred."""
    lines: int = 0
    _files: list[tuple[str, BinaryIO]] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def open(self, paths: Sequence[str], *, with_set_aside: bool) -> None:
        """Open the files. If one cannot be read, raises what ends the command."""
        seen: set[tuple[int, int]] = set()
        for name in paths:
            for path in files_of(name) if with_set_aside else [name]:
                try:
                    file = open_letters(path)
                    self._stack.callback(file.close)
                    status = os.stat(file.fileno())
                    if (status.st_dev, status.st_ino) not in seen:
                        seen.add((status.st_dev, status.st_ino))
                        self._files.append((path, file))
                        self.lines += _count_lines(file)
                except OSError as error:
                    raise Failed(f"{path} cannot be read: {error.strerror or error}") from None

    def holds(self, path: str) -> bool:
        """Whether `path` is one of the files that are read."""
        try:
            status = os.stat(path)
        except OSError:
            return False
        return any(os.path.samestat(status, os.stat(file.fileno())) for _, file in self._files)

    @property
    def skipped(self) -> int:
        """Lines that were read, and are not sent."""
        return self.passed_over + self.hollow + self.unreadable

    def close(self) -> None:
        self._stack.close()

    def entries(self) -> Iterator[ReadableLine]:
        """Every chosen letter with an event; the others are counted."""
        for path, file in self._files:
            for number, line in enumerate(_lines(file), 1):
                if line is not None and not line.strip():
                    continue
                where = f"{path}:{number}"
                if line is None:
                    self._object(f"{where}: the line is longer than {MAX_LINE:,} bytes")
                    continue
                try:
                    letter = decode(line)
                except ValueError as error:
                    self._object(f"{where}: {error}")
                    continue
                if not self.choice.takes(letter):
                    self.passed_over += 1
                elif letter.event is None:
                    self.hollow += 1
                else:
                    yield ReadableLine(where, line.rstrip(), number, letter)

    def _object(self, problem: str) -> None:
        self.unreadable += 1
        if len(self.problems) < _MOST_TOLD:
            self.problems.append(problem)


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """The lines; None for one that is too long, of which the rest is passed over."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) <= MAX_LINE:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(_PIECE)
        yield None


def _count_lines(file: BinaryIO) -> int:
    lines, last = 0, b"\n"
    while piece := file.read(_PIECE):
        lines += piece.count(b"\n")
        last = piece[-1:]
    file.seek(0)
    return lines + (last != b"\n")
