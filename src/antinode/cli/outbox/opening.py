"""Which database an outbox is in: the options, and how it is opened."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar

import rich_click as click

from antinode.cli.ui.errors import Failed, NotSetUp

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from antinode.outbox.sqlalchemy import Outbox
    from antinode.outbox.sqlalchemy._store import SqlalchemyDatabase

_Command = TypeVar("_Command", bound=Callable[..., Any])
_OPTIONS: Final = (
    click.option(
        "--database",
        envvar="ANTINODE_OUTBOX_DATABASE",
        metavar="URL",
        help="SQLAlchemy's URL of the database. Better set ANTINODE_OUTBOX_DATABASE: it may hold a password.",
    ),
    click.option(
        "--table",
        default="antinode_outbox",
        show_default=True,
        metavar="NAME",
        help="The table of events; the names of the others begin with it.",
    ),
    click.option("--schema", metavar="NAME", help="The schema that the tables are in."),
)


def database_options() -> Callable[[_Command], _Command]:
    """Give a command the options of `open_outbox`."""

    def add(command: _Command) -> _Command:
        for option in reversed(_OPTIONS):
            command = option(command)
        return command

    return add


def open_outbox(database: str | None, table: str, schema: str | None) -> tuple[Engine, Outbox]:
    """The engine and the tables. Raises NotSetUp and click.UsageError where there can be none."""
    if not database:
        raise NotSetUp(
            "there is no database: set ANTINODE_OUTBOX_DATABASE to its URL, such as "
            "postgresql+psycopg://user@host/name, or give --database"
        )
    try:
        from sqlalchemy import create_engine  # noqa: PLC0415 - not for help and completion
        from sqlalchemy.engine import make_url  # noqa: PLC0415
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

        from antinode.outbox.sqlalchemy import Outbox  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("sqlalchemy"):
            raise
        raise NotSetUp('SQLAlchemy is not installed: pip install "antinode[outbox]"') from None
    try:
        url = make_url(database.replace("postgres://", "postgresql://", 1))
        if url.drivername == "postgresql" and find_spec("psycopg2") is None:
            url = url.set(drivername="postgresql+psycopg")
        # A connection is tested before each use: a database may restart at any time.
        engine = create_engine(url, pool_size=1, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise NotSetUp(f"the driver of the database is not installed: pip install {error.name}") from None
    except ArgumentError:
        # The message of SQLAlchemy would show the URL, which may hold a password.
        raise click.UsageError(
            "--database is not a URL of SQLAlchemy's: write postgresql+psycopg://user@host/name, or "
            "sqlite:////path/of/the/file"
        ) from None
    if engine.dialect.is_async:
        raise click.UsageError(
            f"--database names an asynchronous driver, {url.drivername}: write another, such as "
            "postgresql+psycopg or sqlite"
        )
    return engine, Outbox(table=table, schema=schema)


def open_database(database: str | None, table: str, schema: str | None) -> SqlalchemyDatabase:
    """What a deliverer needs of it. Raises also Failed for a database that cannot be reached."""
    engine, outbox = open_outbox(database, table, schema)
    from sqlalchemy import inspect  # noqa: PLC0415 - not for help and completion

    from antinode.outbox.sqlalchemy._store import SqlalchemyDatabase  # noqa: PLC0415

    with database_errors():
        if not inspect(engine).has_table(table, schema=schema):
            raise NotSetUp(
                f"there is no table {table!r} in this database: run the application's migrations, or "
                "`antinode outbox create`"
            )
    return SqlalchemyDatabase(engine, outbox.tables)


@contextlib.contextmanager
def database_errors() -> Iterator[None]:
    """Turn what a database says within the block into a failure of the command."""
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError  # noqa: PLC0415 - as above

    try:
        yield
    except DBAPIError as error:
        said = " ".join(str(error.orig).split())
        raise Failed(f"the database says: {said:.300}") from None
    except SQLAlchemyError as error:
        raise Failed(f"the database cannot be used: {type(error).__name__}") from None
