"""The search through the entries: what SQL can tell of them, and what only their JSON tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from antinode._protocol import exact
from antinode.server.models import EventPage, EventQuery, EventView
from antinode.server.queries.entries import COLUMNS, StoredEntry
from antinode.server.storage.apply import mark_of
from antinode.server.storage.groups import named_groups
from antinode.server.storage.sql import LONGEST_PATTERN, as_number
from antinode.server.storage.store import OUTCOMES, EventStore

_PATIENCE_SECONDS: Final = 0.05
"""How long a search may take before it tells what it has found so far."""

_SLICE: Final = 8_192
"""Entries that are looked through between two looks at the clock: some milliseconds' worth."""

_INDEXED_SLICE: Final = 64 * _SLICE
"""The same, where an index finds the few that count."""


class Search:
    """Searches the entries of `store`; `timer` gives seconds."""

    def __init__(self, store: EventStore, timer: Callable[[], float] = time.perf_counter) -> None:
        self._store = store
        self._all = store.connection.execute
        self._timer = timer

    def events(self, query: EventQuery) -> EventPage:
        """The matching events, newest first; stops after about 50 ms and tells where to go on."""
        progress = self._store.progress
        limit = min(max(query.limit, 1), 10_000)
        top = progress.next_seq if query.before is None else min(query.before, progress.next_seq)
        bottom = progress.floor if query.after is None else max(query.after + 1, progress.floor)
        if query.upload_id is not None:
            upload = (as_number(query.upload_id),)
            row = self._all("SELECT first_seq, events FROM uploads WHERE id = ?", upload).fetchone()
            if row is None:
                return EventPage(events=[], next_before=None)
            bottom, top = max(bottom, row[0]), min(top, row[0] + row[1])
        condition, values, is_indexed = self._condition(query)
        seq = "n.seq" if condition.startswith("notes") else "e.seq"
        sifts = _sifts(query)
        found: list[EventView] = []
        until = self._timer() + _PATIENCE_SECONDS
        while top > bottom:
            start = max(bottom, top - (_INDEXED_SLICE if is_indexed else _SLICE))
            rows = self._all(
                f"{COLUMNS} FROM {condition} AND {seq} >= ? AND {seq} < ? ORDER BY {seq} DESC",
                (*values, start, top),
            )
            for row in rows:
                entry = StoredEntry(row)
                if all(passes(entry) for passes in sifts):
                    found.append(entry.view())
                elif self._timer() <= until:
                    continue
                if len(found) == limit or self._timer() > until:
                    rows.close()
                    return EventPage(events=found, next_before=entry.seq if entry.seq > bottom else None)
            top = start
            if self._timer() > until:
                break
        return EventPage(events=found, next_before=top if top > bottom else None)

    def _condition(self, query: EventQuery) -> tuple[str, list[Any], bool]:
        """What follows FROM, up to a condition; its values; and whether an index finds the entries."""
        source, clauses, values = "entries AS e", list[str](), list[Any]()
        if query.insert_id is not None:
            source += " INDEXED BY entries_mark"
            clauses.append("e.mark = ?")
            values.append(mark_of(query.insert_id))
        elif (users := self._users_of(query)) is not None:
            clauses.append(f"e.user IN (0{', ?' * len(users)})")
            values += users
        elif query.problem is not None:
            source = "notes AS n CROSS JOIN entries AS e ON e.seq = n.seq"
        elif query.outcome not in (None, "accepted"):
            source += " INDEXED BY entries_outcome"
        is_indexed = source != "entries AS e"
        joins = " JOIN uploads AS u ON u.id = e.upload"
        if not source.startswith("notes"):
            joins += " LEFT JOIN notes AS n ON n.seq = e.seq"
        if query.event_type is not None:
            clauses.append("e.event_type = ?")
            values.append(query.event_type)
        if query.outcome is not None:
            clauses.append(
                "e.outcome = ?" if query.outcome == "accepted" else "e.outcome <> 0 AND e.outcome = ?"
            )
            values.append(OUTCOMES.index(query.outcome))
        if query.library is not None:
            clauses.append("(e.library = ? OR substr(e.library, 1, ?) = ?)")
            stem = f"{query.library}/"
            values += [query.library, len(stem), stem]
        if query.problem is not None:
            clauses.append("n.problems <> ''")
            if query.problem != "any":
                clauses.append("instr(n.problems, ?) > 0")
                values.append(f'"code":{orjson.dumps(query.problem).decode()},')
        if query.project_id is not None:
            clauses.append("u.project_id = ?")
            values.append(as_number(query.project_id))
        if (
            query.text is not None
            and query.text.isascii()
            and query.text.isalnum()
            and len(query.text) <= LONGEST_PATTERN
        ):
            clauses.append("e.event LIKE ?")
            values.append(f"%{query.text}%")
        return f"{source}{joins} WHERE {' AND '.join(clauses) or '1'}", values, is_indexed

    def _users_of(self, query: EventQuery) -> list[int] | None:
        """The users that accepted entries of the ids asked for belong to; None if the query asks for no id.

        Other entries belong to user 0.
        """
        user_id, device_id = query.user_id or query.user, query.device_id or query.user
        if user_id is None and device_id is None:
            return None
        found = set[int]()
        if user_id is not None:
            found.update(each for (each,) in self._all("SELECT id FROM users WHERE user_id = ?", (user_id,)))
        if device_id is not None:
            rows = self._all("SELECT user FROM sightings WHERE device_id = ? LIMIT 1000", (device_id,))
            found.update(each for (each,) in rows)
        return sorted(found)


def _sifts(query: EventQuery) -> Sequence[Callable[[StoredEntry], bool]]:
    """The conditions of a query that SQL cannot check."""
    sifts = [
        _has_id(name, wanted)
        for name in ("user_id", "device_id", "insert_id")
        if (wanted := getattr(query, name)) is not None
    ]
    if query.user is not None:
        sifts.append(lambda entry: query.user in (entry.id("user_id"), entry.id("device_id")))
    if query.group is not None:
        group_type, _, name = query.group.partition(":")
        sifts.append(lambda entry: name in named_groups(entry.event).get(group_type, ()))
    if query.text is not None:
        text = query.text.casefold()
        sifts.append(lambda entry: text in entry.text.casefold() or text in _spelled_out(entry.event))
    return sifts


def _has_id(name: str, wanted: str) -> Callable[[StoredEntry], bool]:
    return lambda entry: entry.id(name) == wanted


def _spelled_out(event: dict[str, Any]) -> str:
    """The event's JSON without escapes or spaces, to be searched in any case."""
    return exact.dumps(event).decode().casefold()
