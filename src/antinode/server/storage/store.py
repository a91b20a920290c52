"""Everything that came, in SQLite: each upload written in one transaction, the oldest forgotten first."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
import orjson

from antinode._protocol import exact
from antinode.server.models import EventOutcome, Problem, Totals, UploadView
from antinode.server.rules import KNOWN_API_KEY, KNOWN_PROJECT_ID, ApiKey, Rules
from antinode.server.storage import schema
from antinode.server.storage.groups import Groups
from antinode.server.storage.users import People

OUTCOMES: Final[tuple[EventOutcome, ...]] = ("accepted", "duplicate", "rejected", "returned")
"""By the number that stands for them in the file."""

ACCEPTED, DUPLICATE, REJECTED, RETURNED = range(4)

Entry: TypeAlias = tuple[int, int, int, int, int, int, str, str, str]
"""A row of `entries`."""

_NAMES_KEPT: Final = 5_000
"""Of event types, and of libraries: when there are twice as many, the rarer half is forgotten."""


@dataclass
class StoreProgress:
    """The row of `progress`, in its order: what is kept, which numbers come next, what was counted."""

    floor: int = 1
    """Entries below this `seq` are forgotten."""
    next_seq: int = 1
    first_upload: int = 1
    next_upload: int = 1
    next_user: int = 1
    next_group: int = 1
    uploads: int = 0
    events: int = 0
    ordinary_events: int = 0
    duplicates: int = 0
    rejected: int = 0
    returned: int = 0
    problems: int = 0


@dataclass
class Taken:
    """What became of the events of one upload, ready to be written."""

    entries: list[Entry] = field(default_factory=list)
    notes: list[tuple[int, str, str]] = field(default_factory=list)
    """`seq`, problems as JSON or empty, the event as it is applied if that is not as sent, or empty."""
    problems: list[tuple[int, Problem]] = field(default_factory=list)
    event_types: Counter[str] = field(default_factory=Counter)
    """Of the accepted."""
    libraries: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    ordinary: int = 0
    duplicates: int = 0
    rejected: int = 0
    returned: int = 0

    def note(self, seq: int, problems: Sequence[Problem], kept: str = "") -> None:
        """Keep what is to be said about entry `seq`."""
        self.notes.append((seq, msgspec.json.encode(problems).decode() if problems else "", kept))
        self.problems += [(seq, problem) for problem in problems]


class EventStore:
    """The tables, and those of their rows that are in memory. Raises `sqlite3.Error` when a disk does."""

    def __init__(self, data: Path | None, max_events: int | None) -> None:
        self.max_events = max_events
        self.connection = schema.connect(data)
        self.people = People(self.connection)
        self.groups = Groups(self.connection)
        self._projects: dict[str, int] = {}
        self._names_written = 0
        self._load()

    def _load(self) -> None:
        self.progress = StoreProgress(*self.connection.execute("SELECT * FROM progress").fetchone())
        self.people.forget()
        self.people.begin(self.progress.next_user)
        self.groups.forget()
        self.groups.begin(self.progress.next_group)
        self._projects = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written within, also of what is in memory."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self._load()
            raise
        self.people.trim()
        self.groups.trim()

    def totals(self) -> Totals:
        now = self.progress
        return Totals(
            uploads=now.uploads,
            events=now.events,
            ordinary_events=now.ordinary_events,
            duplicates=now.duplicates,
            rejected=now.rejected,
            returned=now.returned,
            problems=now.problems,
        )

    @property
    def stored_events(self) -> int:
        """Entries that are kept, of every outcome."""
        return self.progress.next_seq - self.progress.floor

    def project_id(self, api_key: str, rules: Rules) -> int:
        """The project of a key: as a rule says, or the number that it has from now on.

        Within a transaction. The file holds only a hash of the key.
        """
        named = {each.key: each.project_id for each in rules.api_keys if isinstance(each, ApiKey)}
        if (stated := named.get(api_key)) is not None:
            return stated
        if api_key == KNOWN_API_KEY:
            return KNOWN_PROJECT_ID
        number = self._projects.get(api_key)
        if number is None:
            number = self._number(api_key, {each for each in named.values() if each is not None})
            if len(self._projects) >= _NAMES_KEPT:
                self._projects = {}
            self._projects[api_key] = number
        return number

    def _number(self, api_key: str, taken: set[int]) -> int:
        execute = self.connection.execute
        key_hash = hashlib.sha256(api_key.encode("utf-8", "surrogatepass")).digest()
        row = execute("SELECT project_id FROM projects WHERE key_hash = ?", (key_hash,)).fetchone()
        if row is not None:
            return int(row[0])
        (last,) = execute("SELECT max(project_id) FROM projects").fetchone()
        number = max(last or 0, KNOWN_PROJECT_ID) + 1
        while number in taken:
            number += 1
        execute("INSERT INTO projects VALUES (?, ?)", (key_hash, number))
        return number

    def known_insert_ids(self, marks: Sequence[int], project_id: int, since_ms: int) -> set[tuple[str, str]]:
        """Device and insert_id of accepted entries with any of these marks, received after `since_ms`."""
        if not marks:
            return set()
        # CROSS JOIN keeps the order of the loops: each mark is looked up in the index.
        rows = self.connection.execute(
            "SELECT coalesce(nullif(n.kept, ''), e.event) FROM json_each(?) AS m"
            " CROSS JOIN entries AS e INDEXED BY entries_mark ON e.mark = m.value"
            " CROSS JOIN uploads AS u ON u.id = e.upload LEFT JOIN notes AS n ON n.seq = e.seq"
            " WHERE e.outcome = 0 AND u.project_id = ? AND u.received_at > ?",
            (orjson.dumps(marks).decode(), project_id, since_ms),
        )
        return {self._key(exact.loads(text)) for (text,) in rows}

    def _key(self, event: dict[str, Any]) -> tuple[str, str]:
        return self.people.device(event.get("user_id"), event.get("device_id")), event["insert_id"]

    def write(self, upload: UploadView, taken: Taken, client_upload_time: int | None) -> None:
        """One upload with all that came of it. Within a transaction, after everything was applied."""
        now = self.progress
        write = self.connection.executemany
        if taken.entries:
            write("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", taken.entries)
        if taken.notes:
            write("INSERT INTO notes VALUES (?, ?, ?)", taken.notes)
        if taken.problems:
            self._count_problems(taken.problems)
        self.people.flush()
        self.groups.flush()
        row = msgspec.structs.astuple(upload)
        self.connection.execute(
            f"INSERT INTO uploads VALUES (?, ?{', ?' * len(row)})",  # noqa: S608 - as many as there are columns
            (row[0], now.next_seq, client_upload_time, *row[1:]),
        )
        tallies = [("status", str(upload.status), 1)]
        tallies += [("event_type", name, count) for name, count in taken.event_types.items()]
        tallies += [("library", name, count) for name, count in taken.libraries.items()]
        self._count_names(tallies)
        now.next_seq += len(taken.entries)
        now.next_upload += 1
        now.next_user = self.people.next_user
        now.next_group = self.groups.next_group
        now.uploads += 1
        now.events += taken.accepted
        now.ordinary_events += taken.ordinary
        now.duplicates += taken.duplicates
        now.rejected += taken.rejected
        now.returned += taken.returned
        now.problems += len(taken.problems)
        self._prune()
        self.connection.execute(
            "UPDATE progress SET (floor, next_seq, first_upload, next_upload, next_user, next_group,"
            " uploads, events, ordinary_events, duplicates, rejected, returned, problems)"
            " = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            astuple(now),
        )

    def _count_problems(self, problems: Sequence[tuple[int, Problem]]) -> None:
        newest: dict[tuple[str, str], tuple[int, str, int]] = {}
        for seq, problem in problems:
            key = (problem.code, problem.severity)
            count = newest[key][0] if key in newest else 0
            newest[key] = (count + 1, problem.message, seq)
        self.connection.executemany(
            "INSERT INTO problems VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " count = count + excluded.count, message = excluded.message, seq = excluded.seq",
            [(*key, *values) for key, values in newest.items()],
        )

    def _count_names(self, tallies: Sequence[tuple[str, str, int]]) -> None:
        self.connection.executemany(
            "INSERT INTO tallies VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
            tallies,
        )
        self._names_written += len(tallies)
        if self._names_written < 2 * _NAMES_KEPT:
            return
        self._names_written = 0
        for kind in ("event_type", "library"):
            (names,) = self.connection.execute(
                "SELECT count(*) FROM tallies WHERE kind = ?", (kind,)
            ).fetchone()
            if names > 2 * _NAMES_KEPT:
                self.connection.execute(
                    "DELETE FROM tallies WHERE kind = ? AND name NOT IN"
                    " (SELECT name FROM tallies WHERE kind = ? ORDER BY count DESC LIMIT ?)",
                    (kind, kind, _NAMES_KEPT),
                )

    def _prune(self) -> None:
        """Forget the oldest, a sixteenth at a time, if there is more than `max_events`.

        Uploads have the same bound, or else refused ones without events would pile up.
        """
        now, limit = self.progress, self.max_events
        if limit is None:
            return
        left = limit - limit // 16
        floor, first_upload = now.floor, now.first_upload
        if now.next_seq - now.floor > limit:
            floor = now.next_seq - left
        execute = self.connection.execute
        if now.next_upload - now.first_upload > limit:
            first_upload = now.next_upload - left
            (first_seq,) = execute("SELECT first_seq FROM uploads WHERE id = ?", (first_upload,)).fetchone()
            floor = max(floor, first_seq)
        if floor > now.floor:
            row = execute("SELECT upload FROM entries WHERE seq = ?", (floor,)).fetchone()
            first_upload = max(first_upload, row[0] if row else 0)
            execute("DELETE FROM entries WHERE seq < ?", (floor,))
            execute("DELETE FROM notes WHERE seq < ?", (floor,))
            self.people.prune(floor, now.floor)
            self.groups.prune(floor, now.floor)
            now.floor = floor
        if first_upload > now.first_upload:
            execute("DELETE FROM uploads WHERE id < ?", (first_upload,))
            now.first_upload = first_upload

    def reset(self) -> None:
        """Forget everything, numbers and totals too."""
        with self.transaction():
            for name in schema.NAMES:
                self.connection.execute(f"DELETE FROM {name}")  # noqa: S608 - a name of ours
            self.connection.execute(schema.BEGINNING)
        self._load()

    def close(self) -> None:
        self.connection.close()
