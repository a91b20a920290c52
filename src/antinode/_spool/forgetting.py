"""Forgetting records for good: they count as ended, and what they held is overwritten where it lies.

The acknowledgement goes first. A process that dies in between leaves a record that nobody is given, or one
of blanks with the right checksum: no other record is touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from antinode._spool.adoption import read_header
from antinode._spool.disk import Disk
from antinode._spool.format import DROPPED, Newer, NotASegment, encode_frame, parse_segment_name
from antinode._spool.inspection.inspect import records
from antinode._spool.owners import acquire
from antinode._spool.ownership import refusal
from antinode._spool.reading import scan_adopted
from antinode._spool.recovering import Recovered
from antinode._spool.scanning import Damage, Frame, scan
from antinode._spool.segment import AdoptedSegment, Segment
from antinode._spool.writers import OwnSegment

IsMeant = Callable[[bytes], bool]
"""Whether the record with this body is to be forgotten. Raises nothing."""


def forget_held(
    segments: Iterable[Segment], is_meant: IsMeant, held: Container[int], ends: Mapping[int, int]
) -> list[Recovered]:
    """Forget records in segments of this process; returns those that nobody has been given.

    `held` are the places of records that were given, and have not ended. Own segments are looked through
    up to `ends`, by their base. Raises OSError when the disk refuses.
    """
    unread: list[Recovered] = []
    for segment in segments:
        if isinstance(segment, OwnSegment):
            end = ends.get(segment.base)
            if end is None:
                continue
            items = scan(segment.read_at, segment.header.data_start, end, 0, segment.header.salt)
        elif isinstance(segment, AdoptedSegment):
            items = scan_adopted(segment, segment.header.data_start, 0)
        else:
            continue
        try:
            for frame in _forget(segment, items, is_meant):
                place = segment.base + frame.nth
                if place in held:
                    continue
                if isinstance(segment, AdoptedSegment):
                    segment.given += 1  # and has ended, without having been read
                unread.append(Recovered(place, frame.body, frame.logged_at, segment.is_own))
        except FileNotFoundError:
            continue  # and what was in it
    return unread


def _forget(segment: Segment, items: Iterator[Frame | Damage], is_meant: IsMeant) -> list[Frame]:
    """Forget what is meant of these; returns the records that had not ended."""
    acks = segment.acks
    found = [item for item in items if isinstance(item, Frame) and is_meant(item.body)]
    pending = [frame for frame in found if frame.nth < len(acks) and not acks[frame.nth]]
    segment.acknowledge([frame.nth for frame in pending], DROPPED)
    for frame in found:
        blank = encode_frame(frame.nth, frame.logged_at, b" " * len(frame.body), segment.header.salt)
        segment.disk.write_at(segment.opened(), blank, frame.offset)
    if found:
        segment.disk.sync(segment.opened())
    return pending


class LeftForgotten(NamedTuple):
    """What became of a user's records in the files of other processes."""

    forgotten: int
    """Of processes that have ended."""
    in_use: int
    """Of living ones, which alone may change their files."""


def forget_left(
    directory: str, is_meant: IsMeant, *, fingerprint: bytes | None = None, own: Collection[str] = ()
) -> LeftForgotten:
    """Forget records in the segments of other processes than this one's `own` owners.

    Only those with this `fingerprint`, if it is given. Raises OSError when the disk refuses.
    """
    disk = Disk()
    forgotten = in_use = 0
    owners: dict[str, list[str]] = {}
    for name in sorted(os.listdir(directory)):
        parsed = parse_segment_name(name)
        if parsed is not None and parsed[0] not in own:
            owners.setdefault(parsed[0], []).append(name)
    for owner, names in owners.items():
        lock = acquire(disk, directory, owner)
        try:
            for name in names:
                segment = _found(disk, os.path.join(directory, name), fingerprint)
                if segment is None:
                    continue
                try:
                    if lock is None:
                        in_use += sum(
                            is_meant(each.body) for each in records(segment.path, pending_only=True)
                        )
                    else:
                        start = segment.header.data_start
                        forgotten += len(_forget(segment, scan_adopted(segment, start, 0), is_meant))
                except (FileNotFoundError, ValueError):
                    continue
                finally:
                    segment.close()
        finally:
            if lock is not None:
                lock.release(remove=False)
    return LeftForgotten(forgotten, in_use)


def _found(disk: Disk, path: str, fingerprint: bytes | None) -> AdoptedSegment | None:
    """The segment in a file; None if it is none of ours."""
    try:
        status = disk.stat(path)
        if refusal(status):
            return None
        descriptor = disk.open_to_read(path)
    except (FileNotFoundError, NotASegment):
        return None
    try:
        header = read_header(disk, descriptor, status.st_size).of_file(os.path.basename(path))
    except (NotASegment, Newer):
        return None
    finally:
        disk.close(descriptor)
    if fingerprint is not None and header.fingerprint != fingerprint:
        return None
    return AdoptedSegment(disk, path, header, 0, status)
