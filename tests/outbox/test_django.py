"""The outbox of Django: written with the transaction, delivered by its command, in its own test cases."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import sequence
from tests.outbox import site
from tests.outbox.running import until

pytest.importorskip("django")

ROOT = Path(__file__).parents[2]
_PROGRAM = """
import asyncio, io, json, sys, unittest
from contextlib import suppress
import django
django.setup()
import antinode
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase
from antinode.outbox.django import alog_event, log_event, pending_events, status
from antinode.outbox.django.models import OnceKey, PendingEvent
from antinode.testing import capture

call_command("migrate", verbosity=0)
call_command("makemigrations", "antinode_outbox", check=True, dry_run=True, verbosity=0)

def event(name, user="user-1", **more):
    return {"event_type": name, "user_id": user, **more}

class Odd(Exception):
    pass

def names():
    return [each["event_type"] for each in pending_events()]

class Writing(TransactionTestCase):
    available_apps = ["antinode.outbox.django"]

    def test_exactly_what_commits_is_written(self):
        log_event(event("by itself"), once="order-1")
        with transaction.atomic(durable=True):
            log_event(event("committed"))
            with suppress(Odd), transaction.atomic():
                log_event(event("savepoint rolled back"), once="order-2")
                raise Odd
        with suppress(Odd), transaction.atomic():
            log_event(event("rolled back"), once="order-3")
            raise Odd
        with transaction.atomic():
            log_event(event("marked for rollback"))
            transaction.set_rollback(True)
        asyncio.run(alog_event(event("asynchronous")))
        self.assertEqual(names(), ["by itself", "committed", "asynchronous"])
        self.assertEqual(OnceKey.objects.count(), 1)

    def test_once_is_once(self):
        self.assertTrue(log_event(event("Paid"), once="order-1"))
        PendingEvent.objects.all().delete()
        with transaction.atomic():
            self.assertFalse(log_event(event("Paid"), once="order-1"))
            self.assertTrue(log_event(event("Shipped"), once="order-1"))
        self.assertEqual(names(), ["Shipped"])

    def test_a_refused_event_writes_no_row(self):
        with self.assertLogs("antinode", "WARNING") as logs:
            self.assertFalse(log_event({"user_id": "user-1"}, once="order-1"))
            antinode.flush(120)
        self.assertIn("`event_type` is missing", logs.output[0])
        self.assertEqual((names(), OnceKey.objects.count()), ([], 0))
        with self.assertRaises(antinode.ConfigurationError):
            log_event(event("lost"), client=antinode.Client("unready"))

    def test_it_is_the_event_of_the_call(self):
        with antinode.context(user_id="user-7", event_properties={"page": "cart"}):
            log_event({"event_type": "Ordered"})
        (seen,) = pending_events()
        self.assertEqual((seen["user_id"], seen["event_properties"]), ("user-7", {"page": "cart"}))
        self.assertEqual(status().waiting, 1)

class InATest(TestCase):
    def test_rows_are_there_until_it_ends(self):
        log_event(event("of a test"))
        with suppress(Odd), transaction.atomic():
            log_event(event("gone"))
            raise Odd
        self.assertEqual(names(), ["of a test"])

    def test_nothing_is_left_of_another_one(self):
        self.assertEqual(names(), [])

suite = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, (Writing, InATest)))
assert unittest.TextTestRunner(sys.stderr).run(suite).wasSuccessful()

out = io.StringIO()
def outbox(*words):
    out.seek(0), out.truncate()
    call_command("antinode_outbox", *words, stdout=out)
    return out.getvalue()

def middleware(payload, next):
    payload.event["event_properties"]["seen"] = payload.event["event_properties"].get("seen", 0) + 1
    next(payload)

antinode.get_instance().add_event_middleware(middleware)
with transaction.atomic():
    for seq in range(20):
        log_event(event("Tick", event_properties={"seq": seq}))
    log_event(event("Tick", "bad-user", event_properties={"seq": 0}))
assert json.loads(outbox("status", "--json"))["waiting"] == 21
assert outbox("status").startswith("waiting 21, the oldest for "), out.getvalue()
assert outbox("deliver", "--until-empty") == "delivered 20, rejected 1\\n", out.getvalue()
assert outbox("status") == "waiting 0; dead 1\\n", out.getvalue()
assert outbox("retry") == "waiting again: 1\\n"
with suppress(CommandError):
    outbox("deliver", "--until-empty", "--timeout", "0")
    raise SystemExit("it said nothing of what is left")
call_command("migrate", "antinode_outbox", "zero", verbosity=0)
assert "antinode_outbox" not in connection.introspection.table_names()
call_command("migrate", verbosity=0)
assert outbox("status") == "waiting 0; dead 0\\n"
call_command("migrate", "antinode_outbox", "zero", verbosity=0)
connection.close()
"""


def environment(request: pytest.FixtureRequest, engine: str, url: str, directory: Path) -> dict[str, str]:
    home = request.getfixturevalue("postgres") if engine == "postgresql" else None
    return {**os.environ, **site.environment(engine, url, home, directory)}


@pytest.mark.parametrize("engine", ["sqlite3", "postgresql"])
def test_it_is_written_with_the_transaction_and_delivered(
    request: pytest.FixtureRequest, endpoint: Endpoint, tmp_path: Path, engine: str
) -> None:
    """In Django's own test cases; middleware runs once, and the migrations run forwards and back."""
    endpoint.answer = faults.invalid({"user_id": "bad-user"}, field="user_id")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM],
        env=environment(request, engine, endpoint.url, tmp_path), cwd=ROOT,
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sequence(endpoint.events) == list(range(20))
    assert all(each["event_properties"]["seen"] == 1 for each in endpoint.events)


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
def test_an_application_and_its_deliverer(
    request: pytest.FixtureRequest, endpoint: Endpoint, tmp_path: Path
) -> None:
    """The example application places orders; its deliverer sends them, until SIGTERM."""
    more = {
        **os.environ,
        "EXAMPLE_DATABASE": str(tmp_path / "shop.sqlite"),
        "ANTINODE_SERVER_URL": endpoint.url,
        "AMPLITUDE_API_KEY": site.ANTINODE["api_key"],
    }
    manage: Any = [sys.executable, ROOT / "examples" / "django_outbox.py"]

    def run(*words: str) -> str:
        return subprocess.run(
            [*manage, *words], env=more, capture_output=True, text=True, timeout=60, check=True
        ).stdout

    run("migrate", "--verbosity", "0")
    deliverer = subprocess.Popen(
        [*manage, "antinode_outbox", "deliver"], env=more, stdout=subprocess.PIPE, text=True
    )
    try:
        assert run("order", "book", "book", "nothing").splitlines() == [
            "order 1: placed",
            "order 2: placed",
            "nothing: not to be had, and nothing is written of it",
        ]
        endpoint.wait_for(2, timeout=30)
        with closing(sqlite3.connect(more["EXAMPLE_DATABASE"])) as connection:
            until(lambda: connection.execute("SELECT count(*) FROM antinode_outbox").fetchone() == (0,))
        deliverer.send_signal(signal.SIGTERM)
        assert deliverer.communicate(timeout=120)[0] == "delivered 2, rejected 0\n"
        assert deliverer.returncode == 0
    finally:
        deliverer.kill()
        deliverer.communicate()
    assert [each["event_properties"] for each in endpoint.events] == [{"order": 1}, {"order": 2}]
