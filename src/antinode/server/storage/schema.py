"""The SQLite file: its tables, and how it is opened by one server at a time."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

VERSION: Final = 1
"""Of the tables below; a file of another version is refused, never changed."""

APPLICATION_ID: Final = 0x416E_4E64
"""Marks a file as ours: `AnNd`."""


class DataError(Exception):
    """The file to keep everything in cannot be used."""

    def __init__(self, path: Path, reason: str = "") -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason


class DataInUse(DataError):
    """Another server has the file open."""

    def __str__(self) -> str:
        return f"{self.path} is in use by another server: stop that one, or name another file"


class DataUnreadable(DataError):
    """The file is no data of a local Amplitude, is of another version, or cannot be opened."""

    def __str__(self) -> str:
        return f"{self.path} cannot be used: {self.reason}. Name another file, or move this one away"


# Everything that came has a row in `entries`, whatever became of it, and `seq` has no gaps: so what is kept
# is a range of `seq`, a version of a profile is named by the entry that made it, and forgetting the oldest
# is forgetting everything below a floor. What a row costs is what each event costs, so it has few columns,
# and its ids are read from its event: `mark` is a checksum of the insert_id, -1 without one, since an index
# of small numbers costs half of what one of texts does, and `user` narrows the search for an id. Where there
# is no user, profile or text, 0 and the empty text stand for it, since sqlite3 binds None slowly.
TABLES: Final = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    upload INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    user INTEGER NOT NULL,
    profile INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    library TEXT NOT NULL,
    event TEXT NOT NULL
);
CREATE INDEX entries_mark ON entries (mark);
CREATE INDEX entries_outcome ON entries (outcome) WHERE outcome <> 0;

CREATE TABLE notes (seq INTEGER PRIMARY KEY, problems TEXT NOT NULL, kept TEXT NOT NULL);

CREATE TABLE uploads (
    id INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    client_upload_time INTEGER,
    received_at INTEGER NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    project_id INTEGER,
    status INTEGER NOT NULL,
    error TEXT,
    fault TEXT,
    wire_size INTEGER NOT NULL,
    body_size INTEGER NOT NULL,
    encoding TEXT NOT NULL,
    events INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    library TEXT,
    user_agent TEXT NOT NULL,
    duration_us INTEGER NOT NULL,
    answer TEXT,
    body_start TEXT
);
CREATE INDEX uploads_received ON uploads (received_at);

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL,
    user_id TEXT,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    events INTEGER NOT NULL,
    version INTEGER NOT NULL,
    merged_into INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX users_user_id ON users (user_id, project_id) WHERE user_id IS NOT NULL;
CREATE INDEX users_merged ON users (merged_into) WHERE merged_into <> 0;

CREATE TABLE sightings (
    device_id TEXT NOT NULL,
    project_id INTEGER NOT NULL,
    user INTEGER NOT NULL,
    since INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (device_id, project_id, user)
) WITHOUT ROWID;
CREATE INDEX sightings_user ON sightings (user);

CREATE TABLE profiles (
    seq INTEGER PRIMARY KEY,
    previous INTEGER NOT NULL,
    profile TEXT NOT NULL
);

CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL,
    group_type TEXT NOT NULL,
    group_name TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    version INTEGER NOT NULL
);
CREATE UNIQUE INDEX groups_name ON groups (group_type, group_name, project_id);

CREATE TABLE group_profiles (
    group_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    properties TEXT NOT NULL,
    set_by TEXT NOT NULL,
    PRIMARY KEY (group_id, seq)
) WITHOUT ROWID;
CREATE INDEX group_profiles_seq ON group_profiles (seq);

CREATE TABLE projects (key_hash BLOB PRIMARY KEY, project_id INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE tallies (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;

CREATE TABLE problems (
    code TEXT NOT NULL,
    severity TEXT NOT NULL,
    count INTEGER NOT NULL,
    message TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (code, severity)
) WITHOUT ROWID;

CREATE TABLE progress (
    floor INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    first_upload INTEGER NOT NULL,
    next_upload INTEGER NOT NULL,
    next_user INTEGER NOT NULL,
    next_group INTEGER NOT NULL,
    uploads INTEGER NOT NULL,
    events INTEGER NOT NULL,
    ordinary_events INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    problems INTEGER NOT NULL
);
INSERT INTO progress VALUES (1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0);
"""

ADDED: Final = """
CREATE TABLE IF NOT EXISTS taxonomy (
    project_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    holder TEXT NOT NULL,
    name TEXT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (project_id, kind, holder, name)
) WITHOUT ROWID
"""
"""A table that earlier files of this version lack, and that earlier servers leave alone."""

NAMES: Final = (
    "entries",
    "notes",
    "uploads",
    "users",
    "sightings",
    "profiles",
    "groups",
    "group_profiles",
    "projects",
    "tallies",
    "problems",
    "taxonomy",
)
"""The tables to empty for a reset; `progress` begins anew."""

BEGINNING: Final = """
UPDATE progress SET floor = 1, next_seq = 1, first_upload = 1, next_upload = 1, next_user = 1, next_group = 1,
    uploads = 0, events = 0, ordinary_events = 0, duplicates = 0, rejected = 0, returned = 0,
    problems = 0
"""


def connect(path: Path | None) -> sqlite3.Connection:
    """The tables in `path`, which is made if it does not exist, or in memory for None.

    A file stays locked against other servers until the connection is closed or its process ends, and what is
    committed survives a killed process; the newest commits may be lost, whole, when the machine itself fails.
    Raises `DataInUse` and `DataUnreadable`.
    """
    if path is None:
        connection = _open(":memory:")
        connection.executescript(f"BEGIN;{TABLES}{ADDED};COMMIT;")
        return connection
    # Only the owner may read the file, and the files beside it, to which SQLite gives the same rights: events
    # hold what users did. If the file cannot be made, SQLite says why.
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        connection = _open(str(path))
    except sqlite3.Error as error:
        raise DataUnreadable(path, str(error)) from None
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        if _is_locked(error):
            raise DataInUse(path) from None
        raise DataUnreadable(path, str(error)) from None
    except DataError:
        connection.close()
        raise
    # An earlier version made its files readable by others.
    for each in (path, path.with_name(f"{path.name}-wal")):
        with suppress(OSError):
            each.chmod(0o600)
    return connection


def _open(name: str) -> sqlite3.Connection:
    # The engine passes from thread to thread, but is never in two at once.
    return sqlite3.connect(
        name, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=256
    )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Exclusive before the first access, so that WAL needs no shared memory, and a second server is refused.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if mark != APPLICATION_ID and (mark or version or tables):
        raise DataUnreadable(path, "it is an SQLite file of another application")
    if mark == APPLICATION_ID and version != VERSION:
        raise DataUnreadable(path, f"its tables are of version {version}, this antinode has {VERSION}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("BEGIN EXCLUSIVE")
    if not mark:
        for statement in TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute(ADDED)
    connection.execute("COMMIT")


def _is_locked(error: sqlite3.Error) -> bool:
    return "locked" in str(error)
