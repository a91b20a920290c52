"""The outbox on a real MariaDB, by SQLAlchemy."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import create_engine, delete

from antinode import Client
from antinode.outbox.sqlalchemy import Outbox
from antinode.outbox.sqlalchemy._store import SqlalchemyDatabase
from antinode.testing import Endpoint
from tests.integrations.databases import mariadb
from tests.outbox import contract
from tests.outbox.running import deliver_all, waiting, write

pytest.importorskip("pymysql")


@pytest.mark.slow
def test_everything_on_mariadb(client: Client, endpoint: Endpoint) -> None:
    """The contract of databases; what is rolled back is not written, `once=` once; the rest is delivered.

    One test, since the server takes seconds to start.
    """
    with mariadb() as socket:
        engine = create_engine(f"mariadb+pymysql://root@/antinode?unix_socket={socket}")
        outbox = Outbox(client)
        outbox.create_tables(engine)
        database = SqlalchemyDatabase(engine, outbox.tables)
        database.check()

        def insert(rows: Sequence[tuple[int, str]]) -> None:
            with engine.begin() as connection:
                given = [{"stream": s, "body": body, "logged_at": 1_700_000_000_000} for s, body in rows]
                connection.execute(outbox.tables.events.insert(), given)

        for check in contract.CHECKS:
            check(database, insert)
            with engine.begin() as connection:
                for table in outbox.tables:
                    connection.execute(delete(table))

        with engine.connect() as connection, connection.begin() as transaction:
            outbox.log_event(connection, {"event_type": "Undone", "user_id": "user-20391"})
            transaction.rollback()
        for is_first in (True, False):
            with engine.begin() as connection:
                event = {"event_type": "Order \U0001f600", "user_id": "user-20391"}
                assert outbox.log_event(connection, event, once="order-1") is is_first  # type: ignore[arg-type]
        write(engine, outbox, *(f"user-{number % 7}0000" for number in range(500)), seq=0)
        assert waiting(engine, outbox) == 501
        assert deliver_all(engine, outbox, endpoint.url).delivered == 501
        assert waiting(engine, outbox) == 0
        sent = [each["event_properties"]["seq"] for each in endpoint.events if each["event_type"] == "Tick"]
        by_user = [[seq for seq in sent if seq % 7 == user] for user in range(7)]
        assert by_user == [sorted(each) for each in by_user]
        assert len(set(sent)) == 500
        assert [each["event_type"] for each in endpoint.events if each["event_type"] != "Tick"] == [
            "Order \U0001f600"
        ]
        engine.dispose()
