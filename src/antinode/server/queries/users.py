"""Users and groups as they stand, as the JSON API shows them."""

from __future__ import annotations

from typing import Final

import msgspec
import orjson

from antinode.server.models import GroupBrief, GroupPage, GroupView, UserBrief, UserPage, UserView
from antinode.server.queries.entries import Entries
from antinode.server.queries.export_rows import AMPLITUDE_IDS
from antinode.server.storage.groups import load_group_profile
from antinode.server.storage.sql import as_number, holding
from antinode.server.storage.store import EventStore
from antinode.server.storage.users import load_profile

_DEVICES: Final = 100

# Within a query, an empty search is the pattern of everything, and no project is null.
_USERS: Final = """
SELECT id, project_id, user_id, last_seen, events FROM users
WHERE merged_into = 0 AND (
    ?1 = '%%' OR user_id LIKE ?1 ESCAPE '\\'
    OR id IN (SELECT user FROM sightings WHERE device_id LIKE ?1 ESCAPE '\\')
)
ORDER BY last_seq DESC LIMIT ?2
"""
_BY_USER_ID: Final = """
SELECT id, project_id, user_id, first_seen, last_seen, events, version FROM users
WHERE user_id = ?1 AND (?2 IS NULL OR project_id = ?2) ORDER BY last_seq DESC LIMIT 1
"""
_BY_DEVICE_ID: Final = """
SELECT u.id, u.project_id, u.user_id, u.first_seen, u.last_seen, u.events, u.version
FROM sightings AS s JOIN users AS u ON u.id = s.user
WHERE s.device_id = ?1 AND (?2 IS NULL OR s.project_id = ?2) ORDER BY s.since DESC LIMIT 1
"""
_DEVICES_OF: Final = """
SELECT device_id FROM sightings
WHERE user = ?1 OR user IN (SELECT id FROM users WHERE merged_into <> 0 AND merged_into = ?1)
GROUP BY device_id ORDER BY max(since) DESC LIMIT ?2
"""
_MERGED: Final = """
SELECT coalesce(sum(events), 0), min(first_seen) FROM users WHERE merged_into <> 0 AND merged_into = ?
"""
_GROUPS: Final = """
SELECT g.project_id, g.group_type, g.group_name, coalesce(p.properties, '{}'), g.last_seen
FROM (
    SELECT * FROM groups
    WHERE ?1 = '%%' OR group_type LIKE ?1 ESCAPE '\\' OR group_name LIKE ?1 ESCAPE '\\'
    ORDER BY last_seq DESC LIMIT ?2
) AS g
LEFT JOIN group_profiles AS p ON p.group_id = g.id AND p.seq = g.version
ORDER BY g.last_seq DESC
"""
_GROUP: Final = """
SELECT id, project_id, first_seen, last_seen, version FROM groups
WHERE group_type = ?1 AND group_name = ?2 AND (?3 IS NULL OR project_id = ?3)
ORDER BY last_seq DESC LIMIT 1
"""


_FOUND: Final = """
SELECT id, user_id FROM users WHERE project_id = ?1 AND merged_into = 0 AND (
    user_id = ?2 OR id = ?3 OR id IN (SELECT user FROM sightings WHERE device_id = ?2 AND project_id = ?1)
) ORDER BY last_seq DESC
"""


class FoundUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user as the user search tells of it."""

    amplitude_id: int
    user_id: str | None


class FoundUsers(msgspec.Struct, frozen=True, kw_only=True):
    """What a user search has found."""

    matches: list[FoundUser]
    type: str
    """By what they were found."""


class Population:
    """Reads users and groups."""

    def __init__(self, store: EventStore, entries: Entries) -> None:
        self._store = store
        self._all = store.connection.execute
        self._entries = entries

    def users(self, search: str, limit: int) -> UserPage:
        """Users with an id that holds `search`, in any case of ASCII letters; those seen last first."""
        rows = self._all(_USERS, (holding(search), min(max(limit, 1), 10_000))).fetchall()
        return UserPage(
            users=[
                UserBrief(
                    project_id=project_id,
                    amplitude_id=AMPLITUDE_IDS + number,
                    user_id=user_id,
                    device_id=next(iter(self._devices(number, 1)), None),
                    events=events + self._merged(number)[0],
                    last_seen=last_seen,
                )
                for number, project_id, user_id, last_seen, events in rows
            ]
        )

    def _devices(self, user: int, count: int) -> list[str]:
        return [device_id for (device_id,) in self._all(_DEVICES_OF, (user, count))]

    def _merged(self, user: int) -> tuple[int, int | None]:
        """Events of the anonymous users that were merged into this user, and when the first was seen."""
        found: tuple[int, int | None] = self._all(_MERGED, (user,)).fetchone()
        return found

    def user(self, user: str, project_id: int | None) -> UserView | None:
        """The user with this user_id, else the last user of this device; of the project seen last."""
        asked = (user, None if project_id is None else as_number(project_id))
        found = self._all(_BY_USER_ID, asked).fetchone() or self._all(_BY_DEVICE_ID, asked).fetchone()
        if found is None:
            return None
        number, project, user_id, first_seen, last_seen, events, version = found
        profile = load_profile(self._store.connection, version)
        merged_events, merged_since = self._merged(number)
        return UserView(
            project_id=project,
            amplitude_id=AMPLITUDE_IDS + number,
            user_id=user_id,
            device_ids=self._devices(number, _DEVICES),
            user_properties=dict(profile.properties),
            set_by=self._entries.settings(profile.set_by),
            fields=profile.fields,
            first_seen=first_seen if merged_since is None else min(first_seen, merged_since),
            last_seen=last_seen,
            events=events + merged_events,
        )

    def find(self, project_id: int, user: str) -> FoundUsers:
        """The users of a project with this user_id, device_id or Amplitude ID."""
        number = int(user) - AMPLITUDE_IDS if user.isascii() and user.isdigit() and len(user) < 18 else -1
        rows = self._all(_FOUND, (project_id, user, number)).fetchall()
        found = [FoundUser(user_id=user_id, amplitude_id=AMPLITUDE_IDS + each) for each, user_id in rows]
        return FoundUsers(matches=found, type="match_user_or_device_id" if found else "nomatch")

    def count_users(self) -> int:
        """How many users there are, without those that were merged into another."""
        (count,) = self._all("SELECT count(*) FROM users WHERE merged_into = 0").fetchone()
        return int(count)

    def groups(self, search: str, limit: int) -> GroupPage:
        """Groups whose type or name holds `search`, as in `users`."""
        rows = self._all(_GROUPS, (holding(search), min(max(limit, 1), 10_000)))
        return GroupPage(
            groups=[
                GroupBrief(
                    project_id=project_id,
                    group_type=group_type,
                    group_name=name,
                    properties=len(orjson.loads(properties)),
                    last_seen=last_seen,
                )
                for project_id, group_type, name, properties, last_seen in rows
            ]
        )

    def group(self, group_type: str, group_name: str, project_id: int | None) -> GroupView | None:
        """A group that an event named."""
        asked = (group_type, group_name, None if project_id is None else as_number(project_id))
        found = self._all(_GROUP, asked).fetchone()
        if found is None:
            return None
        number, project, first_seen, last_seen, version = found
        properties, set_by = load_group_profile(self._store.connection, number, version)
        return GroupView(
            project_id=project,
            group_type=group_type,
            group_name=group_name,
            group_properties=properties,
            set_by=self._entries.settings(set_by),
            first_seen=first_seen,
            last_seen=last_seen,
        )

    def count_groups(self) -> int:
        (count,) = self._all("SELECT count(*) FROM groups").fetchone()
        return int(count)
