"""The directory of a spool, and the file of dead letters."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from stat import S_ISREG
from typing import Final

from antinode._deadletters import open_letters
from antinode._spool import ownership
from antinode._spool.filesystems import filesystem_of, may_map
from antinode._spool.inspection import inspect
from antinode.cli.doctor.findings import DoctorFinding

_LEAST_FREE_BYTES: Final = 64 * 1024 * 1024
_REMOTE: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs"}
)
_FLEETING: Final = frozenset({"tmpfs", "ramfs"})


def check_spool(path: str, max_bytes: int) -> Iterator[DoctorFinding]:
    """What a client with `storage=path` would find there. Changes nothing."""
    place = _nearest(path)
    if not os.path.isdir(place):
        yield DoctorFinding(
            "spool", "problem", f"{place} is no directory", "Choose a path below a directory."
        )
        return
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        yield DoctorFinding(
            "spool",
            "problem",
            f"{place} cannot be written to: {error.strerror}",
            "Give it to the user that the service runs as, or choose another directory.",
        )
        return
    exists = place == path
    yield DoctorFinding(
        "spool", "ok", f"{path} can be written to" if exists else f"{path} will be made by the first init"
    )
    yield _room(place, max_bytes)
    yield _medium(place)
    if exists:
        yield from _access(path)
        yield from _contents(path)


def check_dead_letters(path: str) -> DoctorFinding:
    """Whether dead letters can be kept at `path`, and how many are there."""
    place = os.path.dirname(path)
    if not os.path.isdir(place) or not os.access(place, os.W_OK):
        return DoctorFinding(
            "dead letters", "problem", f"{place} is no directory that can be written to", "Make it."
        )
    try:
        status = os.lstat(path)
    except OSError:
        return DoctorFinding("dead letters", "ok", f"{path}: none yet")
    if not S_ISREG(status.st_mode):
        text = f"{path} is no regular file: nothing is written to it"
        return DoctorFinding("dead letters", "problem", text, "Move it away, or choose another path.")
    if problem := ownership.refusal(status):
        text = f"nothing is written to {path}: {problem}"
        return DoctorFinding("dead letters", "problem", text, "Move it away, or choose another path.")
    if problem := ownership.exposed(path):
        return DoctorFinding(
            "dead letters",
            "warning",
            f"{path} can be replaced by others ({problem})",
            "Keep it in a directory that only the service's user may write to: it holds what users did.",
        )
    if status.st_size == 0:
        return DoctorFinding("dead letters", "ok", f"{path}: none")
    try:
        with open_letters(path) as file:
            count = sum(1 for _ in file)
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror}"
        return DoctorFinding("dead letters", "problem", text, "Give it to the user that the service runs as.")
    return DoctorFinding(
        "dead letters",
        "warning",
        f"{path}: {_counted(count, 'event')} that {'were' if count > 1 else 'was'} not delivered",
        f"Each line says why. Mend what was wrong, then `antinode replay {path}` sends them again.",
    )


def _nearest(path: str) -> str:
    """The path, or the nearest directory above it that is there."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def _access(path: str) -> Iterator[DoctorFinding]:
    """Whose the directory is, and who else may write to it: what is in it is sent under the service's key."""
    status = os.stat(path)
    if problem := ownership.refusal(status):
        yield DoctorFinding(
            "spool access",
            "problem",
            f"init refuses {path}: {problem}",
            "Give it to the user that the service runs as (and run this as that user), "
            "or choose a directory of the service's own.",
        )
    elif risk := ownership.risk(status):
        yield DoctorFinding(
            "spool access",
            "warning",
            f"{path} is open to others: {risk}",
            f"`chmod 700 {path}` keeps them out: they could hinder or delete what is in it.",
        )


def _room(place: str, max_bytes: int) -> DoctorFinding:
    free = shutil.disk_usage(place).free
    text = f"{_size(free)} free, and the spool may take {_size(max_bytes)}"
    if free < _LEAST_FREE_BYTES:
        return DoctorFinding(
            "spool room", "problem", text, "Make room: a full disk leaves events in memory alone."
        )
    if free < max_bytes:
        return DoctorFinding("spool room", "warning", text, "Make room, or lower max_spool_bytes.")
    return DoctorFinding("spool room", "ok", text)


def _medium(place: str) -> DoctorFinding:
    kind = filesystem_of(place)
    named = kind or "of a kind that this system does not tell"
    if kind in _REMOTE:
        return DoctorFinding(
            "spool disk",
            "warning",
            f"the file system is {kind}, on another machine",
            "Keep the spool on a local disk: locks and crashes are not what they should be over a network.",
        )
    if kind in _FLEETING:
        return DoctorFinding(
            "spool disk",
            "warning",
            f"the file system is {kind}, in memory",
            "It survives the process, not the machine: choose a directory on disk.",
        )
    how = (
        "files are mapped into memory"
        if may_map(place)
        else "files are written by system calls, a little slower"
    )
    return DoctorFinding("spool disk", "ok", f"the file system is {named}: {how}")


def _contents(path: str) -> Iterator[DoctorFinding]:
    try:
        segments = inspect.survey(path)
        troubles = inspect.verify(path)
    except OSError as error:
        yield DoctorFinding("spool files", "problem", f"{path} cannot be read: {error.strerror}")
        return
    left = [each for each in segments if not each.is_alive and each.pending]
    pending = sum(each.pending for each in left)
    if pending:
        oldest = min((each.oldest for each in left if each.oldest is not None), default=time.time())
        yield DoctorFinding(
            "spool files",
            "warning",
            f"{_counted(pending, 'event')} of processes that have ended, the oldest "
            f"from {_age(time.time() - oldest)} ago",
            "The next process with this directory and their API key delivers them, "
            f"or now: `antinode spool drain {path}`.",
        )
    else:
        waiting = sum(each.pending for each in segments)
        owners = len({each.owner for each in segments if each.is_alive})
        text = (
            f"{_counted(waiting, 'event')} of {_counted(owners, 'running process', 'es')}"
            if owners
            else "none left over"
        )
        yield DoctorFinding("spool files", "ok", text)
    if troubles:
        records = sum(each.records for each in troubles)
        lost = f", {_counted(records, 'event')} missing by it" if records else ""
        yield DoctorFinding(
            "spool damage",
            "warning",
            f"{_counted(len(troubles), 'place')} damaged or out of place{lost}",
            f"`antinode spool verify {path}` names each.",
        )


def _counted(number: int, noun: str, plural: str = "s") -> str:
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def _size(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{max(0.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} hours"
