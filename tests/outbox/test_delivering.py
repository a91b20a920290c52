"""Deliverers on real databases: in order, each event once, whatever happens to them."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from antinode import Client
from antinode.outbox.sqlalchemy import Outbox
from antinode.testing import Answer, Endpoint, faults
from tests.lifecycle.driver import sequence, start
from tests.outbox.running import command, deliver_all, deliverer, delivering, until, waiting, write


def test_what_waits_is_delivered_and_deleted(engine: Engine, outbox: Outbox, endpoint: Endpoint) -> None:
    """As it was written, to the last field, in its order; then the outbox is empty."""
    write(engine, outbox, *["user-1", "user-2"] * 300, seq=0, ip="192.0.2.1")
    with engine.connect() as connection:
        written = outbox.pending_events(connection)
    report = deliver_all(engine, outbox, endpoint.url)
    assert (report.delivered, report.is_empty) == (600, True)
    assert sorted(endpoint.received, key=lambda each: each["insert_id"]) == sorted(
        written, key=lambda each: each["insert_id"]
    )
    assert endpoint.out_of_order() == []
    assert waiting(engine, outbox) == 0
    with engine.connect() as connection:
        assert outbox.status(connection).deliverers == {}


def test_a_transaction_that_commits_late_is_not_overtaken(
    postgres_url: str, client: Client, endpoint: Endpoint
) -> None:
    """Nor lost: its rows have lower ids than what has come meanwhile."""
    engine, outbox = create_engine(postgres_url), Outbox(client, table="late")
    outbox.create_tables(engine)
    made = deliverer(engine, outbox, endpoint.url)
    with Session(engine) as late:
        outbox.log_event(late, {"event_type": "Tick", "user_id": "user-1", "event_properties": {"seq": 0}})
        # It is younger than the one that commits first, as it has written nothing before.
        write(engine, outbox, "user-1", seq=1)
        with delivering(made):
            until(lambda: made._queue._horizon.is_waiting)
            write(engine, outbox, "user-1", seq=2)
            assert endpoint.events == []
            late.commit()
            endpoint.wait_for(3, timeout=30)
    assert sequence(endpoint.events) == [0, 1, 2]
    outbox.drop_tables(engine)
    engine.dispose()


def test_a_transaction_that_stays_open_holds_nothing_up_for_long(
    postgres_url: str, client: Client, endpoint: Endpoint
) -> None:
    """After `patience` the others go on; what it commits in the end is delivered all the same."""
    engine, outbox = create_engine(postgres_url), Outbox(client, table="patient")
    outbox.create_tables(engine)
    with Session(engine) as late, delivering(deliverer(engine, outbox, endpoint.url, patience=0.2)):
        outbox.log_event(late, {"event_type": "Late", "user_id": "user-1"})
        write(engine, outbox, "user-2")
        endpoint.wait_for(1, timeout=30)
        late.commit()
        endpoint.wait_for(2, timeout=30)
    assert [each["event_type"] for each in endpoint.events] == ["Tick", "Late"]
    outbox.drop_tables(engine)
    engine.dispose()


def test_two_deliverers_share_and_send_each_event_once(
    engine: Engine, outbox: Outbox, endpoint: Endpoint
) -> None:
    """While applications write, and the second comes in the midst of it."""
    users = [f"user-{number}" for number in range(40)]

    def fill(start: int) -> None:
        for round_ in range(start, start + 10):
            with engine.begin() as connection:
                for user in users:
                    event: Any = {"event_type": "Tick", "user_id": user, "event_properties": {"seq": round_}}
                    outbox.log_event(connection, event)

    first, second = (deliverer(engine, outbox, endpoint.url, lease=3) for _ in range(2))
    with delivering(first):
        fill(0)
        endpoint.wait_for(400, timeout=30)
        with delivering(second):
            until(lambda: len(second._queue._shards) == len(first._queue._shards) == 32)
            fill(10)
            endpoint.wait_for(800, timeout=30)
    assert (endpoint.duplicates(), endpoint.out_of_order()) == ([], [])
    assert len(endpoint.events) == 800
    assert second.report.delivered > 50
    assert first.report.delivered + second.report.delivered == 800
    assert waiting(engine, outbox) == 0


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_an_outage_is_waited_out(engine: Engine, outbox: Outbox, endpoint: Endpoint) -> None:
    """Nothing is lost, and all of it goes on in order."""
    endpoint.script([Answer(500), faults.drop_after(), Answer(503)])
    write(engine, outbox, *["user-1"] * 30, seq=0)
    report = deliver_all(engine, outbox, endpoint.url)
    assert report.delivered == 30
    assert sequence(endpoint.events) == list(range(30))
    assert waiting(engine, outbox) == 0


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_throttled_user_waits_alone(engine: Engine, outbox: Outbox, endpoint: Endpoint) -> None:
    """However many of its events are in front of the others'; at the end they are in the outbox still."""
    endpoint.answer = faults.throttle(users=["throttled"])
    write(engine, outbox, *["throttled"] * 500)
    write(engine, outbox, *[f"user-{number}" for number in range(200)])
    with delivering(deliverer(engine, outbox, endpoint.url, drain=0)) as made:
        # With no time to drain, what is answered after the end is in the outbox still.
        until(lambda: waiting(engine, outbox) == 500)
    assert {each["user_id"] for each in endpoint.events} == {f"user-{number}" for number in range(200)}
    assert made.report.delivered == 200
    assert waiting(engine, outbox) == 500


