"""From rows to bodies: decoded, mapped, given an insert_id, checked and encoded as `log_event` does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import msgspec

from antinode._encoding.encoder import EARLIEST_MS, EventEncoder
from antinode._encoding.refusal import Refused
from antinode._importing.chunks import MAX_VALUES, NOT_UTF8, SPRAWLING, Chunk, is_sprawling
from antinode._importing.columns import Columns
from antinode._importing.decoding import decoded
from antinode._importing.errors import LeftOut, Unmappable
from antinode._importing.identity import insert_ids
from antinode._importing.mapper import Mapper
from antinode._protocol.ids import stream_of

# Files have more users than a process of a web service sees. Some 20 MB if each of them comes up.
_REMEMBERED_IDS: Final = 200_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_YEAR_2000_MS: Final = 946_684_800_000


class _RowIds(msgspec.Struct):
    user_id: str | None = None
    device_id: str | None = None


_ids_in = msgspec.json.Decoder(_RowIds).decode


class Prepared(msgspec.Struct, array_like=True):
    """What became of a chunk's rows, by position in it. A row in none of the fields was blank or skipped.

    The first four belong together: one entry each for every event.
    """

    positions: list[int] = []
    bodies: list[bytes] = []
    users: list[str | None] = []
    devices: list[str | None] = []
    refused: list[tuple[int, str]] = []
    """With the reason."""
    notes: list[tuple[int, str]] = []
    """What was mended in an event, or will be ignored."""
    left_out: list[int] = []
    """Rows that are not meant to be events."""
    unmatched: list[str] = []
    """What was named, and has met nothing in any row that was prepared here so far."""


@dataclass(frozen=True)
class Recipe:
    """All that decides how a row becomes an event; can be sent to another process."""

    columns: Columns
    namespace: str
    min_id_length: int | None
    max_event_bytes: int
    encoding: str | None = None


class Preparer:
    """Makes events of rows, one chunk after the other."""

    def __init__(self, recipe: Recipe) -> None:
        self._encoder = EventEncoder(
            min_id_length=recipe.min_id_length,
            max_event_bytes=recipe.max_event_bytes,
            max_remembered_ids=_REMEMBERED_IDS,
            leaves_out=False,  # a file can be mended and imported again
        )
        self._mapper = Mapper(recipe.columns, recipe.encoding)
        self._insert_id = insert_ids(recipe.namespace)

    def prepare(self, chunk: Chunk, skipped: bytes = b"") -> Prepared:
        """The events of a chunk, without the rows at whose positions `skipped` has anything but 0."""
        encode, insert_id, mapper = self._encoder.encode, self._insert_id, self._mapper
        to_event, has_cells = mapper.to_event, chunk.has_cells
        first, problems = chunk.first, chunk.problems
        made = Prepared([], [], [], [], [], [], [])
        positions, bodies, users, devices = made.positions, made.bodies, made.users, made.devices
        for position, text in enumerate(chunk.texts):
            if not text or (skipped and skipped[position]):
                continue
            if problems and position in problems:
                made.refused.append((position, problems[position]))
                continue
            try:
                if len(text) > MAX_VALUES and is_sprawling(text):
                    made.refused.append((position, SPRAWLING))
                    continue
                row, note = decoded(text)
                event = to_event(row, has_cells=has_cells)
                if not event.get("insert_id"):
                    event["insert_id"] = insert_id(first + position, str(event.get("event_type")), text)
                time = event.get("time")
                if type(time) is int and time < _YEAR_2000_MS:
                    mapper.notes.append(_dated_early(event, time))
                body, stream, notes = encode(event)
            except Refused as error:
                made.refused.append((position, error.message))
                mapper.notes.clear()
                continue
            except LeftOut as error:
                made.left_out.append(position)
                if str(error):
                    made.notes.append((position, str(error)))
                continue
            except Unmappable as error:
                made.refused.append((position, str(error)))
                mapper.notes.clear()
                continue
            except (ValueError, RecursionError) as error:
                made.refused.append((position, _no_json(text, error)))
                continue
            user, device = event.get("user_id"), event.get("device_id")
            if note is not None:
                made.notes.append((position, note))
            if mapper.notes:
                made.notes += [(position, each) for each in mapper.notes]
                mapper.notes.clear()
            if notes:
                made.notes += [(position, str(note)) for note in notes]
                # The ids are read from the body, since mending may have changed them.
                ids = _ids_in(body)
                user, device = ids.user_id, ids.device_id
            elif stream != stream_of(user, device):
                ids = _ids_in(body)
                user, device = ids.user_id, ids.device_id
            positions.append(position)
            bodies.append(body)
            users.append(user)
            devices.append(device)
        made.unmatched = [each.label for each in mapper.unmatched]
        return made


def _dated_early(event: dict[str, Any], time: int) -> str:
    """The remark on an event before 2000; an early `time` is made a datetime, lest it pass for seconds."""
    moment = _EPOCH + timedelta(milliseconds=time)
    if time < EARLIEST_MS:
        event["time"] = moment
    return f"the event is dated {moment:%Y-%m-%d}, before 2000: is its time in another unit or form?"


def _no_json(text: bytes, error: Exception) -> str:
    try:
        text.decode()
    except UnicodeDecodeError:
        return NOT_UTF8
    return f"the row is no JSON: {error}"
