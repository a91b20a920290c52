"""Looking into a spool directory without changing it: safe while its owners live.

Nothing is written, and no lock is taken that lasts.
What an owner is writing at the moment may be seen in part: a torn end is no damage while it lives.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from stat import S_ISREG
from typing import NamedTuple

from antinode._spool.adoption import read_header
from antinode._spool.disk import LARGE, Disk, read_through
from antinode._spool.format import (
    ACKS_AT,
    Header,
    Newer,
    NotASegment,
    parse_lock_name,
    parse_segment_name,
    pid_of,
    read_acks,
)
from antinode._spool.inspection.damage import DIRECTORY
from antinode._spool.owners import is_held
from antinode._spool.ownership import refusal
from antinode._spool.scanning import Damage, Frame, scan

_AT_ONCE = 64 * 1024


class SegmentSummary(NamedTuple):
    """One segment as it stands."""

    path: str
    owner: str
    number: int
    pid: int
    """Of the process that wrote it."""
    is_alive: bool
    """A living process holds the owner's lock: the writer, or one that has adopted the segment."""
    created: float
    """Unix time."""
    fingerprint: bytes
    events: int
    """Readable records."""
    pending: int
    """Those of them that are not acknowledged."""
    bytes: int
    """Size of the file."""
    damaged_records: int
    damaged_bytes: int
    oldest: float | None
    """Unix time at which the oldest pending record was logged."""


class StoredRecord(NamedTuple):
    """One readable record of a segment."""

    nth: int
    code: int
    """PENDING, or how it was acknowledged."""
    logged: float
    """Unix time."""
    body: bytes


class SpoolFinding(NamedTuple):
    """Something in the directory that is not as it should be."""

    path: str
    problem: str
    offset: int
    length: int
    records: int
    """Pending records that are missing by it, as far as can be told."""


class _Opened:
    """A segment file opened for reading. Raises OSError, NotReadable or Newer."""

    def __init__(self, path: str) -> None:
        self._disk = Disk()
        self.path = path
        self._descriptor = self._disk.open_to_read(path)
        try:
            status = self._disk.stat_open(self._descriptor)
            if not S_ISREG(status.st_mode):
                raise NotASegment("not a file")
            self.size = status.st_size
            # Most files are small, and there may be very many: what begins one is read at once.
            self._beginning = read_through(self._disk, self._descriptor, 0, min(self.size, _AT_ONCE))
            self.header: Header = read_header(self._disk, self._descriptor, self.size)
            self.acks = read_acks(self.read_at(ACKS_AT, self.header.slots)).ljust(self.header.slots, b"\0")
            if self.size > len(self._beginning):
                # Its owner may be writing: this would be older than what is read behind it later.
                self._beginning = b""
        except BaseException:
            self._disk.close(self._descriptor)
            raise

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._disk.close(self._descriptor)

    def read_at(self, offset: int, length: int) -> bytes:
        if offset + length <= len(self._beginning):
            return self._beginning[offset : offset + length]
        return read_through(self._disk, self._descriptor, offset, length)

    def _next_data(self, offset: int) -> int:
        return self._disk.next_data(self._descriptor, offset) if self.size > LARGE else offset

    def code_of(self, nth: int) -> int:
        return self.acks[nth] if nth < len(self.acks) else 0

    def items(self) -> Iterator[Frame | Damage]:
        header = self.header
        end = min(header.data_end, self.size)
        yield from scan(self.read_at, header.data_start, end, 0, header.salt, self._next_data)
        if self.size < header.size:
            yield Damage(0, end, end, 0, f"cut short by {header.size - self.size} bytes")

    def damage(self, *, is_alive: bool) -> Iterator[Damage]:
        """Only what costs pending records, or may have."""
        for item in self.items():
            if isinstance(item, Frame) or (is_alive and item.is_at_end):
                continue
            missing = sum(1 for nth in range(item.nth, item.nth + item.records) if not self.code_of(nth))
            if missing or not item.records:
                yield item._replace(records=missing)


