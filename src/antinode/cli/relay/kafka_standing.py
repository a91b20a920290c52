"""How a relay on Kafka stands, printed: partition by partition."""

from __future__ import annotations

from collections.abc import Sequence

from antinode._protocol.words import counted
from antinode.cli.relay.standing import print_table
from antinode.cli.ui import console
from antinode.cli.ui.output import unread_is_fine, write_json
from antinode.cli.ui.words import lapse
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.standing import PartitionStanding, kafka_standing


def print_kafka(settings: KafkaSettings, *, is_json: bool) -> bool:
    """Print how the relay stands. Returns whether each partition has a worker.

    Raises `ConfigurationError` if there is no topic, and `KafkaTrouble`.
    """
    found = kafka_standing(settings)
    why = _why_not(found)
    with unread_is_fine():
        if is_json:
            write_json({"type": "partitions", "is_ready": not why, "why": why, "delivery": found})
        else:
            _print(found, why)
    return not why


def _why_not(found: Sequence[PartitionStanding]) -> str:
    """Why the relay does not deliver all that it keeps; "" if it does.

    What is in a later topic has its turn when the one before is drained.
    """
    alone = [each.partition for each in found if each.topic == found[0].topic and each.worker is None]
    if not alone:
        return ""
    count = sum(each.topic == found[0].topic for each in found)
    if len(alone) == count:
        return "there is no worker"
    return f"no worker has {counted(len(alone), 'partition')} of {count}: {', '.join(map(str, alone))}"


def _print(found: Sequence[PartitionStanding], why: str) -> None:
    out = console.out()
    for topic in dict.fromkeys(each.topic for each in found):
        its = [each for each in found if each.topic == topic]
        out.print(topic, style="bold", soft_wrap=True)
        print_table(
            (
                "PARTITION",
                "RECORDS BEHIND",
                "OLDEST",
                "UNDER WAY",
                "THROTTLED",
                "PARKED",
                "STREAMS PARKED",
                "WORKER",
            ),
            [_row(each) for each in its],
        )
        out.print()
    workers = len({each.worker for each in found} - {None})
    parts = [
        f"{counted(sum(each.behind for each in found), 'record')} behind",
        f"{counted(sum(each.throttled + each.parked_streams for each in found), 'stream')} throttled",
        f"{counted(sum(each.parked for each in found), 'event')} parked",
        counted(workers, "worker"),
    ]
    ages = [each.oldest_age_s for each in found if each.oldest_age_s is not None]
    if ages:
        parts.insert(1, f"the oldest of {lapse(max(ages))} ago")
    out.print(", ".join(parts) + ".", soft_wrap=True)
    if why:
        out.print(f"Not all is delivered: {why}.", style="red", soft_wrap=True)


def _row(each: PartitionStanding) -> tuple[str, ...]:
    return (
        str(each.partition),
        f"{each.behind:,}",
        "" if each.oldest_age_s is None else lapse(each.oldest_age_s),
        f"{each.under_way:,}",
        f"{each.throttled:,}",
        f"{each.parked:,}",
        f"{each.parked_streams:,}",
        "nobody" if each.worker is None else console.printable(each.worker, 24),
    )
