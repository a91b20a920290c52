"""What is kept: in files that survive, within bounds, one upload at a time."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode.server.engine import Amplitude
from antinode.server.models import UploadQuery
from antinode.server.rules import Rules
from antinode.server.storage import schema
from antinode.server.storage.schema import DataInUse, DataUnreadable
from tests.examples import examples
from tests.server.ingesting import AT_MS, event, fixed, identify, post, send, views


def everything(amplitude: Amplitude) -> dict[str, Any]:
    """All that can be asked, but for when the server began."""
    users = amplitude.users(limit=1000).users
    groups = amplitude.groups(limit=1000).groups
    found = views(amplitude)
    stats = amplitude.stats(3600)
    return {
        "events": found,
        "histories": [amplitude.event(each.insert_id) for each in found if each.insert_id],
        "uploads": amplitude.uploads(UploadQuery(limit=1000)),
        "details": [amplitude.upload(each.id) for each in amplitude.uploads(UploadQuery(limit=1000)).uploads],
        "users": users,
        "user": [amplitude.user(each.user_id or each.device_id or "", each.project_id) for each in users],
        "groups": groups,
        "group": [amplitude.group(each.group_type, each.group_name, each.project_id) for each in groups],
        "totals": amplitude.totals(),
        "stats": {name: getattr(stats, name) for name in stats.__struct_fields__ if name != "started_at"},
    }


IDS = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.sampled_from(["user-1", "user-2"]),
        "device_id": st.sampled_from(["device-1", "device-2"]),
    },
)
SENT = st.builds(
    lambda number, ids, more: {"insert_id": f"insert-{number}", "time": AT_MS, **ids, **more},
    st.integers(0, 8),
    IDS,
    st.sampled_from(
        [
            {"event_type": "Song Played"},
            {"event_type": "Song Played", "platform": "Web", "app_version": "1.0"},
            {"event_type": "Song Played", "groups": {"org": "15"}, "price": 2},
            {"event_type": "Song Played", "user_properties": {"plan": "pro"}},
            {"event_type": "Song Played", "time": "yesterday"},
            {"event_type": "$identify", "user_properties": {"$add": {"n": 1}, "$append": {"l": "x"}}},
            {"event_type": "$identify", "user_properties": {"$clearAll": "-"}},
            {"event_type": "$groupidentify", "groups": {"org": "15"}, "group_properties": {"$add": {"n": 1}}},
        ]
    ),
)
UPLOADS = st.lists(st.lists(SENT, min_size=1, max_size=4), max_size=6)


@settings(max_examples=examples(15), deadline=None)
@given(UPLOADS, UPLOADS)
def test_a_restart_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, before: list[list[Any]], after: list[list[Any]]
) -> None:
    """Whatever was asked before the file was closed is answered the same after it was opened again; and what
    comes then does what it would have done without the restart."""
    clock = fixed()
    data = tmp_path_factory.mktemp("restart") / "data.sqlite"
    with Amplitude(clock=clock) as whole:
        with Amplitude(data=data, clock=clock) as first:
            for upload in before:
                send(first, *upload)
                send(whole, *upload)
            told = everything(first)
        with Amplitude(data=data, clock=clock) as second:
            assert told == everything(second)
            for upload in after:
                send(second, *upload)
                send(whole, *upload)
            timeless = {"uploads", "details", "histories"}  # these tell how long each upload took
            one, two = everything(whole), everything(second)
            assert {k: v for k, v in one.items() if k not in timeless} == {
                k: v for k, v in two.items() if k not in timeless
            }


@settings(max_examples=examples(15), deadline=None)
@given(UPLOADS, st.integers(1, 12))
def test_the_newest_are_kept(uploads: list[list[Any]], max_events: int) -> None:
    """With `max_events`, the newest entries are as without it, and no more of them are kept than that. The
    totals go on counting all."""
    with Amplitude(clock=fixed()) as whole, Amplitude(clock=fixed(), max_events=max_events) as bounded:
        for upload in uploads:
            send(whole, *({**each, "insert_id": f"{len(uploads)}-{id(each)}"} for each in upload))
            send(bounded, *({**each, "insert_id": f"{len(uploads)}-{id(each)}"} for each in upload))
        everything(bounded)
        kept = views(bounded)
        all_events = views(whole)
        assert len(kept) == min(max_events, len(all_events)) == bounded.stats().stored_events
        assert [each.seq for each in all_events[: len(kept)]] == [each.seq for each in kept]
        assert whole.totals() == bounded.totals()
        assert len(bounded.uploads(UploadQuery()).uploads) <= max_events


def rows(amplitude: Amplitude) -> dict[str, int]:
    """How many rows each table has."""
    connection = amplitude._store.connection
    return {
        name: len(connection.execute(f"SELECT 1 FROM {name}").fetchall())  # noqa: S608 - a name of ours
        for name in schema.NAMES
    }


def test_what_nothing_refers_to_is_forgotten() -> None:
    """Users, devices, groups, profiles and uploads go with the last entry that named them."""
    with Amplitude(clock=fixed(), max_events=10) as amplitude:
        for number in range(300):
            ids = {"user_id": f"user-{number:04d}", "device_id": f"device-{number}"}
            send(amplitude, identify(number, {"n": number}, groups={"org": str(number)}, **ids))
            describe = {
                "event_type": "$groupidentify",
                "groups": {"org": str(number)},
                "group_properties": {"n": 1},
            }
            send(amplitude, describe)
            send(amplitude, event(number, time="bad"))
        found = rows(amplitude)
        assert amplitude.user("user-0001") is None
        assert amplitude.user("user-0299") is not None
        assert amplitude.group("org", "299").group_properties == {"n": 1}  # type: ignore[union-attr]
    for name in ("entries", "notes", "uploads", "users", "profiles", "groups", "group_profiles"):
        assert 0 < found[name] <= 10, name


def test_old_versions_of_a_living_profile_are_forgotten() -> None:
    """A user who changes all the time has as many profiles as kept entries need."""
    with Amplitude(clock=fixed(), max_events=20) as amplitude:
        for number in range(200):
            send(amplitude, identify(number, {"n": number}))
        assert rows(amplitude)["profiles"] <= 21
        kept = views(amplitude)
        for each in kept:
            arrival = amplitude.event(each.insert_id or "").arrivals[0]  # type: ignore[union-attr]
            assert {"n": each.seq - 1} == arrival.user_properties


def test_refused_uploads_are_bounded_too() -> None:
    """Uploads without events do not gather."""
    with Amplitude(clock=fixed(), max_events=10) as amplitude:
        send(amplitude, event(1))
        for _ in range(100):
            post(amplitude, b"no json")
        assert len(amplitude.uploads(UploadQuery()).uploads) <= 10
        assert amplitude.totals().uploads == 101
        assert amplitude.stats().stored_events == 0
        send(amplitude, event(2))
        assert len(views(amplitude)) == 1


def test_names_are_bounded() -> None:
    """Of event types without end, the frequent ones stay counted."""
    with Amplitude(clock=fixed()) as amplitude:
        for number in range(16):
            random = [event(number * 2000 + n, event_type=f"type {number} {n}") for n in range(1000)]
            frequent = [event(number * 2000 + 1000 + n, event_type="frequent") for n in range(3)]
            send(amplitude, *random, *frequent, path="/batch")
        found = rows(amplitude)
        top = amplitude.stats().event_types[0]
    assert found["tallies"] <= 11_100
    assert (top.name, top.count) == ("frequent", 48)


@pytest.mark.parametrize("place", ["file", "memory"])
def test_an_upload_that_cannot_be_stored_leaves_nothing(place: str, tmp_path: Path) -> None:
    """It is answered 503, and everything is as before, in memory too; the next one finds a whole server."""
    data = tmp_path / "data.sqlite" if place == "file" else None
    with Amplitude(data=data, clock=fixed()) as amplitude:
        send(amplitude, identify(1, {"n": 1}))
        before = everything(amplitude)
        connection = amplitude._store.connection
        connection.execute(
            "CREATE TEMP TRIGGER full BEFORE INSERT ON uploads BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
        answer = send(amplitude, identify(2, {"n": 2}), event(3, user_id="user-new"))
        assert answer.status == 503
        assert b"disk is full" in answer.body
        connection.execute("DROP TRIGGER full")
        assert before == everything(amplitude)
        assert amplitude.user("user-new") is None
        assert send(amplitude, identify(2, {"n": 2})).status == 200
        assert amplitude.user("user-20391").user_properties == {"n": 2}  # type: ignore[union-attr]


def test_a_file_belongs_to_one_server(tmp_path: Path) -> None:
    """A second one is told so at once; after the first has ended, it may."""
    data = tmp_path / "data.sqlite"
    with Amplitude(data=data), pytest.raises(DataInUse, match=r"data\.sqlite is in use by another server"):
        Amplitude(data=data)
    Amplitude(data=data).close()


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """A text, another application's database, other tables of ours, a folder: each is refused in words."""
    text = tmp_path / "notes.txt"
    text.write_text("Not a database, though it is long enough to be looked at. " * 50)
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    newer = tmp_path / "newer.sqlite"
    Amplitude(data=newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = {each: each.read_bytes() for each in (text, foreign, newer)}
    for path, reason in [
        (text, "not a database"),
        (foreign, "another application"),
        (newer, "version 99"),
        (tmp_path, "unable to open"),
        (tmp_path / "missing" / "data.sqlite", "unable to open"),
    ]:
        with pytest.raises(DataUnreadable, match=reason):
            Amplitude(data=path)
    assert before == {each: each.read_bytes() for each in before}


def test_no_api_key_is_written(tmp_path: Path) -> None:
    """Not as a project's, not in answers, not in bodies that could not be read."""
    data = tmp_path / "data.sqlite"
    known, wrong = "0f" * 16, "f0" * 16
    with Amplitude(data=data, rules=Rules(api_keys=(known,)), clock=fixed()) as amplitude:
        send(amplitude, event(1), api_key=known)
        send(amplitude, event(2), api_key=wrong)
        post(amplitude, json.dumps({"api_key": wrong, "events": "none"}).encode())
        post(amplitude, f'{{"api_key": "{wrong}", broken'.encode())
        form = "application/x-www-form-urlencoded"
        post(amplitude, f"api_key={wrong}&identification=no".encode(), path="/identify", content_type=form)
        post(amplitude, b"{}", path=f"/2/httpapi/{wrong}")
        assert amplitude.totals().uploads == 6
    for path in tmp_path.iterdir():
        assert known.encode() not in path.read_bytes(), path
        assert wrong.encode() not in path.read_bytes(), path


KILLED = """
import json, sys
from pathlib import Path
from antinode.server.engine import Amplitude
from tests.server.ingesting import event, send

amplitude = Amplitude(data=Path(sys.argv[1]))
for upload in range(1_000_000):
    properties = {"u": upload}
    numbers = range(upload * 50, upload * 50 + 50)
    send(amplitude, *(event(n, user_id=f"user-{n % 50:03d}", user_properties=properties) for n in numbers))
    print(upload, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("after", [1, 7, 20])
def test_a_killed_server_leaves_whole_uploads(after: int, tmp_path: Path) -> None:
    """Killed among uploads: those that were answered are there, whole, and of none is there a part."""
    data = tmp_path / "data.sqlite"
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(data)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        answered = -1
        for line in process.stdout:
            answered = int(line)
            if answered >= after:
                break
        process.send_signal(signal.SIGKILL)
    with Amplitude(data=data) as amplitude:
        totals = amplitude.totals()
        assert totals.uploads >= answered + 1
        assert totals.events == 50 * totals.uploads
        assert totals.events == amplitude.stats().stored_events
        for number in (0, 49):
            user = amplitude.user(f"user-{number:03d}")
            assert user is not None
            assert totals.uploads == user.events
            assert {"u": totals.uploads - 1} == user.user_properties
        # The last that was answered is known, and a copy of it is recognised.
        send(amplitude, event(answered * 50, user_id="user-000"))
        assert amplitude.totals().duplicates == 1
