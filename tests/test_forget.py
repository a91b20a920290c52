"""`client.forget`: a user's events are gone from wherever they were, and nobody else's are."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode import Client, HttpResponse, Request, TransportError
from antinode._spool.inspection.inspect import records, survey
from tests.examples import examples
from tests.memory import KEY, Memory, logging_client, sent
from tests.test_consent import event, users

LATER: dict[str, Any] = {"upload_interval_in_sec": 600, "max_cached_events": 1_000_000}
LEAVE = """
import os, sys
import antinode
client = antinode.init(
    sys.argv[1], storage=sys.argv[2], upload_interval_in_sec=600, max_cached_events=1_000_000, server_url="http://[::1]:9"
)
for number in range(int(sys.argv[3])):
    client.log_event({"event_type": "Song Played", "user_id": f"user-{number % 3}"})
print("logged", flush=True)
if sys.argv[4] == "die":
    os._exit(0)
sys.stdin.read()
os._exit(0)
"""


def leave(spool: Path, events: int, *, then: str = "die") -> subprocess.Popen[str]:
    """A process that logs events of three users in turn, and dies, or lives on until it is told."""
    command = [sys.executable, "-c", LEAVE, KEY, str(spool), str(events), then]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "logged\n"
    if then == "die":
        process.communicate(timeout=120)
    return process


def on_disk(spool: Path) -> str:
    """All that the files of a spool hold."""
    return "".join(path.read_text("latin-1") for path in spool.rglob("*") if path.is_file())


@pytest.mark.parametrize("with_storage", [False, True], ids=["memory", "spool"])
def test_what_waits_is_taken_out_and_nobody_elses(tmp_path: Path, with_storage: bool) -> None:
    """Whatever the user's device; each event ends as forgotten, with nothing kept of it."""
    memory = Memory()
    options: dict[str, Any] = {"storage": tmp_path} if with_storage else {}
    with logging_client(memory, **LATER, **options) as client:
        gone = [client.log_event(event("user-a", n, device_id=f"device-{n % 2}")) for n in range(4)]
        client.log_event(event("user-b", device_id="device-0"))
        found = client.forget("user-a")
        assert (found.queued, found.spooled, found.in_flight, found.in_use) == (4, 0, 0, 0)
        assert {each.result(120).reason for each in gone} == {"forgotten"}
        assert [each.event() for each in gone] == [{}] * 4
        assert "user-a" not in on_disk(tmp_path)
        client.log_event(event("user-a", 9))
        assert users(sent(client, memory)) == ["user-b", "user-a"]
        stats = client.stats()
        assert (stats.delivered, stats.dropped, stats.balanced) == (2, {"forgotten": 4}, True)


def test_users_of_a_device_alone() -> None:
    """Events with a user_id are that user's, on whichever device; several ids may be named at once."""
    memory = Memory()
    with logging_client(memory, **LATER) as client:
        for user, device in (
            ("user-a", "device-1"), (None, "device-1"), (None, "device-2"),
            ("user-c", None), ("user-d", None),
        ):  # fmt: skip
            ids = {"user_id": user, "device_id": device}
            client.log_event({"event_type": "A", **{key: each for key, each in ids.items() if each}})
        assert client.forget(["user-c", "user-d"], device_id="device-1").queued == 3
        events = sent(client, memory)
        assert [(each.get("user_id"), each.get("device_id")) for each in events] == [
            ("user-a", "device-1"),
            (None, "device-2"),
        ]


