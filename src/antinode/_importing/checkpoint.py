"""The checkpoint: how far an import is, in a file that is there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from antinode._importing.errors import CannotResume
from antinode._importing.sources import Source
from antinode._importing.tracking import Position

_VERSION: Final = 1


class FileState(msgspec.Struct, frozen=True):
    """A file as it was when the import began."""

    path: str
    member: str | None
    size: int
    changed_ns: int


class RowCounts(msgspec.Struct):
    """What became of the rows that are settled."""

    delivered: int = 0
    rejected: int = 0
    left_out: int = 0


class State(msgspec.Struct, kw_only=True):
    """What a checkpoint holds."""

    version: int = _VERSION
    files: list[FileState]
    mapping: str
    """Fingerprints of how rows become events, and of where these go."""
    destination: str
    position: Position = msgspec.field(default_factory=Position)
    counts: RowCounts = msgspec.field(default_factory=RowCounts)
    unread: dict[int, str] = msgspec.field(default_factory=dict)
    """By the number of their source: why the rest of damaged files could not be read."""
    rejects: str | None = None
    """The file of rejected rows, and how long it was."""
    rejects_size: int = 0
    is_finished: bool = False
    finished_at: str | None = None


def file_states(sources: Sequence[Source]) -> list[FileState]:
    """The files as they are. Standard input is taken to be what it was."""
    states = []
    for source in sources:
        if source.path is None:
            states.append(FileState("-", None, 0, 0))
        else:
            status = source.path.stat()
            path = str(source.path.resolve())
            states.append(FileState(path, source.member, status.st_size, status.st_mtime_ns))
    return states


def fingerprint(*parts: str) -> str:
    """A digest by which to tell whether `parts` have changed, and from which they cannot be recovered."""
    joined = "\0".join(("antinode import", *parts))
    return hashlib.sha256(joined.encode(errors="surrogatepass")).hexdigest()[:32]


def default_path(files: Sequence[FileState], destination: str) -> Path:
    """Where a checkpoint is kept if no path is given: among the user's state files, under a name that depends
    on what is imported and where it goes."""
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or str(Path.home())
    else:
        home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    named = (part for file in files for part in (file.path, file.member or ""))
    return Path(home) / "antinode" / "imports" / f"{fingerprint(destination, *named)}.json"


def load(path: Path) -> State | None:
    """What the checkpoint holds, None if there is none. Raises `CannotResume`."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotResume(f"the checkpoint {path} cannot be read: {error.strerror}") from None
    try:
        state = msgspec.json.decode(text, type=State)
    except msgspec.MsgspecError:
        raise CannotResume(
            f"{path} is no checkpoint of an import: name another --checkpoint, or remove it"
        ) from None
    if state.version != _VERSION:
        raise CannotResume(
            f"the checkpoint {path} was written by another version of antinode: begin anew with --again"
        )
    return state


def save(path: Path, state: State) -> None:
    """Replace the checkpoint, such that a power cut leaves the old one or the new one. Raises OSError."""
    beside = path.with_name(f"{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with open(descriptor, "wb") as file:
        file.write(msgspec.json.encode(state))
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a checkpoint for this process alone. Raises `CannotResume` if another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            _lock(descriptor)
            if lock.stat().st_ino != os.fstat(descriptor).st_ino:
                raise BlockingIOError  # its last holder removed it just now, and another process made it anew
        except OSError:
            raise CannotResume(
                f"another process is at this import (it holds {lock}): wait for it, or stop it"
            ) from None
        yield
        with suppress(OSError):
            lock.unlink()
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - Windows only

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