def survey(path: str) -> list[SegmentSummary]:
    """All readable segments of the directory, oldest owner first. Reads all of them, in bounded pieces.

    Raises OSError when the directory itself cannot be read; a file that vanishes meanwhile is left out.
    """
    found = []
    for name in sorted(os.listdir(path)):
        if (parsed := parse_segment_name(name)) is None:
            continue
        try:
            # First, since an owner that dies in between has torn nothing that was whole before.
            is_alive = is_held(Disk(), path, parsed[0])
            with _Opened(os.path.join(path, name)) as opened:
                found.append(_summary(opened, is_alive=is_alive))
        except (OSError, NotASegment, Newer):
            continue
    return found


def _summary(opened: _Opened, *, is_alive: bool) -> SegmentSummary:
    header = opened.header
    events = pending = damaged_records = damaged_bytes = 0
    oldest: float | None = None
    for item in opened.items():
        if isinstance(item, Frame):
            events += 1
            if not opened.code_of(item.nth):
                pending += 1
                logged = header.wall_of(item.logged_at)
                oldest = logged if oldest is None else min(oldest, logged)
        elif not (is_alive and item.is_at_end):
            damaged_records += item.records
            damaged_bytes += item.end - item.offset
    return SegmentSummary(
        opened.path,
        header.owner,
        header.number,
        pid_of(header.owner),
        is_alive,
        header.wall,
        header.fingerprint,
        events,
        pending,
        opened.size,
        damaged_records,
        damaged_bytes,
        oldest,
    )


def records(segment: str, *, pending_only: bool = False) -> Iterator[StoredRecord]:
    """The readable records of one segment file, in order; damaged stretches are passed over.

    Raises OSError when it cannot be opened, ValueError when it is no segment or of a later version.
    """
    with _Opened(segment) as opened:
        for item in opened.items():
            if isinstance(item, Frame) and not (pending_only and opened.code_of(item.nth)):
                yield StoredRecord(
                    item.nth, opened.code_of(item.nth), opened.header.wall_of(item.logged_at), item.body
                )


def verify(path: str) -> list[SpoolFinding]:
    """Everything in the directory that is damaged or does not belong there; empty when all is well.

    Damage that was set aside before is not found again, but the files in `damaged/` are named.
    Raises OSError when the directory itself cannot be read.
    """
    findings: list[SpoolFinding] = []
    for name in sorted(os.listdir(path)):
        file = os.path.join(path, name)
        if name == DIRECTORY:
            findings += _set_aside(file)
        elif parsed := parse_segment_name(name):
            findings += _verify_owner(file) or _verify_segment(path, file, parsed[0])
        elif parse_lock_name(name) is not None:
            findings += _verify_lock(file)
        elif parse_segment_name(name.removesuffix(".new")) is None:
            findings.append(SpoolFinding(file, "does not belong to a spool", 0, 0, 0))
    return findings


def _verify_owner(path: str) -> list[SpoolFinding]:
    try:
        problem = refusal(os.lstat(path))
    except OSError:
        return []
    return [SpoolFinding(path, f"is left alone: {problem}", 0, 0, 0)] if problem else []


def _verify_lock(path: str) -> list[SpoolFinding]:
    try:
        status = os.lstat(path)
    except OSError:
        return []  # given up meanwhile
    if problem := refusal(status):
        return [SpoolFinding(path, f"is left alone: {problem}", 0, 0, 0)]
    if S_ISREG(status.st_mode):
        return []
    return [SpoolFinding(path, "is no regular file, as a lock has to be", 0, 0, 0)]


def _verify_segment(directory: str, path: str, owner: str) -> list[SpoolFinding]:
    try:
        is_alive = is_held(Disk(), directory, owner)
        with _Opened(path) as opened:
            opened.header.of_file(os.path.basename(path))
            return [
                SpoolFinding(path, damage.problem, damage.offset, damage.end - damage.offset, damage.records)
                for damage in opened.damage(is_alive=is_alive)
            ]
    except FileNotFoundError:
        return []  # settled and deleted meanwhile
    except OSError as error:
        return [SpoolFinding(path, f"cannot be read: {error.strerror}", 0, 0, 0)]
    except (NotASegment, Newer) as error:
        return [SpoolFinding(path, str(error), 0, 0, 0)]


def _set_aside(directory: str) -> list[SpoolFinding]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return [SpoolFinding(directory, "not a directory", 0, 0, 0)]
    return [
        SpoolFinding(os.path.join(directory, name), "was set aside", 0, 0, 0)
        for name in names
        if not name.endswith(".json")
    ]
