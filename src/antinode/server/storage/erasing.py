"""Erasing users: their entries, profiles, sightings and themselves, with what names them elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from antinode._protocol import exact
from antinode.server.storage.apply import as_text
from antinode.server.storage.store import EventStore

_WITH_MERGED = "SELECT id FROM users WHERE id = ?1 OR (merged_into <> 0 AND merged_into = ?1)"
# A profile's predecessors are of entries that may have been forgotten long ago.
_PROFILES = """
WITH RECURSIVE versions (seq) AS (
    SELECT version FROM users WHERE id = ?1
    UNION SELECT profile FROM entries WHERE user = ?1
    UNION SELECT p.previous FROM profiles AS p JOIN versions AS v ON p.seq = v.seq
)
DELETE FROM profiles WHERE seq IN (SELECT seq FROM versions WHERE seq <> 0)
"""


def users_of(store: EventStore, project_id: int, user_ids: Iterable[str]) -> dict[str, int]:
    """The numbers of the users with these ids; those that are not known are left out."""
    found = {}
    for user_id in user_ids:
        row = store.connection.execute(
            "SELECT id FROM users WHERE user_id = ? AND project_id = ?", (user_id, project_id)
        ).fetchone()
        if row is not None:
            found[user_id] = row[0]
    return found


def known(store: EventStore, project_id: int, numbers: Iterable[int]) -> set[int]:
    """Those of the numbers that stand for a user of the project."""
    execute = store.connection.execute
    query = "SELECT id FROM users WHERE id = ? AND project_id = ?"
    return {number for number in numbers if execute(query, (number, project_id)).fetchone() is not None}


def erase(store: EventStore, project_id: int, numbers: Collection[int]) -> None:
    """Erase these users of a project, and the anonymous ones that were merged into them."""
    execute = store.connection.execute
    with store.transaction():
        user_ids: set[str] = set()
        for number in numbers:
            for (user,) in execute(_WITH_MERGED, (number,)).fetchall():
                user_ids.update(
                    each for (each,) in execute("SELECT user_id FROM users WHERE id = ?", (user,)) if each
                )
                execute(_PROFILES, (user,))
                _erase_entries(
                    store, [seq for (seq,) in execute("SELECT seq FROM entries WHERE user = ?", (user,))]
                )
                execute("DELETE FROM sightings WHERE user = ?", (user,))
                execute("DELETE FROM users WHERE id = ?", (user,))
        _erase_entries(store, _unapplied(store, project_id, user_ids))
        # What is in memory is of the users too.
        numbering = store.people.next_user
        store.people.forget()
        store.people.begin(numbering)


def _unapplied(store: EventStore, project_id: int, user_ids: set[str]) -> list[int]:
    """The entries that changed nothing (duplicates, refused ones), and so belong to nobody, by their ids."""
    rows = store.connection.execute(
        "SELECT e.seq, e.event FROM entries AS e JOIN uploads AS u ON u.id = e.upload"
        " WHERE e.outcome <> 0 AND (u.project_id = ? OR u.project_id IS NULL)",
        (project_id,),
    )
    return [seq for seq, text in rows if _user_id(text) in user_ids]


def _user_id(text: str) -> str | None:
    event = exact.loads(text)
    return as_text(event.get("user_id")) if isinstance(event, dict) else None


def _erase_entries(store: EventStore, seqs: Collection[int]) -> None:
    write = store.connection.executemany
    each = [(seq,) for seq in seqs]
    # An answer may name the users whose events it refuses.
    write(
        "UPDATE uploads SET answer = NULL, body_start = NULL"
        " WHERE id = (SELECT upload FROM entries WHERE seq = ?) AND status <> 200",
        each,
    )
    # The words of a problem may quote the event.
    write("UPDATE problems SET message = code WHERE seq = ?", each)
    write("DELETE FROM notes WHERE seq = ?", each)
    write("DELETE FROM entries WHERE seq = ?", each)
