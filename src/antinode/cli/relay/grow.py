"""`antinode relay grow`: its options, and what it says of its steps."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from antinode.cli.relay.kafka_options import kafka_errors, kafka_options, read_kafka, replication_option


@click.command(short_help="Give a relay on Kafka more partitions, while it runs.")
@kafka_options
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    required=True,
    metavar="N",
    help="How many it is to have: more than now.",
)
@replication_option
@click.option(
    "--despite-parked",
    is_flag=True,
    help="Grow although events of throttled users are parked: the new topic waits until they are delivered.",
)
def grow(
    bootstrap: str,
    topic: str,
    group: str,
    kafka_config: Path | None,
    allow_small_cluster: bool,
    partitions: int,
    replication: int,
    despite_parked: bool,
) -> None:
    """Give a relay more partitions, by a new topic beside the one that it has. Fronts and workers go on.

    The new topic is made, the old one is sealed, and once no broker takes records of that any more, the new
    one is opened. In between, for some seconds, fronts answer 503, and clients repeat. Workers deliver the
    old topic to its end, and then the new one, so that each user's events stay in order.

    If it ends early, fronts may be without a topic to write to: call it again, and it goes on where it was.
    The exit code is 0 if the topic has as many partitions, 1 if Kafka did not do it, 2 if it cannot be.

    \b
    Examples:
      antinode relay grow --kafka kafka-1:9092 --partitions 96
    """
    from antinode.cli.ui import console  # noqa: PLC0415 - not for help and completion
    from antinode.relay.kafka.growing import grow as grow_topic  # noqa: PLC0415

    settings = read_kafka(bootstrap, topic, group, kafka_config, allow_small_cluster)
    out = console.out()
    with kafka_errors():
        grown = grow_topic(
            settings,
            partitions,
            replication,
            lambda step: out.print(f"{step}.", soft_wrap=True),
            despite_parked=despite_parked,
        )
    out.print(f"Events are kept in {grown.topic}, which has {grown.partitions} partitions.", soft_wrap=True)
    if grown.number > 1:
        out.print(
            "Workers deliver it once the topic before it is drained.",
            soft_wrap=True,
        )
