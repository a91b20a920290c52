"""Where rows come from: files, what directories and archives hold, and standard input."""

from __future__ import annotations

import glob
import os
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from threading import Lock
from typing import IO, Final

from antinode._importing.errors import NotReadable
from antinode._importing.foreign import foreign_archive
from antinode._importing.naming import BEGINNING, holds_events, is_hidden, passed_over

STDIN: Final = "-"
_ZIP_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""The others unpack a few kilobytes to any size at once."""
_MAX_MEMBERS: Final = 50_000


class Archive:
    """A ZIP archive whose members are read one after the other; its directory is read once for all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._file: zipfile.ZipFile | None = None
        self.last: str | None = None
        """The member that is read last; behind it the archive is closed."""

    def open(self, member: str) -> IO[bytes]:
        with self._lock:
            if self._file is None:
                self._file = zipfile.ZipFile(self._path)
            return self._file.open(member)

    def leave(self, member: str | None) -> None:
        """A member was read as far as it will be."""
        with self._lock:
            if member == self.last and self._file is not None:
                self._file.close()
                self._file = None


@dataclass(frozen=True)
class Source:
    """One stream of rows."""

    name: str
    """As messages call it."""
    path: Path | None
    """None: standard input."""
    member: str | None = None
    """Which file of an archive it is."""
    size: int = 0
    """In bytes, as stored; 0 if that is not known."""
    archive: Archive | None = field(default=None, compare=False, repr=False)
    """What `member` is in."""


@dataclass(frozen=True)
class Found:
    """What arguments stand for."""

    sources: list[Source]
    remarks: tuple[str, ...] = ()
    """On files that were passed over."""


def find_sources(given: Sequence[str]) -> Found:
    """The sources that arguments name, in the order in which they are read.

    A directory stands for the files in it and below, a pattern for those that it matches, an archive for its
    members: each in the order of their names, numbers by their value, so that hour 9 comes before hour 10.
    What nobody has named is read if it is called as events are, or begins like them. Raises `NotReadable` for
    what is not there.
    """
    found: list[Source] = []
    remarks: list[str] = []
    for argument in given:
        if argument == STDIN:
            found.append(Source("standard input", None))
        else:
            for path in _paths(argument, remarks):
                found += _members(path, remarks)
    twice = {id(each) for each in found} and len({(each.path, each.member) for each in found}) < len(found)
    if twice:
        raise NotReadable("a file is named more than once: its rows would be sent twice, name it once")
    return Found(found, tuple(remarks))


def _paths(argument: str, remarks: list[str]) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        return _files_in(path, argument, remarks)
    if path.exists():
        return [path]
    if glob.has_magic(argument):
        files = [Path(each) for each in glob.glob(argument, recursive=True) if os.path.isfile(each)]
        if files:
            return _in_order(files)
        raise NotReadable(f"no file matches {argument}")
    raise NotReadable(f"there is no file {argument}")


def _files_in(folder: Path, argument: str, remarks: list[str]) -> list[Path]:
    wanted, others = [], []
    for path in _in_order(each for each in folder.rglob("*") if each.is_file()):
        name = str(path.relative_to(folder))
        if not is_hidden(name) and holds_events(name, partial(_begin, path)):
            wanted.append(path)
        else:
            others.append(name)
    if others:
        remarks.append(passed_over(argument, others))
    if not wanted:
        told = f" ({remarks[-1]})" if others else ""
        raise NotReadable(f"{argument} holds no file that is called as events are: name the files{told}")
    return wanted


def _begin(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(BEGINNING)
    except OSError as error:
        raise NotReadable(f"{path} cannot be read: {error.strerror}") from None


def _members(path: Path, remarks: list[str]) -> list[Source]:
    try:
        with open(path, "rb") as file:
            is_archive = file.read(4) == b"PK\x03\x04"
        size = path.stat().st_size
        if not is_archive:
            return [Source(str(path), path, size=size)]
        with zipfile.ZipFile(path) as archive:
            held = [each for each in archive.infolist() if each.file_size > 0 and not each.is_dir()]
            what = foreign_archive(each.filename for each in held)
            if what is not None:
                raise NotReadable(f"{path} is {what}")
            if len(held) > _MAX_MEMBERS:
                raise NotReadable(
                    f"{path} holds {len(held):,} files, more than {_MAX_MEMBERS:,}: "
                    "unpack it, and name the directory"
                )
            members = [each for each in held if _holds_events(archive, each)]
    except OSError as error:
        raise NotReadable(f"{path} cannot be read: {error.strerror}") from None
    except zipfile.BadZipFile as error:
        raise NotReadable(f"{path} is a damaged zip archive ({error})") from None
    kept = {each.filename for each in members}
    others = [each.filename for each in held if each.filename not in kept]
    if others:
        remarks.append(passed_over(str(path), others))
    if held and not members:
        raise NotReadable(f"{path} holds no file that is called as events are ({remarks[-1]})")
    odd = next((each.filename for each in members if each.compress_type not in _ZIP_METHODS), None)
    if odd is not None:
        raise NotReadable(
            f"{path}:{odd:.200} is packed in an unusual way: unpack it, or pack it with deflate"
        )
    members.sort(key=lambda each: _by_number(each.filename))
    shared = Archive(path)
    if members:
        shared.last = members[-1].filename
    return [
        Source(f"{path}:{each.filename}", path, each.filename, size=each.file_size, archive=shared)
        for each in members
    ]


def _holds_events(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    def begin() -> bytes:
        if member.compress_type not in _ZIP_METHODS:
            return b"{"  # to be told that it cannot be unpacked
        with archive.open(member) as file:
            return file.read(BEGINNING)

    return not is_hidden(member.filename) and holds_events(member.filename, begin)


def _in_order(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda each: _by_number(str(each)))


def _by_number(name: str) -> list[tuple[int, str]]:
    # Digits without leading zeros compare as numbers do when their count is compared first.
    return [
        (len(digits := part.lstrip("0")), digits) if is_number else (-1, part)
        for part, is_number in zip(re.split(r"([0-9]+)", name), cycle((False, True)))
    ]
