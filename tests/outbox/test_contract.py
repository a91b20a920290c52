"""Each database does for a deliverer what it has to: by SQLAlchemy and Django, on SQLite and PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.dialects import mysql

from antinode.outbox.sqlalchemy import Outbox
from antinode.outbox.sqlalchemy._statements import add, clock, insert_new, looking, reading
from antinode.outbox.sqlalchemy._store import SqlalchemyDatabase
from tests.outbox import contract, site

pytest.importorskip("django")

ROOT = Path(__file__).parents[2]
_PROGRAM = """
import django
django.setup()
from django.core.management import call_command
from antinode.outbox.django._store import DjangoDatabase
from antinode.outbox.django.models import OutboxLease, PendingEvent, RejectedEvent
from tests.outbox import contract

call_command("migrate", verbosity=0)
database = DjangoDatabase()
database.check()
for check in contract.CHECKS:
    check(database, lambda rows: PendingEvent.objects.bulk_create(
        PendingEvent(stream=stream, body=body, logged_at=1_700_000_000_000) for stream, body in rows))
    for model in (OutboxLease, PendingEvent, RejectedEvent):
        model.objects.all().delete()
    print(check.__name__)
call_command("migrate", "antinode_outbox", "zero", verbosity=0)
try:
    database.check()
except Exception as error:
    print(type(error).__name__.endswith("Error"))
database.close()
"""


@pytest.mark.parametrize("check", contract.CHECKS)
def test_sqlalchemy(check: Callable[..., None], engine: Engine, outbox: Outbox) -> None:
    """On the tables that `Outbox` makes."""
    database = SqlalchemyDatabase(engine, outbox.tables)
    database.check()

    def write(rows: Sequence[tuple[int, str]]) -> None:
        with engine.begin() as connection:
            written = [{"stream": s, "body": body, "logged_at": 1_700_000_000_000} for s, body in rows]
            connection.execute(outbox.tables.events.insert(), written)

    check(database, write)


def test_keys_are_forgotten_by_their_age(engine: Engine, outbox: Outbox) -> None:
    """The oldest may stay for the next time."""
    database = SqlalchemyDatabase(engine, outbox.tables)
    with engine.begin() as connection:
        for number in range(4):
            assert add(connection, outbox.tables.once, {"insert_id": str(number), "logged_at": number})
        assert not add(connection, outbox.tables.once, {"insert_id": "3", "logged_at": 9})
    assert [database.forget_keys(3, 2) for _ in range(3)] == [2, 1, 0]
    assert database.forget_keys(4, 2) == 1


@pytest.mark.parametrize("engine_name", ["sqlite3", "postgresql"])
def test_django(request: pytest.FixtureRequest, tmp_path: Path, engine_name: str) -> None:
    """On the tables of its migration, which runs forwards and back."""
    home = request.getfixturevalue("postgres") if engine_name == "postgresql" else None
    more = site.environment(engine_name, "http://127.0.0.1:9/2/httpapi", home, tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM],
        env={**os.environ, **more}, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [*(check.__name__ for check in contract.CHECKS), "True"]


def test_mysql_has_words_for_all_of_it() -> None:
    """Compiled by MySQL's dialect; it is MariaDB that there is a server of, in `test_mariadb`."""
    dialect = mysql.dialect()
    events, once, _, leases = Outbox().tables
    read = reading(events, reach=9, shards=[1, 2], without=[3]).limit(5)
    texts = {
        str(statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})).replace("\n", "")
        for statement in (
            insert_new("mysql", once),
            looking("mysql", events),
            read,
            leases.select().with_for_update(skip_locked=True),
        )
        if statement is not None
    }
    assert any(text.startswith("INSERT IGNORE INTO antinode_outbox_once") for text in texts)
    assert any("antinode_outbox.stream %% %s IN (1, 2)" in text and "NOT IN (3)" in text for text in texts)
    assert any(text.endswith("FOR UPDATE SKIP LOCKED") for text in texts)
    assert "UNIX_TIMESTAMP" in str(clock("mysql"))
