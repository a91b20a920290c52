"""The users behind ids, kept in SQLite, with those of late in memory (reference, 4.4, 4.5, 9).

Changes gather in memory while an upload is applied and are written by `flush` in its transaction; after a
failed transaction `forget` drops them. What is in memory is bounded whenever no upload is being applied.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from antinode.server.storage.identity import Belonging, belonging, derived_device_id
from antinode.server.storage.profiles import EMPTY, Profile

SEEN_GRAIN: Final = 65_536
"""A sighting's `seen` may be so many entries behind: it is written anew only when it is older than that."""

_CACHED: Final = 20_000


class User:
    """A user, as it stands after what was applied so far."""

    __slots__ = (
        "events",
        "first_seen",
        "id",
        "last_seen",
        "last_seq",
        "profile",
        "project_id",
        "user_id",
        "version",
    )

    def __init__(
        self,
        number: int,
        project_id: int,
        user_id: str | None,
        first_seen: int,
        last_seen: int,
        last_seq: int,
        events: int = 0,
        version: int = 0,
        profile: Profile = EMPTY,
    ) -> None:
        self.id = number
        self.project_id = project_id
        self.user_id = user_id
        self.first_seen = first_seen
        self.last_seen = last_seen
        self.last_seq = last_seq
        self.events = events
        self.version = version
        """`seq` of the entry that made its profile; 0 while that is empty."""
        self.profile = profile


