"""`antinode relay topics`: its options, and the topics that it makes."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from antinode.cli.relay.kafka_options import kafka_errors, kafka_options, read_kafka, replication_option


@click.command(short_help="Make the topics of a relay on Kafka, or check them.")
@kafka_options
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    default=48,
    show_default=True,
    metavar="N",
    help="Of each topic that is made. `antinode relay grow` is the way to more.",
)
@replication_option
def topics(
    bootstrap: str,
    topic: str,
    group: str,
    kafka_config: Path | None,
    allow_small_cluster: bool,
    partitions: int,
    replication: int,
) -> None:
    """Make those of the three topics of a relay that do not exist, and check that all are as they must be.

    After `antinode relay grow` it is the newest three.

    The exit code is 0 if they are, 1 if Kafka does not answer, 2 if something about them is wrong.

    \b
    Examples:
      antinode relay topics --kafka kafka-1:9092 --partitions 96
      antinode relay topics --kafka localhost:9092 --replication 1 --allow-small-cluster
    """
    from antinode.cli.ui import console  # noqa: PLC0415 - not for help and completion
    from antinode.relay.kafka.generations import find_generations  # noqa: PLC0415
    from antinode.relay.kafka.inspection import Inspector  # noqa: PLC0415
    from antinode.relay.kafka.topics import check_topics, make_topics  # noqa: PLC0415

    settings = read_kafka(bootstrap, topic, group, kafka_config, allow_small_cluster)
    with kafka_errors():
        generations = find_generations(settings, Inspector(settings))
        settings = generations[-1].settings if generations else settings
        made = make_topics(settings, generations[-1].partitions if generations else partitions, replication)
        found = check_topics(settings)
    out = console.out()
    out.print(f"Made: {', '.join(made)}." if made else "All topics were there.", soft_wrap=True)
    out.print(f"{settings.topic} has {found} partitions, and is as it must be.", soft_wrap=True)