def test_what_is_rejected_is_dead_with_the_reason(engine: Engine, outbox: Outbox, endpoint: Endpoint) -> None:
    """It costs no other event, and may be tried again once the cause is gone."""
    endpoint.answer = faults.invalid({"user_id": "bad-user"}, field="user_id")
    write(engine, outbox, "user-1", "bad-user", "user-2")
    with engine.begin() as connection:
        for body in ("no JSON", "[1]"):
            connection.execute(outbox.tables.events.insert(), {"stream": 5, "body": body, "logged_at": 1})
    report = deliver_all(engine, outbox, endpoint.url)
    assert (report.delivered, report.rejected, report.is_empty) == (2, 3, True)
    with engine.connect() as connection:
        dead = connection.execute(outbox.tables.dead.select()).all()
    assert sorted(each.reason for each in dead) == ["refused", "unreadable", "unreadable"]
    (bad,) = (each for each in dead if each.code)
    assert (bad.code, "user_id" in bad.message) == (400, True)
    endpoint.answer = None
    made = deliverer(engine, outbox, endpoint.url)
    assert made._database.revive(10) == 3
    made.run(lambda: False, until_empty=True)
    assert sorted(each["user_id"] for each in endpoint.events) == ["bad-user", "user-1", "user-2"]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_wrong_key_keeps_everything(engine: Engine, outbox: Outbox, endpoint: Endpoint) -> None:
    """It is told, and nothing is deleted: also not what stands in front of others of its user."""
    endpoint.answer = faults.invalid_api_key()
    write(engine, outbox, *["user-1"] * 5, seq=0)
    report = deliver_all(engine, outbox, endpoint.url)
    assert (report.delivered, report.is_faulted, report.is_empty) == (0, True, False)
    assert waiting(engine, outbox) == 5
    endpoint.answer = None
    deliver_all(engine, outbox, endpoint.url)
    assert sequence(endpoint.events) == list(range(5))


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_consent_is_asked_for_when_an_event_leaves(
    engine: Engine, outbox: Outbox, endpoint: Endpoint
) -> None:
    """What a user has withdrawn meanwhile is deleted unsent."""
    write(engine, outbox, "user-1", "withdrawn")
    report = deliver_all(
        engine, outbox, endpoint.url, consent=lambda user_id, device_id: user_id != "withdrawn"
    )
    assert (report.delivered, report.withheld, report.rejected) == (1, 1, 0)
    assert [each["user_id"] for each in endpoint.events] == ["user-1"]
    assert waiting(engine, outbox) == 0


