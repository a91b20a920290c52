"""`antinode relay serve`: its options, and what they are made into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from antinode.cli.relay.kafka_options import kafka_options, read_kafka
from antinode.cli.relay.listening import front_settings, listening_options, logging_options, needs_server
from antinode.cli.relay.options import config_option, read_projects


@click.command(short_help="Take events from any SDK, and keep them in Kafka.")
@kafka_options
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many partitions the topic must have, or must have had before it grew: with another number the "
    "front does not start.",
)
@config_option
@listening_options
@logging_options
def serve(
    bootstrap: str,
    topic: str,
    group: str,
    kafka_config: Path | None,
    allow_small_cluster: bool,
    partitions: int | None,
    config: Path | None,
    log_level: str,
    is_json: bool,
    **listening: Any,
) -> None:
    """Take events from any Amplitude SDK, and keep them in Kafka, from where `relay deliver` delivers them.

    A request is answered 200 once all copies in sync have its events, and 503 if they have not: the client
    sends it again. Any number of fronts may run. It ends with SIGTERM or Ctrl-C, after it has answered what
    is under way.

    The exit code is 0 after SIGTERM or Ctrl-C, 1 if it cannot listen or reach Kafka, 2 if something is not
    configured.

    \b
    Examples:
      antinode relay serve --kafka kafka-1:9092,kafka-2:9092 --config relay.toml --host 0.0.0.0
      antinode relay serve --kafka localhost:9092 --allow-small-cluster
    """
    needs_server()
    projects = read_projects(config)
    settings = read_kafka(bootstrap, topic, group, kafka_config, allow_small_cluster, partitions=partitions)
    where = front_settings(**listening)
    from antinode.cli.relay.kafka_options import kafka_errors  # noqa: PLC0415 - not for help and completion
    from antinode.cli.relay.serving import serve_front  # noqa: PLC0415
    from antinode.relay.kafka.following import FollowingIntake  # noqa: PLC0415

    with kafka_errors():
        serve_front(
            where,
            projects,
            FollowingIntake(settings),
            f"events are kept in Kafka, in the topic {topic}",
            log_level=log_level,
            is_json=is_json,
        )
