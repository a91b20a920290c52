"""Stored entries as they are read: as views, as rows of an export, as the arrivals of one insert_id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from antinode._protocol import exact
from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY
from antinode.server.models import Arrival, EventView, Problem, Setting, UploadView
from antinode.server.queries.export_rows import row
from antinode.server.storage.apply import as_text, mark_of
from antinode.server.storage.groups import load_group_profile, named_groups
from antinode.server.storage.store import ACCEPTED, OUTCOMES, EventStore
from antinode.server.storage.users import load_profile

COLUMNS: Final = (
    "SELECT e.seq, e.outcome, e.user, e.profile, e.event, n.problems, n.kept,"
    " u.id, u.first_seq, u.received_at, u.project_id, u.client_upload_time, u.path"
)
"""What an `StoredEntry` is made of: `e` are entries, `u` their uploads, `n` their notes if they have any."""

JOINS: Final = " JOIN uploads AS u ON u.id = e.upload LEFT JOIN notes AS n ON n.seq = e.seq"

_ARRIVALS: Final = 100


class StoredEntry:
    """A stored entry, as read."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.seq, self.outcome, self.user, self.profile, self.text, problems, kept = row[:7]
        self.upload, first_seq, self.received_at, self.project_id, self.client_upload_time, self.path = row[
            7:
        ]
        self.position = self.seq - first_seq
        self.problems = msgspec.json.decode(problems, type=list[Problem]) if problems else []
        event = exact.loads(kept or self.text)
        self.event: dict[str, Any] = event if isinstance(event, dict) else {}

    def id(self, name: str) -> str | None:
        return as_text(self.event.get(name))

    @property
    def is_ordinary(self) -> bool:
        return self.outcome == ACCEPTED and self.event.get("event_type") not in (IDENTIFY, GROUP_IDENTIFY)

    def view(self) -> EventView:
        get = self.event.get
        at = get("time")
        return EventView(
            seq=self.seq,
            outcome=OUTCOMES[self.outcome],
            received_at=self.received_at,
            upload_id=self.upload,
            position=self.position,
            project_id=self.project_id,
            event_type=as_text(get("event_type")),
            user_id=self.id("user_id"),
            device_id=self.id("device_id"),
            insert_id=self.id("insert_id"),
            time=at if type(at) is int else None,
            library=as_text(get("library")),
            problems=self.problems,
            event=msgspec.Raw(self.text.encode()),
        )


class Entries:
    """Reads entries."""

    def __init__(self, store: EventStore, upload: Callable[[int], UploadView | None]) -> None:
        """`upload` gives the view of an upload that is kept."""
        self._store = store
        self._all = store.connection.execute
        self._upload = upload

    def arrivals(self, insert_id: str) -> list[Arrival]:
        """Each time that the insert_id came, oldest first; at most the newest 100."""
        rows = self._all(
            f"{COLUMNS} FROM entries AS e INDEXED BY entries_mark{JOINS}"
            " WHERE e.mark = ? ORDER BY e.seq DESC LIMIT ?",
            (mark_of(insert_id), 2 * _ARRIVALS),
        ).fetchall()
        # Two insert_ids may share a mark, though hardly ever.
        entries = [entry for entry in map(StoredEntry, rows) if entry.id("insert_id") == insert_id]
        return [self._arrival(entry) for entry in reversed(entries[:_ARRIVALS])]

    def _arrival(self, entry: StoredEntry) -> Arrival:
        is_accepted = entry.outcome == ACCEPTED
        groups = self._groups_at(entry) if is_accepted else None
        properties = None
        if is_accepted and entry.user:
            properties = dict(load_profile(self._store.connection, entry.profile).properties)
        return Arrival(
            event=entry.view(),
            upload=self._upload(entry.upload),
            row=self._row(entry) if entry.is_ordinary else None,
            user_properties=properties,
            group_properties=groups or None,
        )

    def _groups_at(self, entry: StoredEntry) -> dict[str, dict[str, dict[str, Any]]]:
        """The properties of the groups that an entry names, as they stood after it."""
        shown: dict[str, dict[str, dict[str, Any]]] = {}
        for group_type, names in named_groups(entry.event).items():
            for name in names:
                found = self._all(
                    "SELECT id FROM groups WHERE group_type = ? AND group_name = ? AND project_id = ?",
                    (group_type, name, entry.project_id),
                ).fetchone()
                table = load_group_profile(self._store.connection, found[0], entry.seq)[0] if found else {}
                shown.setdefault(group_type, {})[name] = table
        return shown

    def _row(self, entry: StoredEntry) -> dict[str, Any]:
        groups = self._groups_at(entry)
        return row(
            entry.event,
            seq=entry.seq,
            project_id=entry.project_id,
            user=entry.user,
            device_id=self._store.people.device(entry.id("user_id"), entry.id("device_id")),
            path=entry.path,
            received_at=entry.received_at,
            client_upload_time=entry.client_upload_time,
            profile=load_profile(self._store.connection, entry.profile),
            group_properties={
                group_type: {name: table for name, table in tables.items() if table}
                for group_type, tables in groups.items()
                if any(tables.values())
            },
        )

    def exported(self, project_id: int, start_ms: int, end_ms: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """The time of receipt and the row of each accepted ordinary event of that time, oldest first."""
        rows = self._all(
            f"{COLUMNS} FROM uploads AS u INDEXED BY uploads_received"
            " CROSS JOIN entries AS e ON e.seq >= u.first_seq AND e.seq < u.first_seq + u.events"
            " LEFT JOIN notes AS n ON n.seq = e.seq"
            " WHERE u.received_at >= ? AND u.received_at < ? AND u.project_id = ? AND u.accepted > 0"
            " AND e.outcome = 0 AND e.event_type <> ? AND e.event_type <> ?"
            " ORDER BY u.received_at, u.id, e.seq",
            (start_ms, end_ms, project_id, IDENTIFY, GROUP_IDENTIFY),
        )
        for found in rows:
            entry = StoredEntry(found)
            yield entry.received_at, self._row(entry)

    def of_upload(self, upload_id: int, count: int, *, newest: bool) -> list[EventView]:
        """Events of an upload: its newest `count`, newest first, or its first."""
        rows = self._all(
            f"{COLUMNS} FROM uploads AS u"
            " JOIN entries AS e ON e.seq >= u.first_seq AND e.seq < u.first_seq + u.events"
            " LEFT JOIN notes AS n ON n.seq = e.seq"
            f" WHERE u.id = ? ORDER BY e.seq {'DESC' if newest else 'ASC'} LIMIT ?",
            (upload_id, count),
        )
        return [StoredEntry(each).view() for each in rows]

    def settings(self, set_by: Mapping[str, int]) -> dict[str, Setting]:
        """For each property, the entry that gave it its value, if that entry is still kept."""
        settings: dict[int, Setting] = {}
        for seq in set(set_by.values()):
            found = self._all(f"{COLUMNS} FROM entries AS e{JOINS} WHERE e.seq = ?", (seq,)).fetchone()
            if found is not None:
                entry = StoredEntry(found)
                settings[seq] = Setting(
                    seq=seq,
                    event_type=entry.id("event_type"),
                    insert_id=entry.id("insert_id"),
                    at=entry.received_at,
                )
        return {name: settings[seq] for name, seq in set_by.items() if seq in settings}