def test_a_database_that_goes_away_is_tried_again(
    postgres_url: str, client: Client, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """The deliverer goes on with new connections; nothing is sent under another insert_id."""
    engine, outbox = create_engine(postgres_url), Outbox(client, table="away")
    outbox.create_tables(engine)
    arrived = threading.Event()
    go_on = threading.Event()

    def hold(arrival: Any) -> None:
        arrived.set()
        assert go_on.wait(120)

    endpoint.answer = hold
    with caplog.at_level(logging.WARNING), delivering(deliverer(engine, outbox, endpoint.url)):
        write(engine, outbox, *["user-1"] * 10, seq=0)
        assert arrived.wait(120)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            connection.execute(text(kill + "AND backend_type = 'client backend'"))
        until(lambda: "does not answer" in caplog.text)
        go_on.set()
        until(lambda: waiting(engine, outbox) == 0)
        write(engine, outbox, "user-1", seq=10)
        endpoint.wait_for(11, timeout=30)
    assert sequence(endpoint.events) == list(range(11))
    assert len(endpoint.events) == len(endpoint.received)
    outbox.drop_tables(engine)
    engine.dispose()


def test_tables_that_are_not_there_are_told_at_once(postgres_url: str, endpoint: Endpoint) -> None:
    """And not tried again and again."""
    engine = create_engine(postgres_url)
    with pytest.raises(Exception, match="nowhere"):
        deliver_all(engine, Outbox(table="nowhere"), endpoint.url)
    engine.dispose()


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_deliverer_that_is_killed_loses_nothing(
    url: str, engine: Engine, outbox: Outbox, endpoint: Endpoint
) -> None:
    """Its requests may have been taken: the next one repeats them, under the same ids and in order."""
    endpoint.script([faults.hang(store=True)])
    write(engine, outbox, *["user-1", "user-2"] * 50, seq=0)
    with command(url, endpoint.url, "--lease", "1") as process:
        endpoint.wait_for(1, timeout=30)
        process.kill()
    assert waiting(engine, outbox) == 100
    report = deliver_all(engine, outbox, endpoint.url, lease=1)
    assert report.delivered == 100
    assert len(endpoint.events) == 100
    assert len(endpoint.received) > 100
    assert endpoint.out_of_order() == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_sigterm_sends_what_is_in_hand_and_gives_the_rest_away(
    url: str, engine: Engine, outbox: Outbox, endpoint: Endpoint
) -> None:
    """The next one need not wait for a lease to expire."""
    write(engine, outbox, *["user-1"] * 20, seq=0)
    endpoint.answer = faults.delay(0.3)
    with command(url, endpoint.url, "--lease", "600", "--json") as process:
        endpoint.wait_for(1, timeout=30)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert '"delivered":20,' in output
    assert waiting(engine, outbox) == 0
    write(engine, outbox, "user-1", seq=20)
    assert deliver_all(engine, outbox, endpoint.url, lease=600).delivered == 1
    assert sequence(endpoint.events) == list(range(21))
    assert endpoint.duplicates() == []


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_an_application_that_is_killed_has_written_what_it_has_committed(
    url: str, engine: Engine, outbox: Outbox, endpoint: Endpoint
) -> None:
    """Killed between the row and the commit it has written nothing, killed right behind the commit all."""
    process = start(
        f"""
        import antinode, os, signal
        from sqlalchemy import create_engine
        from sqlalchemy.orm import Session
        from antinode.outbox.sqlalchemy import Outbox

        antinode.init(KEY)
        outbox = Outbox()
        with Session(create_engine({url!r})) as session:
            outbox.log_event(session, event(0), once="order-1")
            session.commit()
            outbox.log_event(session, event(1), once="order-2")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert waiting(engine, outbox) == 1
    with engine.begin() as connection:
        again: Any = {"event_type": "Tick", "user_id": "user-1", "event_properties": {"seq": 1}}
        assert outbox.log_event(connection, again, once="order-2")
    deliver_all(engine, outbox, endpoint.url)
    assert sequence(endpoint.events) == [0, 1]
