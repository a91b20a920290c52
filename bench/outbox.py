"""What the outbox costs: a row in the application's transaction, and its delivery.

    python bench/outbox.py                       SQLAlchemy and Django, on SQLite and PostgreSQL
    python bench/outbox.py --rows 5000

A row is compared with the same row inserted by the same library and nothing else; delivery with reading and
deleting the same rows, a thousand at a time. CPU is of the process that is measured, in microseconds: what
the database's own process spends is in the times alone. PostgreSQL is started as the tests start it; where
it is not installed, SQLite alone is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.suite.sink_process import SinkProcess  # noqa: E402 - of the folder above
from workload import KEY, event, rows  # noqa: E402 - the same

ROUNDS = 15
BULK, BULK_ROUNDS = 10, 3
"""Delivery has so many times the rows: whoever delivers asks for its share first."""
STACKS = ("SQLAlchemy", "Django")


class Figures:
    """Microseconds per row: of wall-clock time, and of this process's CPU."""

    def __init__(self, of: Callable[[], object], count: int) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        of()
        self.cpu = (time.process_time() - cpu) / count * 1e6
        self.wall = (time.perf_counter() - wall) / count * 1e6


def with_sqlalchemy(url: str) -> dict[str, Any]:
    """What writes, delivers, and does both barely."""
    from sqlalchemy import create_engine, delete, select  # noqa: PLC0415 - only this run's

    from antinode.outbox.sqlalchemy import Outbox  # noqa: PLC0415
    from antinode.outbox.sqlalchemy._store import SqlalchemyDatabase  # noqa: PLC0415

    engine, outbox = create_engine(url), Outbox()
    outbox.drop_tables(engine)
    outbox.create_tables(engine)
    events = outbox.tables.events

    @contextmanager
    def transaction() -> Iterator[Any]:
        with engine.begin() as connection:
            yield connection

    def take_away(limit: int) -> int:
        with engine.begin() as connection:
            found = connection.execute(select(events).order_by(events.c.id).limit(limit)).all()
            connection.execute(delete(events).where(events.c.id.in_([row.id for row in found])))
            return len(found)

    return {
        "transaction": transaction,
        "bare": lambda connection, row: connection.execute(events.insert().inline(), row),
        "log": outbox.log_event,
        "take away": take_away,
        "database": lambda: SqlalchemyDatabase(create_engine(url), outbox.tables),
        "end": lambda: outbox.drop_tables(engine),
    }


def with_django(url: str) -> dict[str, Any]:
    """The same."""
    import django  # noqa: PLC0415 - only this run's
    from django.conf import settings  # noqa: PLC0415

    name, _, place = url.partition("://")
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": place.removeprefix("/")}
    if not name.startswith("sqlite"):
        host = place.partition("host=")[2]
        database = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres"}
        database["HOST"] = host
    settings.configure(
        DATABASES={"default": database}, INSTALLED_APPS=["antinode.outbox.django"], USE_TZ=True
    )
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import transaction  # noqa: PLC0415

    from antinode.outbox.django import log_event  # noqa: PLC0415
    from antinode.outbox.django._store import DjangoDatabase  # noqa: PLC0415
    from antinode.outbox.django.models import PendingEvent  # noqa: PLC0415

    call_command("migrate", verbosity=0)

    def take_away(limit: int) -> int:
        with transaction.atomic():
            found = list(PendingEvent.objects.order_by("id")[:limit])
            PendingEvent.objects.filter(id__in=[row.pk for row in found]).delete()
            return len(found)

    return {
        "transaction": transaction.atomic,
        "bare": lambda _, row: PendingEvent(**row).save(force_insert=True),
        "log": lambda _, event: log_event(event),
        "take away": take_away,
        "database": lambda: DjangoDatabase(None),
        "end": lambda: None,
    }


