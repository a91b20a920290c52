"""`antinode relay`: what it needs before it listens, and what it says of itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from antinode._deadletters import encode
from antinode._delivery.outcome import REJECTED, Outcome
from antinode._protocol.status import Status
from antinode.relay.spool.lane import dead_letters_file
from antinode.server import Running, running
from tests.cli.nursery import run
from tests.cli.reading import words
from tests.relay.kept import WEB, event
from tests.relay.processes import RelayProcess, relay_process

if sys.platform == "win32":
    pytest.skip("signals as POSIX has them", allow_module_level=True)

PROJECTS = {"ANTINODE_RELAY_API_KEYS": f"web={WEB.api_key}"}


@pytest.fixture(scope="module")
def amplitude() -> Iterator[Running]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def relay(amplitude: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    """A relay that keeps a rejected event as a dead letter, and has delivered another one."""
    directory = tmp_path_factory.mktemp("cli") / "spool"
    directory.mkdir()
    letters = dead_letters_file(directory, WEB.fingerprint)
    outcome = Outcome(REJECTED, Status.INVALID, "invalid_event", 400, "it was refused", 1)
    letters.write_bytes(encode(outcome, event(7).body))
    letters.chmod(0o600)
    with relay_process(directory, amplitude.url) as process:
        yield process


def send(relay: RelayProcess, *numbers: int) -> None:
    body = {"api_key": WEB.api_key, "events": [json.loads(event(number).body) for number in numbers]}
    with urllib3.PoolManager() as pool:
        assert pool.request("POST", relay.server_url, json=body).status == 200


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (["--spool", "S"], {}, "there is no project: set ANTINODE_RELAY_API_KEYS"),
        ([], PROJECTS, "--spool"),
        (["--spool", "S", "--config", "nowhere.toml"], {}, "cannot be read"),
        (["--spool", "S", "--local", "--zone", "EU"], PROJECTS, "--local says where to deliver"),
        (["--spool", "S", "--server-url", "ftp://x"], PROJECTS, "not an http(s) URL"),
        (["--spool", "S", "--key", "K"], PROJECTS, "--key"),
        (["--spool", "/dev/null/x"], PROJECTS, "cannot be made"),
    ],
)
def test_what_is_not_set_up_is_told(
    arguments: list[str], variables: dict[str, str], told: str, tmp_path: Path
) -> None:
    """Before it listens, with what to write instead, and exit code 2."""
    ended = run("relay", "run", *arguments, cwd=tmp_path, **variables)
    assert ended.returncode == 2
    assert told in words(ended.stderr)
    assert WEB.api_key not in ended.stderr + ended.stdout


def test_status_asks_a_relay(relay: RelayProcess) -> None:
    """For people a table, for machines the relay's own answer."""
    send(relay, 1, 2)
    ended = run("relay", "status", "--url", relay.url)
    assert ended.returncode == 0
    assert ended.stdout.startswith("It takes events.\nPROJECT")
    assert "web" in ended.stdout
    found: dict[str, Any] = json.loads(run("relay", "status", "--url", relay.url, "--json").stdout)
    assert found["is_ready"] is True
    assert found["intake"]["kept_events"] >= 2
    assert found["fingerprints"] == {"web": WEB.fingerprint}
    assert found["delivery"]["web"]["rejected"] == 0


def test_status_says_that_nobody_answers(amplitude: Running) -> None:
    """A relay that does not run, and a server that is none, are exit code 1, with what to do."""
    nobody = run("relay", "status", "--url", "http://127.0.0.1:9")
    assert (nobody.returncode, "does it run there?" in words(nobody.stderr)) == (1, True)
    other = run("relay", "status", "--url", amplitude.url)
    assert (other.returncode, "is it one?" in words(other.stderr)) == (1, True)


def test_status_looks_into_a_directory(tmp_path: Path) -> None:
    """Whatever processes have left there is counted by project, known by name if it is configured."""
    directory = tmp_path / "spool"
    with relay_process(directory, "http://127.0.0.1:9", "--drain", "0") as killed:
        send(killed, *range(30))
        killed.kill()
    ended = run("relay", "status", "--spool", str(directory), "--json")
    (spool,) = json.loads(ended.stdout)["delivery"]
    assert (spool["project"], spool["pending"], spool["in_use"]) == (WEB.fingerprint, 30, 0)
    named = run("relay", "status", "--spool", str(directory), **PROJECTS)
    assert named.stdout.splitlines()[1].split()[:3] == ["web", "30", "0"]
    assert run("relay", "status", "--spool", str(tmp_path)).returncode == 0


def test_dead_letters_are_listed_and_sent_again(relay: RelayProcess, amplitude: Running) -> None:
    """By project and reason; sent again they arrive, and the file stays as it is."""
    spool = ["--spool", str(relay.directory)]
    none = run("relay", "dead", "ls", "--spool", str(relay.directory.parent))
    assert "There are no dead letters" in none.stdout
    listed = run("relay", "dead", "ls", *spool, "--json")
    (letters,) = map(json.loads, listed.stdout.splitlines())
    assert (letters["project"], letters["reason"], letters["count"]) == (WEB.fingerprint, "invalid_event", 1)
    table = run("relay", "dead", "ls", *spool, **PROJECTS).stdout
    assert table.splitlines()[1].split() == ["web", "rejected", "invalid_event", "1"]
    dry = run("relay", "dead", "replay", *spool, "--server-url", amplitude.url, "--dry-run", **PROJECTS)
    assert (dry.returncode, json.loads(dry.stdout)["insert_id"]) == (0, "user-1-7")
    replayed = run("relay", "dead", "replay", *spool, "--server-url", amplitude.url, **PROJECTS)
    assert replayed.returncode == 0, replayed.stderr
    assert amplitude.api.event("user-1-7") is not None
    unknown = run("relay", "dead", "replay", *spool, "--project", "app", **PROJECTS)
    assert (unknown.returncode, "one of web" in words(unknown.stderr)) == (2, True)
