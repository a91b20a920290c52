"""Deliverers in threads and processes, and what writes to them."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine

from antinode.outbox._deliverer import Deliverer, OutboxReport, client_maker
from antinode.outbox.sqlalchemy import Outbox
from antinode.outbox.sqlalchemy._store import SqlalchemyDatabase
from tests.cli.reading import COMMAND, environment
from tests.lifecycle.driver import KEY

WITHIN = 120.0


def deliverer(
    engine: Engine, outbox: Outbox, server_url: str, *, lease: float = 30, patience: float = 60,
    drain: float = 10, **options: Any,
) -> Deliverer:  # fmt: skip
    database = SqlalchemyDatabase(create_engine(engine.url), outbox.tables)
    make_client = client_maker(KEY, {"server_url": server_url, "shutdown_timeout": 0, **options})
    return Deliverer(database, make_client, lease=lease, patience=patience, drain=drain)


def deliver_all(engine: Engine, outbox: Outbox, server_url: str, **options: Any) -> OutboxReport:
    """Deliver what waits, to the end."""
    return deliverer(engine, outbox, server_url, **options).run(lambda: False, until_empty=True)


@contextmanager
def delivering(made: Deliverer) -> Iterator[Deliverer]:
    """Let it deliver in a thread of its own for as long as the block lasts."""
    ending = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            made.run(ending.is_set)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield made
    finally:
        ending.set()
        thread.join(WITHIN)
    assert failures == []
    assert not thread.is_alive()


def until(is_true: Callable[[], object]) -> None:
    """Wait for something that another thread or process brings about."""
    end = time.monotonic() + WITHIN
    while not is_true():
        assert time.monotonic() < end, "it has not come about"
        time.sleep(0.01)


def write(engine: Engine, outbox: Outbox, *users: str, seq: int | None = None, **more: Any) -> None:
    """Write an event of each of these users, in one transaction; `seq` counts on from one to the next."""
    with engine.begin() as connection:
        for number, user in enumerate(users):
            event: Any = {"event_type": "Tick", "user_id": user, **more}
            if seq is not None:
                event["event_properties"] = {"seq": seq + number}
            outbox.log_event(connection, event)


def waiting(engine: Engine, outbox: Outbox) -> int:
    with engine.connect() as connection:
        return outbox.status(connection).waiting


@contextmanager
def command(url: str, server_url: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`antinode outbox deliver` as a process, which is killed at the end of the block if it still runs."""
    process = subprocess.Popen(
        [*COMMAND, "outbox", "deliver", "--server-url", server_url, *arguments],
        env=environment(ANTINODE_OUTBOX_DATABASE=url, AMPLITUDE_API_KEY=KEY),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
