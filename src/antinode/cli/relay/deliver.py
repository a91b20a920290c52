"""`antinode relay deliver`: its options, and a worker in the foreground."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from antinode.cli.relay.kafka_options import kafka_options, read_kafka
from antinode.cli.relay.listening import address_options, logging_options, needs_server
from antinode.cli.relay.options import projects_options, read_projects


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
@address_options(8401, "ANTINODE_RELAY_WORKER", " with what it says of itself")
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
    host: str,
    port: int,
    log_level: str,
    is_json: bool,
) -> None:
    """Deliver the events that `relay serve` has kept in Kafka, each user's in order.

    Any number of workers share the partitions. One that ends with SIGTERM or Ctrl-C waits for what is under
    way and commits; one that is killed is followed by another, and Amplitude knows by its insert_id what it
    is sent twice. Once a minute it logs how far it is; /healthz, /readyz, /metrics and /status on its port
    say so at any time.

    The exit code is 0 after SIGTERM or Ctrl-C, 1 if it cannot listen or Kafka ended it, 2 if something is not
    configured.

    \b
    Examples:
      antinode relay deliver --kafka kafka-1:9092,kafka-2:9092 --config relay.toml --instance "$HOSTNAME"
      antinode relay deliver --kafka localhost:9092 --allow-small-cluster --local
    """
    needs_server()
    from antinode.cli.relay.delivering import run_worker  # noqa: PLC0415 - not for help and completion

    run_worker(
        read_kafka(bootstrap, topic, group, kafka_config, allow_small_cluster, instance=instance),
        read_projects(config, local=local, server_url=server_url, zone=zone),
        {} if connections is None else {"connections": connections},
        host=host,
        port=port,
        log_level=log_level,
        is_json=is_json,
    )
