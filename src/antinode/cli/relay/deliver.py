"""`antinode relay deliver`: its options, and a worker in the foreground."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from antinode.cli.relay.kafka_options import kafka_errors, kafka_options, read_kafka
from antinode.cli.relay.listening import logging_options
from antinode.cli.relay.options import projects_options, read_projects

if TYPE_CHECKING:
    from antinode.relay.figures import DeliveryFigures
    from antinode.relay.kafka.worker import KafkaWorker

_log = logging.getLogger("antinode")

_TELL_SECONDS: Final = 60.0


@click.command(short_help="Deliver the events that are kept in Kafka.")
@kafka_options
@click.option(
    "--instance",
    metavar="NAME",
    envvar="ANTINODE_RELAY_INSTANCE",
    help="A name that this worker has again after a restart, so that its partitions wait for it. "
    "Also: ANTINODE_RELAY_INSTANCE.",
)
@projects_options
@click.option(
    "--connections",
    type=click.IntRange(min=1, max=1000),
    metavar="N",
    help="Uploads of a project that may run at once. Default: 4.",
)
@logging_options
def deliver(
    bootstrap: str,
    topic: str,
    group: str,
    kafka_config: Path | None,
    allow_small_cluster: bool,
    instance: str | None,
    config: Path | None,
    local: bool,
    server_url: str | None,
    zone: str | None,
    connections: int | None,
    log_level: str,
    is_json: bool,
) -> None:
    """Deliver the events that `relay serve` has kept in Kafka, each user's in order.

    Any number of workers share the partitions. One that ends with SIGTERM or Ctrl-C waits for what is under
    way and commits; one that is killed is followed by another, and Amplitude knows by its insert_id what it
    is sent twice. Once a minute it logs how far it is.

    The exit code is 0 after SIGTERM or Ctrl-C, 1 if Kafka ended it, 2 if something is not configured.

    \b
    Examples:
      antinode relay deliver --kafka kafka-1:9092,kafka-2:9092 --config relay.toml --instance "$HOSTNAME"
      antinode relay deliver --kafka localhost:9092 --allow-small-cluster --local
    """
    import signal  # noqa: PLC0415 - not for help and completion

    from antinode.cli.relay.logs import set_up_logging  # noqa: PLC0415
    from antinode.cli.ui.errors import Failed  # noqa: PLC0415
    from antinode.relay.kafka.holdings import WrongPartitions  # noqa: PLC0415
    from antinode.relay.kafka.worker import KafkaWorker  # noqa: PLC0415

    projects = read_projects(config, local=local, server_url=server_url, zone=zone)
    settings = read_kafka(bootstrap, topic, group, kafka_config, allow_small_cluster, instance=instance)
    set_up_logging(log_level, is_json=is_json)
    with kafka_errors():
        worker = KafkaWorker(settings, projects, {} if connections is None else {"connections": connections})
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: worker.stop())
        with _telling(worker):
            try:
                worker.run()
            except WrongPartitions as error:
                raise Failed(str(error)) from None


@contextmanager
def _telling(worker: KafkaWorker) -> Iterator[None]:
    """Log how far the worker is, from time to time, while this lasts."""
    is_over = threading.Event()

    def tell() -> None:
        while not is_over.wait(_TELL_SECONDS):
            partitions = worker.partitions()
            _log.info(
                "antinode relay: %d partitions, %d events under way, %d parked of %d streams; %s",
                len(partitions),
                sum(each.lag for each in partitions),
                sum(each.parked for each in partitions),
                sum(each.lanes for each in partitions),
                "; ".join(f"{name}: {_told(each)}" for name, each in worker.figures().items()),
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
        f"{figures.delivered} delivered, {figures.rejected} rejected, {figures.dropped} dropped, "
        f"{figures.throttled} throttled{uploads}"
    )
