"""The tables. Those of Django's migration are the same, column by column."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects import mysql


class Tables(NamedTuple):
    """The four tables of an outbox."""

    events: Table
    once: Table
    dead: Table
    leases: Table


def tables_in(metadata: MetaData, name: str, schema: str | None) -> Tables:
    """The tables with names that begin so; those that the metadata has already are taken as they are."""

    def table(suffix: str, *columns: Column[object]) -> Table:
        found = metadata.tables.get(f"{schema}.{name}{suffix}" if schema else f"{name}{suffix}")
        if found is not None:
            return found
        # So that SQLite gives no id twice: an id that is to be deleted must not be another row's by then.
        return Table(f"{name}{suffix}", metadata, *columns, schema=schema, sqlite_autoincrement=True)

    return Tables(
        events=table(
            "",
            _id(),
            Column("stream", BigInteger, nullable=False),
            Column("body", _long_text(), nullable=False),
            Column("logged_at", BigInteger, nullable=False),
        ),
        once=table(
            "_once",
            Column("insert_id", String(64), primary_key=True),
            Column("logged_at", BigInteger, nullable=False, index=True),
        ),
        dead=table(
            "_dead",
            _id(),
            Column("stream", BigInteger, nullable=False),
            Column("body", _long_text(), nullable=False),
            Column("logged_at", BigInteger, nullable=False),
            Column("died_at", BigInteger, nullable=False),
            Column("reason", String(64), nullable=False),
            Column("code", Integer, nullable=False),
            Column("message", Text, nullable=False),
        ),
        leases=table(
            "_lease",
            Column("name", String(64), primary_key=True),
            Column("owner", String(64), nullable=False),
            Column("expires_at", BigInteger, nullable=False),
        ),
    )


def _id() -> Column[object]:
    # SQLite counts only what is called INTEGER.
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column("id", kind, primary_key=True, autoincrement=True)


def _long_text() -> Text:
    return Text().with_variant(mysql.LONGTEXT(), "mysql")
