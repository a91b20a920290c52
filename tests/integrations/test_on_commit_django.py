"""`log_on_commit` of Django, on SQLite and on PostgreSQL: what commits is logged, and nothing else."""

from __future__ import annotations

import pytest

from antinode.testing import Endpoint
from tests.lifecycle.driver import run

pytest.importorskip("django")

_PROGRAM = """
import antinode, django, logging, unittest
from contextlib import suppress
from django.conf import settings

database = {database!r}
settings.configure(
    DATABASES={{"default": database, "other": database}},
    INSTALLED_APPS=["antinode.integrations.django"],
    ANTINODE={{"api_key": KEY, "server_url": URL, "upload_interval_in_sec": 600, "strict": True}},
    LOGGING_CONFIG=None,
)
django.setup()
logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.ERROR)

from django.db import IntegrityError, connection, connections, transaction
from django.test import TestCase
from antinode.integrations.django import log_on_commit

for table in {tables!r}:
    connection.cursor().execute(table)

class Odd(Exception):
    pass

def note(name, **options):
    log_on_commit({{"event_type": name, "user_id": "user-1"}}, **options)

def seen():
    report = antinode.get_instance().stats()
    return report.accepted

note("outside of a transaction")
say("at once", seen())

with transaction.atomic(durable=True):
    note("committed")
    say("before the commit", seen())
say("after the commit", seen())

with suppress(Odd), transaction.atomic():
    note("rolled back")
    raise Odd

with transaction.atomic():
    note("outer")
    with suppress(Odd), transaction.atomic():
        note("savepoint rolled back")
        with transaction.atomic():
            note("released inside of it")
        raise Odd
    with transaction.atomic():
        note("savepoint released")

with transaction.atomic():
    note("marked for rollback")
    transaction.set_rollback(True)

with transaction.atomic(using="other"), suppress(Odd), transaction.atomic():
    note("of the other database", using="other")
    note("of this database")
    raise Odd

with suppress(IntegrityError), transaction.atomic():
    connection.cursor().execute("INSERT INTO child VALUES (404)")
    note("refused at the commit")

ran = []
with transaction.atomic():
    log_on_commit({{"user_id": "user-1"}})
    log_on_commit(None)
    transaction.on_commit(lambda: ran.append(True))
say("others ran", ran)

event = {{"event_type": "of the call", "event_properties": {{"items": [1]}}}}
with antinode.context(user_id="user-7", event_properties={{"page": "cart"}}), transaction.atomic():
    log_on_commit(event, once="order-1")
    event["event_properties"]["items"].append(2)
    antinode.add_context(ip="192.0.2.1")
    called = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == called:
        pass
say("called by", called)

class InATest(TestCase):
    def test_held(self):
        note("of a test")

    def test_captured(self):
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            note("captured in a test")
        self.assertEqual(len(callbacks), 1)

suite = unittest.defaultTestLoader.loadTestsFromTestCase(InATest)
say("tests", unittest.TextTestRunner(sys.stdout).run(suite).wasSuccessful())
for table in ("child", "parent"):
    connection.cursor().execute("DROP TABLE " + table)
connections.close_all()
"""
_TABLES = (
    "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
    "CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
)


@pytest.mark.parametrize("engine", ["sqlite3", "postgresql"])
def test_exactly_what_commits_is_logged(
    endpoint: Endpoint, request: pytest.FixtureRequest, tmp_path: str, engine: str
) -> None:
    """At the commit, with the values, the time and the context of the call; a fault costs no other hook."""
    database = {"ENGINE": f"django.db.backends.{engine}", "NAME": f"{tmp_path}/database"}
    if engine == "postgresql":
        home = str(request.getfixturevalue("postgres"))
        database.update(NAME="postgres", USER="postgres", HOST=home)
    ended = run(_PROGRAM.format(database=database, tables=_TABLES), endpoint.url, timeout=60)
    assert ended.status == 0, ended
    said = dict(line.rsplit(" ", 1) for line in ended.lines if " " in line)
    assert (said["at once"], said["before the commit"], said["after the commit"]) == ("1", "1", "2")
    assert (said["others ran"], said["tests"]) == ("[True]", "True"), ended
    assert ended.output.count("could not be logged at its commit") == 2, ended
    assert [each["event_type"] for each in endpoint.events] == [
        "outside of a transaction",
        "committed",
        "outer",
        "savepoint released",
        "of the other database",
        "of the call",
        "captured in a test",
    ]
    (of_the_call,) = (each for each in endpoint.events if each["event_type"] == "of the call")
    assert of_the_call["user_id"] == "user-7"
    assert of_the_call["event_properties"] == {"page": "cart", "items": [1]}
    assert "ip" not in of_the_call
    assert of_the_call["time"] <= int(said["called by"])
