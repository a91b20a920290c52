"""What one upload does: which of its events are duplicates, whose they are, what they change.

Within a transaction of the store; the rows that come of it are for `EventStore.write`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zlib import crc32

from antinode._protocol import exact
from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY
from antinode._protocol.limits import DEDUPLICATION_WINDOW_SECONDS
from antinode.server.ingest.parsing import RequestReading
from antinode.server.ingest.validation import Checked
from antinode.server.models import Problem
from antinode.server.storage import profiles
from antinode.server.storage.store import ACCEPTED, DUPLICATE, REJECTED, RETURNED, EventStore, Taken

DEFAULT_LIBRARY: Final = "http/2.0"
"""What an event without a `library` is exported and counted as (section 3)."""

_WINDOW_MS: Final = int(DEDUPLICATION_WINDOW_SECONDS * 1000)


def mark_of(insert_id: str) -> int:
    """The checksum under which an insert_id is found; -1 for none."""
    return crc32(insert_id.encode("utf-8", "surrogatepass")) if insert_id else -1


def take(store: EventStore, checked: Checked, project_id: int, now_ms: int) -> Taken:
    """Apply the events of an accepted upload, in order.

    A duplicate has the device and insert_id of an event accepted in the last seven days, by the time of
    receipt, or earlier in this upload; it changes nothing. This reaches as far back as entries are kept.
    """
    people, groups = store.people, store.groups
    device_of, whose, after = people.device, people.whose, profiles.after
    upload, seq = store.progress.next_upload, store.progress.next_seq - 1
    insert_ids = [event.get("insert_id", "") for event in checked.kept]
    marks = [crc32(insert_id.encode()) if insert_id else -1 for insert_id in insert_ids]
    seen = store.known_insert_ids([mark for mark in marks if mark >= 0], project_id, now_ms - _WINDOW_MS)
    taken = Taken()
    rows = taken.entries
    names: list[str] = []
    libraries: list[str] = []
    reading = checked.reading
    for event, sent, text, insert_id, mark in zip(
        checked.kept, reading.events, reading.texts, insert_ids, marks, strict=True
    ):
        seq += 1
        get = event.get
        event_type, library, user_id = event["event_type"], get("library", ""), get("user_id")
        device = device_of(user_id, get("device_id"))
        if event is not sent:
            taken.note(seq, (), exact.dumps(event).decode())
        if insert_id:
            key = (device, insert_id)
            if key in seen:
                rows.append((seq, upload, DUPLICATE, 0, 0, mark, event_type, library, str(text, "utf-8")))
                continue
            seen.add(key)
        names.append(event_type)
        libraries.append(library or DEFAULT_LIBRARY)
        number = version = 0
        if event_type != GROUP_IDENTIFY:
            user = whose(project_id, user_id, device, seq, now_ms)
            profile = after(user.profile, event, seq)
            if profile is not user.profile:
                people.change(user, profile, seq)
            if event_type != IDENTIFY:
                user.events += 1
                taken.ordinary += 1
            number, version = user.id, user.version
        if "groups" in event:
            groups.apply(project_id, event, event_type == GROUP_IDENTIFY, seq, now_ms)
        rows.append((seq, upload, ACCEPTED, number, version, mark, event_type, library, str(text, "utf-8")))
    _add_warnings(taken, checked.problems, store.progress.next_seq)
    taken.accepted = len(names)
    taken.duplicates = len(rows) - len(names)
    taken.event_types = Counter(names)
    taken.libraries = Counter(libraries)
    return taken


def _add_warnings(taken: Taken, problems: Mapping[int, Sequence[Problem]], first_seq: int) -> None:
    if not problems:
        return
    kept = {seq: text for seq, _, text in taken.notes}
    taken.notes = [note for note in taken.notes if note[0] - first_seq not in problems]
    for position, found in problems.items():
        taken.note(first_seq + position, found, kept.get(first_seq + position, ""))


def refuse(
    store: EventStore, reading: RequestReading, reasons: Mapping[int, Sequence[Problem]], *, is_final: bool
) -> Taken:
    """Keep the events of a refused upload, which change nothing.

    Those with a reason are rejected if the refusal `is_final`; all others are to be sent again.
    """
    taken = Taken()
    upload, first_seq = store.progress.next_upload, store.progress.next_seq
    for position, event in enumerate(reading.events):
        problems = reasons.get(position, ())
        outcome = REJECTED if problems and is_final else RETURNED
        if outcome == REJECTED:
            taken.rejected += 1
        else:
            taken.returned += 1
        if problems:
            taken.note(first_seq + position, problems)
        taken.entries.append(
            (
                first_seq + position,
                upload,
                outcome,
                0,
                0,
                mark_of(as_text(event.get("insert_id")) or ""),
                as_text(event.get("event_type")) or "",
                as_text(event.get("library")) or "",
                str(reading.texts[position], "utf-8"),
            )
        )
    return taken


def as_text(value: Any) -> str | None:
    """What an id or a name is shown as, even one of the wrong type; None if it is no text or number."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
