"""A worker in the foreground: what it logs and says of itself, and how it ends."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from antinode._protocol.words import counted
from antinode._version import __version__
from antinode.cli.relay.kafka_options import kafka_errors
from antinode.cli.relay.logs import FIGURES, set_up_logging
from antinode.cli.serve.banner import is_loopback
from antinode.cli.ui import console
from antinode.cli.ui.errors import Failed
from antinode.cli.ui.output import unread_is_fine, write_json
from antinode.relay.figures import DeliveryFigures
from antinode.relay.kafka.following import FollowingWorker
from antinode.relay.kafka.holdings import WrongPartitions
from antinode.relay.kafka.report import WorkerReport
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.projects import Projects
from antinode.relay.reporting import reporting

_log = logging.getLogger("antinode.relay")

_TELL_SECONDS: Final = 60.0


def run_worker(
    settings: KafkaSettings,
    projects: Projects,
    options: Mapping[str, Any],
    *,
    host: str,
    port: int,
    log_level: str,
    is_json: bool,
) -> None:
    """Deliver until SIGTERM or Ctrl-C. Raises `Failed`, and `NotSetUp`."""
    set_up_logging(log_level, is_json=is_json)
    if not is_loopback(host):
        _log.warning("on %s everyone who can reach this machine can read the figures", host)
    with kafka_errors():
        worker = FollowingWorker(settings, projects, options)
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: worker.stop())
        report = WorkerReport(lambda: worker.worker, projects)
        try:
            with reporting(report, host, port, _tell_error) as url, _telling(report):
                _announce(url, settings, projects, is_json=is_json)
                worker.run()
        except (OSError, WrongPartitions) as error:
            raise Failed(str(error)) from None
    _log.info("the worker has ended")


def _announce(url: str, settings: KafkaSettings, projects: Projects, *, is_json: bool) -> None:
    with unread_is_fine():
        if is_json:
            write_json({"type": "listening", "url": url, "topic": settings.topic})
            return
        out = console.out()
        names = ", ".join(each.name for each in projects)
        out.print(f"antinode {__version__}: a worker of the relay", soft_wrap=True)
        out.print(f"  delivers  {settings.topic}, as one of {settings.group}", soft_wrap=True)
        out.print(f"  projects  {names}", soft_wrap=True)
        out.print(f"  figures   {url}/status, {url}/metrics", soft_wrap=True)
        out.print("\nSIGTERM or Ctrl-C ends it.\n", style="dim")


@contextmanager
def _telling(report: WorkerReport) -> Iterator[None]:
    """Log how far the worker is, from time to time, while this lasts."""
    is_over = threading.Event()

    def tell() -> None:
        while not is_over.wait(_TELL_SECONDS):
            status = report.status()
            _log.info(
                "%s, %s under way, %s parked of %s; %s",
                counted(len(status.partitions), "partition"),
                counted(sum(each.lag for each in status.partitions), "event"),
                f"{sum(each.parked for each in status.partitions):,}",
                counted(sum(each.lanes for each in status.partitions), "stream"),
                "; ".join(f"{name}: {_told(each)}" for name, each in status.delivery.items()),
                extra={FIGURES: msgspec.to_builtins(status)},
            )

    thread = threading.Thread(target=tell, name="antinode-relay-figures", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _told(figures: DeliveryFigures) -> str:
    uploads = "" if figures.is_reachable else ", uploads are paused"
    return (
        f"{figures.delivered:,} delivered, {figures.rejected:,} rejected, {figures.dropped:,} dropped, "
        f"{figures.throttled:,} throttled{uploads}"
    )


def _tell_error(error: Exception) -> None:
    _log.error("a request could not be answered", exc_info=error)
