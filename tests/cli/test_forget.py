"""`antinode forget`, as a person and as a script meet it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from antinode import Client
from antinode.server import Running, running
from tests.cli.nursery import run
from tests.lifecycle.driver import KEY
from tests.memory import Memory, logging_client, sent
from tests.test_consent import event, users
from tests.test_forget import leave

SECRET = "fedcba9876543210fedcba9876543210"


@pytest.fixture
def amplitude() -> Iterator[Running]:
    with running() as server:
        server.api.set_rules(api_keys=[{"key": KEY, "secret": SECRET}])
        yield server


def test_spools_and_dead_letters_lose_the_user(tmp_path: Path) -> None:
    """And nobody else; what was removed is counted."""
    spool, letters = tmp_path / "spool", tmp_path / "letters.jsonl"
    leave(spool, 9)
    other = b'{"event_type":"A","user_id":"user-2"}\n'
    letters.write_bytes(b'{"event_type":"A","user_id":"user-1"}\n' + other)
    done = run("forget", "user-1", "--spool", str(spool), "--dead-letters", str(letters), "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["spooled"], told["dead_letters"], told["in_use"]) == (0, 3, 1, 0)
    assert letters.read_bytes().split(b"\n", 1)[1] == other
    again = run("forget", "user-1", "--spool", str(spool), "--dead-letters", str(letters))
    assert (again.returncode, "Removed 0 events" in again.stdout) == (0, True)
    memory = Memory()
    with logging_client(memory, storage=spool) as client:
        assert sorted(users(sent(client, memory))) == ["user-0"] * 3 + ["user-2"] * 3


def test_what_is_in_use_is_told(tmp_path: Path) -> None:
    """It stays with the process that holds it, and the exit code says that something is left."""
    with logging_client(Memory(), storage=tmp_path, upload_interval_in_sec=600) as client:
        client.log_event(event("user-1"))
        done = run("forget", "user-1", "--spool", str(tmp_path))
        assert (done.returncode, "Left 1 event in use" in done.stdout) == (1, True)
        assert client.stats().queued == 1


def test_amplitude_is_asked_with_the_secret_of_the_environment(amplitude: Running) -> None:
    """The user is gone there, a job tells of it, and the keys are in no output."""
    with Client().init(KEY, server_url=amplitude.server_url) as client:
        client.log_event(event("user-1"))
    address = ("--server-url", amplitude.server_url)
    keys = {"AMPLITUDE_API_KEY": KEY, "AMPLITUDE_SECRET_KEY": SECRET}
    done = run("forget", "user-1", "user-9", "--amplitude", *address, **keys)
    assert (done.returncode, "deletes 1 user" in done.stdout, "1 unknown" in done.stdout) == (0, True, True)
    assert amplitude.api.users() == []
    jobs = run("forget", "--jobs", "--json", *address, **keys)
    assert [job["status"] for job in json.loads(jobs.stdout)["jobs"]] == ["done"]
    wrong = run("forget", "user-1", "--amplitude", *address, **{**keys, "AMPLITUDE_SECRET_KEY": "wrong"})
    assert (wrong.returncode, "401" in wrong.stdout) == (1, True)
    for each in (done, jobs, wrong):
        assert not any(key in each.stdout + each.stderr for key in (KEY, SECRET))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["user-1"], "say where"),
        (["--amplitude"], "name a USER"),
        (["user-1", "--amplitude"], "AMPLITUDE_SECRET_KEY"),
    ],
)
def test_what_is_missing_is_said(words: list[str], told: str) -> None:
    """With what to write."""
    done = run("forget", *words, AMPLITUDE_API_KEY=KEY)
    assert (done.returncode, told in done.stderr) == (2, True)
