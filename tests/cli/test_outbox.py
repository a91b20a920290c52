"""`antinode outbox`, as a person and as a script meet it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from antinode import Client
from antinode.testing import Endpoint, faults
from tests.cli.nursery import Ended, run
from tests.cli.reading import words
from tests.lifecycle.driver import KEY, sequence
from tests.memory import Memory, logging_client

sqlalchemy = pytest.importorskip("sqlalchemy")

from antinode.outbox.sqlalchemy import Outbox  # noqa: E402 - only where it is installed

MISSING_PASSWORD = "hush"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running_endpoint:
        yield running_endpoint


@pytest.fixture
def client() -> Iterator[Client]:
    with logging_client(Memory()) as made:
        yield made


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shop.sqlite"


def outbox(command: str, url: str, *arguments: str) -> Ended:
    return run("outbox", command, *arguments, ANTINODE_OUTBOX_DATABASE=url, AMPLITUDE_API_KEY=KEY)


def write(url: str, client: Client, *users: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        for seq, user in enumerate(users):
            event: Any = {"event_type": "Tick", "user_id": user, "event_properties": {"seq": seq}}
            assert Outbox(client).log_event(connection, event)
    engine.dispose()


def test_from_the_tables_to_the_dead_and_back(url: str, client: Client, endpoint: Endpoint) -> None:
    """Created, filled, delivered; what was rejected is printed as `replay` takes it, and sent again."""
    created = outbox("create", url)
    assert created.stdout == (
        "antinode_outbox, antinode_outbox_once, antinode_outbox_dead, antinode_outbox_lease\n"
    )
    write(url, client, "user-1", "bad-user", "user-1")
    told = outbox("status", url).stdout
    assert told.startswith("waiting  3, the oldest for ")
    assert "nobody delivers" in told
    endpoint.answer = faults.invalid({"user_id": "bad-user"}, field="user_id")
    done = outbox("deliver", url, "--until-empty", "--server-url", endpoint.url)
    assert (done.returncode, done.stdout) == (0, "delivered 2, rejected 1\n"), done.stderr
    assert sequence(endpoint.events) == [0, 2]
    (dead,) = map(json.loads, outbox("dead", url).stdout.splitlines())
    assert (dead["outcome"], dead["code"], dead["event"]["user_id"]) == ("rejected", 400, "bad-user")
    assert json.loads(outbox("status", url, "--json").stdout) == {
        "waiting": 0,
        "oldest_seconds": None,
        "dead": 1,
        "deliverers": {},
    }
    letters = Path(url.removeprefix("sqlite:///")).with_name("dead.jsonl")
    letters.write_text(outbox("dead", url).stdout)
    assert run("replay", str(letters), "--dry-run", AMPLITUDE_API_KEY=KEY).returncode == 0
    assert outbox("retry", url).stdout == "waiting again: 1\n"
    endpoint.answer = None
    again = outbox("deliver", url, "--until-empty", "--json", "--server-url", endpoint.url)
    assert json.loads(again.stdout)["delivered"] == 1


def test_what_is_left_is_a_failure(url: str, client: Client, endpoint: Endpoint) -> None:
    """With --until-empty; and a key that the server refuses is one in any case."""
    outbox("create", url)
    write(url, client, "user-1")
    endpoint.answer = faults.invalid_api_key()
    refused = outbox("deliver", url, "--until-empty", "--server-url", endpoint.url)
    assert (refused.returncode, refused.stdout) == (1, "delivered 0, rejected 0, more is waiting\n")
    assert "API key" in refused.stderr
    assert outbox("deliver", url, "--timeout", "0.1", "--server-url", "http://127.0.0.1:9").returncode == 0


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "set ANTINODE_OUTBOX_DATABASE"),
        (f"nonsense {MISSING_PASSWORD}", "is not a URL of SQLAlchemy's"),
        (f"nosuch://shop:{MISSING_PASSWORD}@127.0.0.1:1/shop", "is not a URL of SQLAlchemy's"),
        (f"oracle+oracledb://shop:{MISSING_PASSWORD}@127.0.0.1:1/shop", "pip install oracledb"),
        (f"postgresql+psycopg_async://shop:{MISSING_PASSWORD}@127.0.0.1:1/shop", "asynchronous driver"),
        ("sqlite://", "there is no table 'antinode_outbox' in this database"),
    ],
)
def test_a_database_that_cannot_be_is_wrong_usage(url: str, says: str) -> None:
    """With what to write instead, and without the password."""
    if "psycopg" in url:
        pytest.importorskip("psycopg")
    done = outbox("status", url)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in words(done.stderr)
    assert MISSING_PASSWORD not in done.stderr


def test_a_database_that_does_not_answer_is_a_failure() -> None:
    """In the words of its driver, without the password."""
    pytest.importorskip("psycopg")
    done = outbox("status", f"postgres://shop:{MISSING_PASSWORD}@127.0.0.1:1/shop")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the database says" in words(done.stderr)
    assert MISSING_PASSWORD not in done.stderr
