"""`manage.py antinode_outbox`: deliver what waits, and say how much it is."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

import antinode
from antinode.outbox._deliverer import (
    DRAIN_SECONDS,
    LEASE_SECONDS,
    PATIENCE_SECONDS,
    Deliverer,
    OutboxReport,
    client_maker,
)
from antinode.outbox.django._store import DjangoDatabase

_REVIVED_AT_ONCE = 500


class Command(BaseCommand):
    """Delivers what `antinode.outbox.django.log_event` has written, with the options of settings.ANTINODE."""

    help = "Deliver the events of antinode's outbox, say how many wait, or have the rejected ones wait again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take one of three words, and what goes with it."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="deliver|status|retry")
        deliver = actions.add_parser("deliver", help="Send what waits, until SIGTERM.")
        deliver.add_argument("--until-empty", action="store_true", help="End when nothing waits any more.")
        deliver.add_argument("--timeout", type=float, metavar="SECONDS", help="End after so long.")
        deliver.add_argument(
            "--lease",
            type=float,
            default=LEASE_SECONDS,
            metavar="SECONDS",
            help="After so long others take over from a process that was killed.",
        )
        deliver.add_argument(
            "--patience",
            type=float,
            default=PATIENCE_SECONDS,
            metavar="SECONDS",
            help="So long events wait for transactions that were open before them.",
        )
        status = actions.add_parser("status", help="Say how many wait, and who delivers.")
        status.add_argument("--json", action="store_true", help="As one JSON object.")
        retry = actions.add_parser("retry", help="Have the rejected wait again.")
        for each in (deliver, status, retry):
            each.add_argument("--database", metavar="ALIAS", help="One of settings.DATABASES.")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        """Do what was asked for."""
        database = DjangoDatabase(options["database"])
        if options["action"] == "deliver":
            self._deliver(database, options)
        elif options["action"] == "status":
            self._tell(database, is_json=options["json"])
        else:
            count = 0
            while moved := database.revive(_REVIVED_AT_ONCE):
                count += moved
            self.stdout.write(f"waiting again: {count:,}")

    def _deliver(self, database: DjangoDatabase, options: dict[str, Any]) -> None:
        given = dict(getattr(settings, "ANTINODE", {}))
        known = {name: given[name] for name in antinode.OptionsDict.__annotations__ if name in given}
        try:
            make_client = client_maker(given.get("api_key"), known)
            deliverer = Deliverer(
                database,
                make_client,
                lease=options["lease"],
                patience=options["patience"],
                drain=DRAIN_SECONDS,
            )
        except antinode.ConfigurationError as error:
            raise CommandError(f"settings.ANTINODE: {error}") from None
        signals = _Signals()
        with signals:
            report = deliverer.run(
                lambda: signals.has_come, until_empty=options["until_empty"], timeout=options["timeout"]
            )
        self.stdout.write(f"delivered {report.delivered:,}, rejected {report.rejected:,}")
        self._check_end(report, is_until_empty=options["until_empty"])

    def _check_end(self, report: OutboxReport, *, is_until_empty: bool) -> None:
        if report.is_faulted:
            raise CommandError("the server refuses the API key or the URL; what waits stays in the outbox")
        if is_until_empty and not report.is_empty:
            raise CommandError("events are left in the outbox; run it again", returncode=1)

    def _tell(self, database: DjangoDatabase, *, is_json: bool) -> None:
        status = database.status()
        if is_json:
            self.stdout.write(msgspec.json.encode(status).decode())
            return
        age = "" if status.oldest_seconds is None else f", the oldest for {status.oldest_seconds:,.0f} s"
        self.stdout.write(f"waiting {status.waiting:,}{age}; dead {status.dead:,}")
        for owner, shards in sorted(status.deliverers.items()):
            self.stdout.write(f"{owner} delivers {shards} of 64 shards")


class _Signals:
    """SIGTERM and Ctrl-C: the first is noted, the next one has its usual effect."""

    def __init__(self) -> None:
        self.has_come = False
        self._usual: dict[int, Any] = {}

    def __enter__(self) -> None:
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._usual[number] = signal.signal(number, self._note)
        except ValueError:
            return  # not on the main thread, as in a test: it has other ways to end

    def _note(self, *_: object) -> None:
        self.has_come = True
        self.__exit__()

    def __exit__(self, *_: object) -> None:
        while self._usual:
            number, usual = self._usual.popitem()
            signal.signal(number, usual)
