"""Dead letters: a file of the events that were rejected or dropped, each with its reason, as JSON lines.

A letter is one whole line. A blank line may stand between two: where a line is torn, or seems to be, the next
writer begins a new one, and `forget` overwrites a letter with blanks.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timezone
from stat import S_ISDIR, S_ISREG
from typing import Any, BinaryIO, NamedTuple

import msgspec

from antinode import _json
from antinode._delivery.outcome import Outcome
from antinode._delivery.record import Record
from antinode._delivery.shell.log_limiter import write
from antinode._spool.ownership import refusal

# A larger file is set aside as PATH.1, the one there before as PATH.2, and so on up to KEPT_FILES.
MAX_BYTES = 16 * 1024 * 1024
KEPT_FILES = 4
# Letters are written in pieces of this size, so that the bound holds even when a whole queue is dropped.
_PIECE_BYTES = 1024 * 1024
# A process that has been setting files aside for so long counts as dead.
_ROTATES_FOR_SECONDS = 60.0
# A line without its end is torn if it still has none after so many looks at this interval.
_LOOK_AGAIN_SECONDS = 0.002
_LOOKS = 25
_BINARY = getattr(os, "O_BINARY", 0)  # Windows only
# Not on Windows: a link is not followed, and a FIFO that nobody reads keeps nobody waiting.
_SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class DeadLetters:
    """Writes dead letters to `path`, which any number of processes may share. Bounded: the oldest go first.

    The file can be read by its owner alone, for events hold what users did. A trouble with it is logged once.
    """

    def __init__(self, path: str, *, max_bytes: int = MAX_BYTES, kept: int = KEPT_FILES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._piece = min(_PIECE_BYTES, max_bytes)
        self._is_in_trouble = False

    def bury(self, records: Iterable[Record]) -> None:
        """Append a line for each of these settled records."""
        lines = bytearray()
        for record in records:
            if record.outcome is None:
                continue
            line = _encoded(record.outcome, record.body)
            if lines and len(lines) + len(line) > self._piece:
                self._keep(lines)
                lines = bytearray()
            lines += line
        if lines:
            self._keep(lines)

    def _keep(self, lines: bytes | bytearray) -> None:
        try:
            self._append(lines)
            self._is_in_trouble = False
        except OSError as error:
            if not self._is_in_trouble:
                self._is_in_trouble = True
                reason = error.strerror or type(error).__name__
                write(logging.WARNING, f"dead letters cannot be written to {self.path!r}: {reason}")

    def _append(self, lines: bytes | bytearray) -> None:
        with suppress(FileNotFoundError):
            status = os.lstat(self.path)
            if S_ISREG(status.st_mode) and status.st_size + len(lines) > self._max_bytes:
                self._rotate()
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY | _SAFELY, 0o600)
        try:
            status = os.fstat(file)
            if not S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file")
            if problem := refusal(status):
                raise OSError(errno.EPERM, problem)
            # After a failure the torn line is this writer's own, and there is nobody to wait for.
            is_torn = _ends_torn(file, looks=1 if self._is_in_trouble else _LOOKS)
            rest = memoryview(b"\n" + lines if is_torn else lines)
            while rest:
                rest = rest[os.write(file, rest) :]
        finally:
            os.close(file)

    def _rotate(self) -> None:
        # Whoever makes the directory rotates; another process that is full too finds the work done.
        guard = f"{self.path}.rotating"
        try:
            os.mkdir(guard)
        except FileExistsError:
            with suppress(OSError):
                status = os.lstat(guard)
                if not S_ISDIR(status.st_mode):
                    os.unlink(guard)
                # A time ahead of the clock counts as old: the guard would stay for ever.
                elif abs(time.time() - status.st_mtime) > _ROTATES_FOR_SECONDS:
                    os.rmdir(guard)
            return
        try:
            if os.stat(self.path).st_size > self._max_bytes // 2:
                for number in range(self._kept - 1, 0, -1):
                    with suppress(FileNotFoundError):
                        os.replace(f"{self.path}.{number}", f"{self.path}.{number + 1}")
                os.replace(self.path, f"{self.path}.1")
        finally:
            with suppress(OSError):
                os.rmdir(guard)


def _ends_torn(file: int, looks: int) -> bool:
    """Whether the last line was written in part, on a full disk or by a process that was killed.

    In doubt it was: a blank line is passed over by readers, a letter that continues a torn line is lost.
    """
    with suppress(OSError):
        for look in range(looks):
            if look:
                # Another process may be in the midst of writing.
                time.sleep(_LOOK_AGAIN_SECONDS)
            size = os.fstat(file).st_size
            if size == 0:
                return False
            os.lseek(file, size - 1, os.SEEK_SET)
            if os.read(file, 1) == b"\n":
                return False
    return True


def open_letters(path: str) -> BinaryIO:
    """Open a file for reading. Raises OSError for any but a regular file, without waiting at a FIFO."""
    file = os.open(path, os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0))
    if not S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return open(file, "rb")


def files_of(path: str) -> list[str]:
    """The files that hold the dead letters of `path`, those set aside included, the oldest letters first."""
    names = [f"{path}.{number}" for number in range(KEPT_FILES, 0, -1)]
    return [*filter(os.path.exists, names), path]


# The format.


class Letter(NamedTuple):
    """One dead letter, as it is read back. The texts are empty for an event that stands there by itself."""

    event: dict[str, Any] | None
    """None where nothing could be kept, as when a middleware broke: it might have been one that redacts."""
    outcome: str = ""
    """`rejected` or `dropped`."""
    reason: str = ""
    code: int = 0
    message: str = ""
    buried_at: datetime | None = None


def encode(outcome: Outcome, body: bytes) -> bytes:
    """The line that keeps an event, which is `body` as JSON, with the way it ended."""
    letter: dict[str, Any] = {
        "buried_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "outcome": outcome.kind,
        "reason": outcome.reason,
        "code": outcome.code,
        "message": outcome.message,
        "attempts": outcome.attempts,
        "event": _json.fragment(body) if _is_json(body) else None,
    }
    return _json.dumps(letter) + b"\n"


def _encoded(outcome: Outcome, body: bytes) -> bytes:
    """As `encode`; without the event if it cannot be encoded, so that it costs no other record its letter."""
    try:
        return encode(outcome, body)
    except Exception:
        return encode(outcome, b"")


def decode(line: bytes) -> Letter:
    """A line of a dead-letters file, or an event alone. Raises ValueError with what is wrong with it."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"this is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"this is {type(found).__name__}, not a dead letter or an event")
    if "outcome" not in found or "event" not in found:
        return Letter(found)
    try:
        letter = msgspec.convert(found, _LetterLine)
    except msgspec.ValidationError as error:
        raise ValueError(f"this is no dead letter: {error}") from None
    return Letter(letter.event, letter.outcome, letter.reason, letter.code, letter.message, letter.buried_at)


class _LetterLine(msgspec.Struct):
    event: dict[str, Any] | None
    outcome: str
    reason: str = ""
    code: int = 0
    message: str = ""
    buried_at: datetime | None = None


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return False
    return True
