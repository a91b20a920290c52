"""`antinode relay size`: its options, and what it prints."""

from __future__ import annotations

import rich_click as click

# So that help and completion need not load the relay; a test compares them.
_FRONT_EVENTS = 60_000
_WORKER_EVENTS = 100_000
_EVENT_BYTES = 500


@click.command(short_help="Compute fronts, workers and partitions for a load.")
@click.option(
    "--events-per-second",
    "rate",
    type=click.FloatRange(min=1),
    required=True,
    metavar="N",
    help="Of the busiest hour.",
)
@click.option(
    "--event-bytes",
    type=click.IntRange(min=1),
    default=_EVENT_BYTES,
    show_default=True,
    metavar="N",
    help="Of an event's JSON, on the average.",
)
@click.option(
    "--outage-hours",
    type=click.FloatRange(min=0, max=144),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="For how long Amplitude may be away. Events are delivered for six days.",
)
@click.option(
    "--replication",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Copies of each partition.",
)
@click.option(
    "--front-events",
    type=click.FloatRange(min=1),
    default=_FRONT_EVENTS,
    show_default=True,
    metavar="N",
    help="Events a second that a front takes on one of your cores.",
)
@click.option(
    "--worker-events",
    type=click.FloatRange(min=1),
    default=_WORKER_EVENTS,
    show_default=True,
    metavar="N",
    help="Events a second that a worker delivers on one of your cores.",
)
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
def size(
    rate: float,
    event_bytes: int,
    outage_hours: float,
    replication: int,
    front_events: float,
    worker_events: float,
    is_json: bool,
) -> None:
    """Say how many fronts, workers and partitions a relay on Kafka needs for a load, and what Kafka takes.

    Each front and each worker has a core of its own. There is half as much again of fronts, for bursts, twice
    of workers, to catch up after an outage, and two of each at least. Measure your own figures with
    `make bench-relay` and `bench/relay_kafka.py`.

    \b
    Examples:
      antinode relay size --events-per-second 100000
      antinode relay size --events-per-second 1e6 --event-bytes 800 --json
    """
    from antinode.cli.ui import console  # noqa: PLC0415 - not for help and completion
    from antinode.cli.ui.output import unread_is_fine, write_json  # noqa: PLC0415 - as above
    from antinode.relay.sizing import Load, size_for  # noqa: PLC0415 - as above

    load = Load(
        events_per_second=rate, event_bytes=event_bytes, replication=replication, outage_hours=outage_hours
    )
    found = size_for(load, front_events=front_events, worker_events=worker_events)
    with unread_is_fine():
        if is_json:
            write_json(found)
            return
        out = console.out()
        for value, what in (
            (f"{found.fronts:,}", "fronts, each with a core"),
            (f"{found.workers:,}", "workers, each with a core"),
            (f"{found.partitions:,}", "partitions"),
            (f"{found.ingress_mb_per_second:,.1f} MB/s", "of JSON come to the fronts, before gzip"),
            (f"{found.kafka_mb_per_second:,.1f} MB/s", "are written by all brokers together"),
            (f"{found.disk_gb:,.0f} GB", f"on all disks together, for {outage_hours:g} h without Amplitude"),
        ):
            out.print(f"{value:>12}  {what}", soft_wrap=True)
