"""Counts of the spool."""

from __future__ import annotations

from typing import NamedTuple


class SpoolRemainder(NamedTuple):
    """What stays on disk for the next process."""

    events: int
    """Own records not acknowledged, and adopted ones read and not acknowledged."""
    bytes: int
    """Size of all files left, unread adopted segments included."""


class SpoolStats(NamedTuple):
    """The spool at one moment: its own and its adopted segments, and the directory as last counted."""

    segments: int
    bytes: int
    pending: int
    """Own records appended and not acknowledged, and adopted ones read and not acknowledged."""
    unread: int
    """Own records that only the disk holds."""
    unread_adopted: int
    """Adopted segments not read to their end, and owners that may be dead and are not adopted yet."""
    adopted: int
    """Segments taken over so far."""
    damaged_records: int
    damaged_bytes: int
    directory_bytes: int
    """The files of all processes when last counted, as `limit` bounds them."""
    limit: int
    is_mapped: bool
    trouble: str
    """Why events are not taken now; empty when they are."""
