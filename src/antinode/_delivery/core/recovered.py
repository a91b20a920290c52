"""Records made of what was read back from a store. Only a look at the bytes says that they are events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antinode._delivery.core.backlog import ids_of, is_event
from antinode._delivery.record import Record, SpooledRecord
from antinode._delivery.storage import Stored
from antinode._interruptions import is_interruption
from antinode._protocol.ids import stream_of
from antinode._speedups import compiled


def records_of(items: Sequence[Stored]) -> tuple[list[Record], list[int]]:
    """A record of each item, and the positions of those of which it is not known that they are events."""
    given = list(items)
    try:
        records, unsure = plain_records(given, SpooledRecord)
    except Exception as error:
        if is_interruption(error):
            raise
        records, unsure = [], list(range(len(given)))
        records += map(_record_of, given)
    else:
        for position in unsure:
            records[position] = _record_of(given[position])
    return records, unsure


@compiled
def plain_records(items: list[Stored], kind: type[Record]) -> tuple[list[Any], list[int]]:  # noqa: ARG001 - the twin's
    """Records of this kind, each with its stream; None for an item that is not plainly an event, and where.

    At those the Python code looks; without the compiled parts it looks at all.
    """
    return [None] * len(items), list(range(len(items)))


def _record_of(item: Stored) -> Record:
    """A record of plain bytes, with which nothing fails; without any, which is no event, if that raises."""
    try:
        record = SpooledRecord(bytes(item.body), 0, float(item.logged_at), place=item.place)
        record.stream = stream_of(*ids_of(record))
    except Exception as error:
        if is_interruption(error):
            raise
        return SpooledRecord(b"", 0, 0.0, place=item.place)
    return record


def is_sound(record: Record) -> bool:
    """Whether a record is an event. Raises nothing but what interrupts."""
    try:
        return is_event(record.body)
    except Exception as error:
        if is_interruption(error):
            raise
        return False