def test_what_is_in_the_store_alone_is_found_there(tmp_path: Path) -> None:
    """Far more events than memory holds: those of one user go, all others arrive, in their order."""
    memory = Memory()
    total = 45_000
    with logging_client(memory, storage=tmp_path, **LATER) as client:
        deliveries = [client.log_event(event(f"user-{n % 3}", n)) for n in range(total)]
        found = client.forget("user-1")
        assert found.queued + found.spooled == total // 3
        assert found.spooled > 0
        assert '"user-1"' not in on_disk(tmp_path)
        assert {each.result(0).reason for each in deliveries[1::3]} == {"forgotten"}
        events = sent(client, memory)
        for user in ("user-0", "user-2"):
            numbers = [each["event_properties"]["n"] for each in events if each["user_id"] == user]
            assert numbers == list(range(int(user[-1]), total, 3))
        assert len(events) == total - total // 3
        stats = client.stats()
        assert (stats.dropped, stats.pending, stats.on_disk, stats.balanced) == (
            {"forgotten": total // 3},
            0,
            0,
            True,
        )
    assert survey(str(tmp_path)) == []


@pytest.mark.parametrize("is_taken_over", [True, False], ids=["taken-over", "closed"])
def test_what_dead_processes_left_goes_too(tmp_path: Path, is_taken_over: bool) -> None:
    """By a client that works in the directory, and by one that has been shut down."""
    leave(tmp_path, 30)
    memory = Memory(is_open=is_taken_over)
    with logging_client(memory, storage=tmp_path, **LATER) as client:
        if not is_taken_over:
            client.shutdown(0)
        found = client.forget("user-1")
        assert found.queued + found.spooled == 10
        assert "user-1" not in on_disk(tmp_path)
    last = Memory()
    with logging_client(last, storage=tmp_path) as client:
        client.flush(120)
    # The first client delivers, when it ends, what it has taken over.
    delivered = memory.events if is_taken_over else []
    arrived = {each["insert_id"]: each["user_id"] for each in [*delivered, *last.events]}
    assert sorted(arrived.values()) == ["user-0"] * 10 + ["user-2"] * 10


def test_what_living_processes_hold_is_counted_and_left(tmp_path: Path) -> None:
    """They alone may change their files."""
    other = leave(tmp_path, 9, then="live")
    try:
        with logging_client(Memory(), storage=tmp_path, **LATER) as client:
            client.log_event(event("user-1"))
            found = client.forget("user-1")
            assert (found.queued, found.in_use) == (1, 3)
    finally:
        other.communicate(timeout=120)


def test_after_a_crash_what_was_forgotten_stays_so(tmp_path: Path) -> None:
    """The process dies right after the call: the next one is given the others' events, each once."""
    code = LEAVE.replace(
        'print("logged", flush=True)', 'client.forget("user-1"); print("logged", flush=True)'
    )
    done = subprocess.run(
        [sys.executable, "-c", code, KEY, str(tmp_path), "30000", "die"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    memory = Memory()
    with logging_client(memory, storage=tmp_path) as client:
        assert len(sent(client, memory)) == 20_000
        assert set(users(memory.events)) == {"user-0", "user-2"}
        assert client.stats().dropped == {}


def test_what_is_in_a_request_is_told_and_does_not_come_again() -> None:
    """It may arrive; where the request fails, it is not repeated for this user."""
    under_way = threading.Event()

    class Breaking(Memory):
        def send(self, request: Request) -> HttpResponse:
            under_way.set()
            super().send(request)
            if len(self.requests) == 1:
                raise TransportError("reset")
            return self.answer

    memory = Breaking(is_open=False)
    with logging_client(memory, **LATER) as client:
        client.log_event(event("user-a"))
        client.log_event(event("user-b"))
        client._sender.hurry()  # type: ignore[union-attr]
        assert under_way.wait(120)
        assert client.forget("user-a").in_flight == 1
        memory.gate.set()
        assert client.flush(120).complete
        assert users(json.loads(memory.requests[-1].body)["events"]) == ["user-b"]
        assert (client.stats().delivered, client.stats().dropped) == (1, {"forgotten": 1})


def test_dead_letters_are_blanked_where_they_stand(tmp_path: Path) -> None:
    """In the file and in those set aside; the other lines are as they were, to the byte."""
    path = tmp_path / "letters.jsonl"
    memory = Memory()
    with logging_client(memory, dead_letters=path) as client:
        for user in ("user-a", "user-b", "user-a"):
            client.log_event({"event_type": "", "user_id": user})
        client.flush(120)
        lines = path.read_bytes().splitlines(keepends=True)
        (tmp_path / "letters.jsonl.1").write_bytes(
            lines[0] + b'{"event_type":"x","user_id":"user-a"}\n' + b"torn"
        )
        assert client.forget("user-a").dead_letters == 4
    kept = path.read_bytes().splitlines(keepends=True)
    assert kept[1] == lines[1]
    assert [len(line) for line in kept] == [len(line) for line in lines]
    assert (tmp_path / "letters.jsonl.1").read_bytes().split() == [b"torn"]
    assert b"user-a" not in path.read_bytes()


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, ValueError),
        ({"user_id": ""}, ValueError),
        ({"user_id": 7}, TypeError),
        ({"user_id": [7]}, TypeError),
    ],
)
def test_what_names_nobody_is_refused(given: dict[str, Any], error: type[Exception]) -> None:
    """With what is wanted, and nothing is removed."""
    with pytest.raises(error, match="user_id"):
        Client().forget(**given)


@settings(max_examples=examples(25), deadline=None)
@given(
    logged=st.lists(st.integers(0, 3), max_size=60),
    forgotten=st.sets(st.integers(0, 3), min_size=1),
    after=st.lists(st.integers(0, 3), max_size=10),
)
def test_the_others_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory, logged: list[int], forgotten: set[int], after: list[int]
) -> None:
    """Whoever is forgotten, in a client and by the next one: what others logged arrives once, in order."""
    spool = tmp_path_factory.mktemp("spool")
    shut, memory = Memory(is_open=False), Memory()
    ids = [f"user-{user}" for user in sorted(forgotten)]
    with logging_client(shut, storage=spool, **LATER) as client:
        for number, user in enumerate(logged):
            client.log_event(event(f"user-{user}", number))
        found = client.forget(ids)
        assert found.queued + found.spooled == sum(user in forgotten for user in logged)
        for number, user in enumerate(after):
            client.log_event(event(f"user-{user}", 100 + number))
        client.shutdown(0)
    with logging_client(memory, storage=spool, **LATER) as client:
        # What was logged after the first call is still there.
        again = client.forget(ids)
        assert again.queued + again.spooled == sum(user in forgotten for user in after)
        arrived = [(each["user_id"], each["event_properties"]["n"]) for each in sent(client, memory)]
    wanted = [(f"user-{u}", n) for n, u in enumerate(logged) if u not in forgotten]
    wanted += [(f"user-{u}", 100 + n) for n, u in enumerate(after) if u not in forgotten]
    for user in {each for each, _ in wanted}:
        assert [each for each in arrived if each[0] == user] == [each for each in wanted if each[0] == user]
    assert len(arrived) == len(wanted)
    assert [each for segment in survey(str(spool)) for each in records(segment.path)] == []
