"""The groups that events name and group identifies describe, kept in SQLite (reference, 5 and 8.4).

Changes gather in memory: `flush` writes them in the upload's transaction, `forget` drops them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from antinode._protocol import exact
from antinode._protocol.limits import MAX_GROUP_TYPES, MAX_GROUP_VALUES
from antinode.server.storage import property_operations

_CACHED: Final = 20_000


def named_groups(event: Mapping[str, Any]) -> dict[str, list[str]]:
    """Group type -> names, of those that are tracked: the first five types, and ten names over all types."""
    named: dict[str, list[str]] = {}
    groups = event.get("groups")
    if not isinstance(groups, dict):
        return named
    left = MAX_GROUP_VALUES
    for group_type, value in groups.items():
        if len(named) == MAX_GROUP_TYPES or not left:
            break
        names = [_text(each) for each in (value if isinstance(value, list) else [value]) if _is_name(each)]
        names = list(dict.fromkeys(names))[:left]
        if names:
            named[group_type] = names
            left -= len(names)
    return named


def _is_name(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Group:
    """A group, as it stands after what was applied so far."""

    __slots__ = ("first_seen", "id", "last_seen", "last_seq", "properties", "set_by", "version")

    def __init__(self, number: int, first_seen: int, last_seen: int, last_seq: int, version: int = 0) -> None:
        self.id = number
        self.first_seen = first_seen
        self.last_seen = last_seen
        self.last_seq = last_seq
        self.version = version
        """`seq` of the entry that gave it its properties; 0 while it has none."""
        self.properties: property_operations.Table = {}
        self.set_by: Mapping[str, int] = {}


class Groups:
    """All groups."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.next_group = 0
        self._forget_all()

    def _forget_all(self) -> None:
        self._groups: dict[tuple[str, str, int], Group] = {}
        self._new: dict[tuple[str, str, int], Group] = {}
        self._touched: dict[int, Group] = {}
        self._profiles: list[tuple[int, int, int, str, str]] = []

    def begin(self, next_group: int) -> None:
        """Number new groups from `next_group`."""
        self.next_group = next_group

    def forget(self) -> None:
        """Drop everything in memory, whether written or not."""
        self._forget_all()

    def apply(
        self, project_id: int, event: Mapping[str, Any], is_identify: bool, seq: int, now_ms: int
    ) -> None:
        """Note the groups that entry `seq` names and, of a `$groupidentify`, the properties it gives each."""
        payload = event.get("group_properties") if is_identify else None
        for group_type, names in named_groups(event).items():
            for name in names:
                group = self._find((group_type, name, project_id), seq, now_ms)
                group.last_seen, group.last_seq = now_ms, seq
                self._touched[group.id] = group
                if payload:
                    self._describe(group, payload, seq)

    def _describe(self, group: Group, payload: property_operations.Table, seq: int) -> None:
        table = property_operations.apply(group.properties, payload)
        if table is group.properties:
            return
        changed = property_operations.changed_keys(group.properties, table)
        group.set_by = {key: seq if key in changed else group.set_by.get(key, seq) for key in table}
        group.properties = table
        self._profiles.append((group.id, seq, group.version, _json(table), _json(group.set_by)))
        group.version = seq

    def flush(self) -> None:
        """Write what changed, within the caller's transaction."""
        write = self._connection.executemany
        if self._new:
            write(
                "INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (g.id, project_id, group_type, name, g.first_seen, g.last_seen, g.last_seq, g.version)
                    for (group_type, name, project_id), g in self._new.items()
                ],
            )
            self._new = {}
        if self._touched:
            write(
                "UPDATE groups SET last_seen = ?, last_seq = ?, version = ? WHERE id = ?",
                [(g.last_seen, g.last_seq, g.version, g.id) for g in self._touched.values()],
            )
            self._touched = {}
        if self._profiles:
            write("INSERT INTO group_profiles VALUES (?, ?, ?, ?, ?)", self._profiles)
            self._profiles = []

    def prune(self, floor: int, old_floor: int) -> None:
        """Forget the groups that no entry from `floor` on names, with their properties."""
        execute = self._connection.execute
        execute(
            "DELETE FROM group_profiles WHERE (group_id, seq) IN"
            " (SELECT group_id, previous FROM group_profiles WHERE seq >= ? AND seq < ?)",
            (old_floor, floor),
        )
        execute(
            "DELETE FROM group_profiles WHERE group_id IN (SELECT id FROM groups WHERE last_seq < ?)",
            (floor,),
        )
        execute("DELETE FROM groups WHERE last_seq < ?", (floor,))
        if any(group.last_seq < floor for group in self._groups.values()):
            self._groups = {key: group for key, group in self._groups.items() if group.last_seq >= floor}

    def trim(self) -> None:
        """Bound what is held in memory. Only after `flush`."""
        if len(self._groups) > _CACHED:
            self._forget_all()

    def _find(self, key: tuple[str, str, int], seq: int, now_ms: int) -> Group:
        group = self._groups.get(key)
        if group is None:
            row = self._connection.execute(
                "SELECT id, first_seen, last_seen, last_seq, version FROM groups"
                " WHERE group_type = ? AND group_name = ? AND project_id = ?",
                key,
            ).fetchone()
            if row is None:
                group = self._new[key] = Group(self.next_group, now_ms, now_ms, seq)
                self.next_group += 1
            else:
                group = Group(*row)
                if group.version:
                    group.properties, group.set_by = load_group_profile(
                        self._connection, group.id, group.version
                    )
            self._groups[key] = group
        return group


def load_group_profile(
    connection: sqlite3.Connection, group_id: int, seq: int
) -> tuple[dict[str, Any], dict[str, int]]:
    """A group's properties after entry `seq`, and which entry gave each; empty before its first."""
    row = connection.execute(
        "SELECT properties, set_by FROM group_profiles"
        " WHERE group_id = ? AND seq <= ? ORDER BY seq DESC LIMIT 1",
        (group_id, seq),
    ).fetchone()
    return (exact.loads(row[0]), exact.loads(row[1])) if row else ({}, {})


def _json(value: Any) -> str:
    return exact.dumps(value).decode()