class People:
    """All users and the devices they were seen on."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._forget_all()

    def _forget_all(self) -> None:
        self._users: dict[int, User] = {}
        self._by_user_id: dict[tuple[int, str], User] = {}
        self._devices: dict[tuple[int, str], tuple[User, int]] = {}
        self._derived: dict[str, str] = {}
        self._new: dict[int, User] = {}
        self._touched: dict[int, User] = {}
        self._named: list[tuple[str | None, int]] = []
        self._merged: list[tuple[int, int]] = []
        self._sighted: dict[tuple[str, int, int], int] = {}
        self._profiles: list[tuple[int, int, str]] = []
        self.next_user = 0

    def begin(self, next_user: int) -> None:
        """Number new users from `next_user`."""
        self.next_user = next_user

    def forget(self) -> None:
        """Drop everything in memory, whether written or not."""
        self._forget_all()

    def device(self, user_id: str | None, device_id: str | None) -> str:
        """The device of an event with these ids, which is derived if it has none; empty without any id."""
        if device_id or not user_id:
            return device_id or ""
        derived = self._derived.get(user_id)
        if derived is None:
            derived = self._derived[user_id] = derived_device_id(user_id)
        return derived

    def whose(self, project_id: int, user_id: str | None, device_id: str, seq: int, now_ms: int) -> User:
        """The user that entry `seq` belongs to, who is made, named or merged if the entry asks for it."""
        key = (project_id, device_id)
        seen_on = self._devices.get(key) or self._load_device(key)
        if user_id is None:
            known = None
        else:
            known = self._by_user_id.get((project_id, user_id)) or self._load_user_id(project_id, user_id)
            # The ordinary case: a known user on the device where it was last seen, not long ago.
            if known is not None and seen_on is not None and seen_on[0] is known:
                if seq - seen_on[1] >= SEEN_GRAIN:
                    self._sight(key, known, seq)
                known.last_seen = now_ms
                known.last_seq = seq
                self._touched[known.id] = known
                return known
        last = seen_on[0] if seen_on else None
        belongs = belonging(
            has_user_id=user_id is not None,
            is_known=known is not None,
            is_device_used=last is not None,
            is_device_anonymous=last is not None and last.user_id is None,
        )
        if belongs is Belonging.NEW:
            user = self._make(project_id, user_id, seq, now_ms)
        elif known is not None:
            user = known
            if belongs is Belonging.MERGED and last is not None:
                self._merged.append((user.id, last.id))
        else:
            assert last is not None  # noqa: S101 - ON_DEVICE and NAMED are about the device's last user
            user = last
            if belongs is Belonging.NAMED and user_id is not None:
                user.user_id = user_id
                self._by_user_id[project_id, user_id] = user
                self._named.append((user_id, user.id))
        if last is not user or seen_on is None or seq - seen_on[1] >= SEEN_GRAIN:
            self._sight(key, user, seq)
        user.last_seen = now_ms
        user.last_seq = seq
        self._touched[user.id] = user
        return user

    def change(self, user: User, profile: Profile, seq: int) -> None:
        """Note that entry `seq` gave `user` this profile."""
        self._profiles.append((seq, user.version, msgspec.json.encode(profile).decode()))
        user.profile = profile
        user.version = seq

    def flush(self) -> None:
        """Write what changed, within the caller's transaction."""
        write = self._connection.executemany
        if self._new:
            write(
                "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
                [
                    (
                        u.id,
                        u.project_id,
                        u.user_id,
                        u.first_seen,
                        u.last_seen,
                        u.last_seq,
                        u.events,
                        u.version,
                    )
                    for u in self._new.values()
                ],
            )
        if self._named:
            write("UPDATE users SET user_id = ? WHERE id = ?", self._named)
            self._named = []
        if self._merged:
            write("UPDATE users SET merged_into = ? WHERE id = ?", self._merged)
            self._merged = []
        if self._touched:
            write(
                "UPDATE users SET last_seen = ?, last_seq = ?, events = ?, version = ? WHERE id = ?",
                [
                    (u.last_seen, u.last_seq, u.events, u.version, u.id)
                    for u in self._touched.values()
                    if u.id not in self._new
                ],
            )
        self._touched = {}
        self._new = {}
        if self._sighted:
            write(
                "INSERT INTO sightings VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET since = excluded.since, seen = excluded.seen",
                [(*key, since, since) for key, since in self._sighted.items()],
            )
            self._sighted = {}
        if self._profiles:
            write("INSERT INTO profiles VALUES (?, ?, ?)", self._profiles)
            self._profiles = []

    def prune(self, floor: int, old_floor: int) -> None:
        """Forget the users that no entry from `floor` on belongs to, and what only they had."""
        execute = self._connection.execute
        execute(
            "DELETE FROM profiles WHERE seq IN"
            " (SELECT previous FROM profiles WHERE seq >= ? AND seq < ?"
            " UNION ALL SELECT version FROM users WHERE last_seq < ?)",
            (old_floor, floor, floor),
        )
        execute(
            "DELETE FROM sightings WHERE seen < ? OR user IN (SELECT id FROM users WHERE last_seq < ?)",
            (floor - SEEN_GRAIN, floor),
        )
        execute("DELETE FROM users WHERE last_seq < ?", (floor,))
        if any(user.last_seq < floor for user in self._users.values()):
            self._users = {number: user for number, user in self._users.items() if user.last_seq >= floor}
            self._by_user_id = {key: user for key, user in self._by_user_id.items() if user.last_seq >= floor}
        # A sighting may be forgotten before its user: the device is then read again, and found unused.
        self._devices = {
            key: (user, seen)
            for key, (user, seen) in self._devices.items()
            if user.last_seq >= floor and seen >= floor - SEEN_GRAIN
        }

    def trim(self) -> None:
        """Bound what is held in memory. Only after `flush`."""
        if len(self._users) > _CACHED or len(self._devices) > _CACHED or len(self._derived) > _CACHED:
            numbering = self.next_user
            self._forget_all()
            self.next_user = numbering

    def _make(self, project_id: int, user_id: str | None, seq: int, now_ms: int) -> User:
        user = User(self.next_user, project_id, user_id, now_ms, now_ms, seq)
        self.next_user += 1
        self._users[user.id] = self._new[user.id] = user
        if user_id is not None:
            self._by_user_id[project_id, user_id] = user
        return user

    def _sight(self, key: tuple[int, str], user: User, seq: int) -> None:
        project_id, device_id = key
        self._devices[key] = (user, seq)
        self._sighted[device_id, project_id, user.id] = seq

    def _load_device(self, key: tuple[int, str]) -> tuple[User, int] | None:
        row = self._connection.execute(
            "SELECT user, seen FROM sightings"
            " WHERE device_id = ? AND project_id = ? ORDER BY since DESC LIMIT 1",
            (key[1], key[0]),
        ).fetchone()
        if row is None:
            return None
        seen_on = self._devices[key] = (self._users.get(row[0]) or self._load(row[0]), row[1])
        return seen_on

    def _load_user_id(self, project_id: int, user_id: str) -> User | None:
        row = self._connection.execute(
            "SELECT id FROM users WHERE user_id = ? AND project_id = ?", (user_id, project_id)
        ).fetchone()
        if row is None:
            return None
        user = self._by_user_id[project_id, user_id] = self._users.get(row[0]) or self._load(row[0])
        return user

    def _load(self, number: int) -> User:
        row = self._connection.execute(
            "SELECT id, project_id, user_id, first_seen, last_seen, last_seq, events, version"
            " FROM users WHERE id = ?",
            (number,),
        ).fetchone()
        user = self._users[number] = User(*row)
        if user.version:
            user.profile = load_profile(self._connection, user.version)
        return user


def load_profile(connection: sqlite3.Connection, version: int) -> Profile:
    """The profile that entry `version` made; the empty one for 0."""
    row = connection.execute("SELECT profile FROM profiles WHERE seq = ?", (version,)).fetchone()
    return msgspec.json.decode(row[0], type=Profile) if row else EMPTY
