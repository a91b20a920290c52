"""Files of the relay's configuration: read within a bound, and refused if others could read their secrets."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

from antinode._errors import ConfigurationError


def read_file(path: Path, what: str, most: int = 1024 * 1024) -> str:
    """The text of a file of `most` bytes at most. `what` names it. Raises `ConfigurationError`."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise ConfigurationError(f"{what}, {path}, is larger than {most:,} bytes")
        return content.decode()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{what}, {path}, is no UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"{what}, {path}, cannot be read: {error.strerror or error}") from None


def refuse_others(path: Path, what: str, secrets: str) -> None:
    """Raise `ConfigurationError` for a file that others can read, or that its group can write."""
    if sys.platform == "win32":
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ConfigurationError(
            f"{what}, {path}, holds {secrets} and has the mode {mode:04o}: `chmod 600` keeps others out"
        )
