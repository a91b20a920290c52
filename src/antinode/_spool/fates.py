"""The fates of records, by the places at which they were appended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from antinode._spool.format import CODES
from antinode._spool.segment import INDEX_MASK, PLACE_BITS, AdoptedSegment, Segment


def acknowledge(segments: Mapping[int, Segment], places: Iterable[int], code: int) -> None:
    """Note their fate in the segments that they are in; `Spool.acknowledge` tells the rest."""
    if code not in CODES:
        raise ValueError(f"the code is {code!r:.60}; give DELIVERED, REJECTED or DROPPED")
    for serial, nths in _by_segment(places).items():
        if (segment := segments.get(serial)) is not None:
            segment.acknowledge(nths, code)
            if isinstance(segment, AdoptedSegment) and segment.is_read:
                segment.close()  # a batch may be of more segments than the process may have open files


def _by_segment(places: Iterable[int]) -> dict[int, Sequence[int]]:
    """The records' nths, by their segment's serial."""
    if isinstance(places, range) and places and places[0] >> PLACE_BITS == places[-1] >> PLACE_BITS:
        first = places[0] & INDEX_MASK
        return {places[0] >> PLACE_BITS: range(first, first + len(places))}
    found: dict[int, list[int]] = {}
    for place in places:
        found.setdefault(place >> PLACE_BITS, []).append(place & INDEX_MASK)
    return {**found}


def lost(segments: Mapping[int, Segment], places: Iterable[int]) -> set[int]:
    """The places, of those given, whose files have been removed, by whomever."""
    given = list(places)
    gone = {
        serial
        for serial in {place >> PLACE_BITS for place in given}
        if (segment := segments.get(serial)) is None or not segment.is_left()
    }
    return {place for place in given if place >> PLACE_BITS in gone}