def measure(stack: str, url: str, count: int, server_url: str) -> dict[str, float]:
    """One library on one database, in this process: medians, of ratios those of runs that took turns."""
    import antinode  # noqa: PLC0415 - only this run's
    from antinode.outbox._deliverer import Deliverer, client_maker  # noqa: PLC0415
    from antinode.outbox._writing import written  # noqa: PLC0415

    does = (with_sqlalchemy if stack == "SQLAlchemy" else with_django)(url)
    antinode.init(KEY, server_url=server_url)
    given: list[Any] = [event(row, at) for at, row in enumerate(rows(count))]
    ready = [written(each, client=None, once=None) for each in given]
    bodies = [each.row for each in ready if each is not None]

    def write(what: str, of: list[Any]) -> None:
        with does["transaction"]() as held:
            for each in of:
                does[what](held, each)

    def take_all_away() -> None:
        while does["take away"](1_000):
            pass

    def deliver() -> None:
        made = Deliverer(does["database"](), client_maker(KEY, {"server_url": server_url}))
        delivered = made.run(lambda: False, until_empty=True).delivered
        if delivered != count * BULK:
            raise SystemExit(f"{delivered:,} rows were delivered, not {count * BULK:,}")

    found: dict[str, list[float]] = {}

    def note(**figures: float) -> None:
        for name, figure in figures.items():
            found.setdefault(name.replace("_", " "), []).append(figure)

    for _ in range(ROUNDS):
        bare = Figures(lambda: write("bare", bodies), count)
        take_all_away()
        row = Figures(lambda: write("log", given), count)
        take_all_away()
        note(CPU_of_a_row_to_a_bare_one=row.cpu / bare.cpu, time_of_a_row_to_a_bare_one=row.wall / bare.wall)
        note(CPU_of_a_bare_row=bare.cpu, CPU_of_a_row=row.cpu)
    for _ in range(BULK_ROUNDS):
        for what in (take_all_away, deliver):
            for _ in range(BULK):
                write("bare", bodies)
            figures = Figures(what, count * BULK)
            if what is take_all_away:
                bare = figures
        note(CPU_of_delivery_to_reading_and_deleting=figures.cpu / bare.cpu)
        note(CPU_of_delivering_a_row=figures.cpu, rows_delivered_a_second=1e6 / figures.wall)
    does["end"]()
    return {name: statistics.median(values) for name, values in found.items()}


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """URLs of SQLAlchemy's."""
    from tests.integrations.databases import postgresql  # noqa: PLC0415 - it needs the tests' folder

    with tempfile.TemporaryDirectory() as folder:
        found = {"SQLite": f"sqlite:///{folder}/database"}
        try:
            with postgresql() as home:
                yield {**found, "PostgreSQL": f"postgresql+psycopg://postgres@/postgres?host={home}"}
        except BaseException as error:
            if type(error).__name__ not in ("Skipped", "Failed"):
                raise
            sys.stderr.write(f"PostgreSQL is left out: {error}\n")
            yield found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000, help="rows of a transaction, and of a round")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        stack, url, server_url = given.measure
        sys.stdout.write(json.dumps(measure(stack, url, given.rows, server_url)) + "\n")
        sys.stdout.flush()
        os._exit(0)
    results: dict[str, dict[str, float]] = {}
    with databases() as found, SinkProcess() as sink:
        for database, url in found.items():
            for stack in STACKS:
                command = [sys.executable, __file__, "--rows", str(given.rows)]
                command += ["--measure", stack, url, f"{sink.url}/2/httpapi"]
                output = subprocess.check_output(command, text=True)  # noqa: S603 - our own
                results[f"{stack}, {database}"] = json.loads(output)
    names = list(next(iter(results.values())))
    sys.stdout.write(" | ".join(["", *results]) + "\n")
    for name in names:
        figures = [each[name] for each in results.values()]
        sys.stdout.write(
            " | ".join([name, *(f"{each:,.{0 if each >= 100 else 2}f}" for each in figures)]) + "\n"
        )


if __name__ == "__main__":
    main()
