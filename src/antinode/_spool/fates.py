"""The fates of records, by the places at which they were appended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from antinode._spool.format import CODES
from antinode._spool.segment import INDEX_MASK, PLACE_BITS, AdoptedSegment, Segment


def acknowledge(segments: Mapping[int, Segment], places: Iterable[int], code: int) -> None:
    """Note their fate in the segments that they are in; `Spool.acknowledge` tells the rest."""
    if code not in CODES:
        raise ValueError(f"the code is {code!r:.60}; give DELIVERED, REJECTED or DROPPED")
    by_segment: dict[int, list[int]] = {}
    for place in places:
        by_segment.setdefault(place >> PLACE_BITS, []).append(place & INDEX_MASK)
    for serial, nths in by_segment.items():
        if (segment := segments.get(serial)) is not None:
            segment.acknowledge(nths, code)
            if isinstance(segment, AdoptedSegment) and segment.is_read:
                segment.close()  # a batch may be of more segments than the process may have open files


def lost(segments: Mapping[int, Segment], places: Iterable[int]) -> set[int]:
    """The places, of those given, whose files have been removed, by whomever."""
    given = list(places)
    gone = {
        serial
        for serial in {place >> PLACE_BITS for place in given}
        if (segment := segments.get(serial)) is None or not segment.is_left()
    }
    return {place for place in given if place >> PLACE_BITS in gone}
