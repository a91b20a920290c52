"""The file of what was not delivered this time, either: dead letters again."""

from __future__ import annotations

import contextlib
import os
import re
from typing import BinaryIO

from antinode._deadletters import encode
from antinode._delivery.outcome import Outcome
from antinode.cli.ui.errors import Failed

_NUMBERED = re.compile(r"(.+)\.failed-\d+")
_MOST = 10_000


class FailedFile:
    """Written beside what is read, which is never changed. Gone at the end if nothing was written to it."""

    def __init__(self, path: str, file: BinaryIO, *, is_new: bool) -> None:
        self.path = path
        self.count = 0
        self._file = file
        self._is_new = is_new

    @classmethod
    def open(cls, given: str | None, first_input: str) -> FailedFile:
        """The file that was given, to add to, or a new one: `FILE.failed-1` or the next number.

        Before anything is sent, so that there is a place for what comes back. Raises what ends the command.
        """
        path = given or first_input
        try:
            if given is not None:
                is_new = not os.path.exists(given)
                return cls(given, open(_opened(given, 0), "ab"), is_new=is_new)
            stem = match[1] if (match := _NUMBERED.fullmatch(first_input)) else first_input
            for number in range(1, _MOST):
                path = f"{stem}.failed-{number}"
                with contextlib.suppress(FileExistsError):
                    return cls(path, open(_opened(path, os.O_EXCL), "ab"), is_new=True)
        except OSError as error:
            reason = error.strerror or error
            raise Failed(
                f"{path} cannot be written ({reason}), and what fails would be kept there: "
                "name another one with --failed"
            ) from None
        raise Failed(f"there are {_MOST:,} files {stem}.failed-…: name another one with --failed")

    def add(self, outcome: Outcome, body: bytes) -> None:
        """Keep an event, which is `body` as JSON, with the way it ended. Raises OSError."""
        self._file.write(encode(outcome, body))
        self.count += 1

    def close(self) -> None:
        """Close the file, and delete it if it is new and empty. Raises OSError if the disk does."""
        self._file.close()
        if self._is_new and not self.count:
            os.unlink(self.path)


def _opened(path: str, flags: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | flags, 0o600)
