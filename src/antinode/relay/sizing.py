"""How many fronts, workers and partitions a load takes, from what was measured on one core."""

from __future__ import annotations

from math import ceil
from typing import Final

import msgspec

FRONT_EVENTS_PER_CORE: Final = 60_000
"""Events a second that a front takes on a core and has kept in Kafka, in requests of hundreds with gzip."""
WORKER_EVENTS_PER_CORE: Final = 100_000
"""Events a second that a worker delivers on a core, from dozens of partitions, with TLS and gzip."""
CATCH_UP: Final = 2.0
"""Workers that can do this many times the load clear an hour of outage in another hour."""
FRONT_HEADROOM: Final = 1.5
"""Fronts cannot put a burst off."""
PARTITIONS_PER_WORKER: Final = 4
"""So that they are shared out evenly when workers are added or missing."""
FEWEST_PARTITIONS: Final = 12
_PARTITION_STEP: Final = 12
"""Numbers of partitions are multiples of it, which 2, 3, 4, 6 and 12 workers share evenly."""
_FEWEST: Final = 2
"""Of everything there are two, since one may fail."""
EVENT_BYTES: Final = 500
_COMPRESSION: Final = 3.0
"""How many times smaller records are in Kafka by their LZ4: JSON of events with much in common."""
_DAYS: Final = 7
_DAY_SECONDS: Final = 86_400


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to carry."""

    events_per_second: float
    """At the busiest hour."""
    event_bytes: int = EVENT_BYTES
    """Of JSON, on the average."""
    replication: int = 3
    outage_hours: float = 24.0
    """For how long Amplitude may be away; the topics keep events for seven days at most."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes, each front and worker with a core of its own."""

    fronts: int
    workers: int
    partitions: int
    ingress_mb_per_second: float
    """Megabytes of JSON a second that come to the fronts, before gzip."""
    kafka_mb_per_second: float
    """Megabytes a second that all brokers write together, copies included."""
    disk_gb: float
    """Gigabytes on all brokers together, copies included, for the outage."""


def size_for(
    load: Load,
    *,
    front_events: float = FRONT_EVENTS_PER_CORE,
    worker_events: float = WORKER_EVENTS_PER_CORE,
) -> Size:
    """The fronts, workers and partitions for a load, by what one core does in a second."""
    rate = load.events_per_second
    workers = max(_FEWEST, ceil(rate * CATCH_UP / worker_events))
    partitions = max(FEWEST_PARTITIONS, workers * PARTITIONS_PER_WORKER)
    incoming = rate * load.event_bytes
    written = incoming * load.replication / _COMPRESSION
    seconds = min(load.outage_hours * 3600, _DAYS * _DAY_SECONDS)
    return Size(
        fronts=max(_FEWEST, ceil(rate * FRONT_HEADROOM / front_events)),
        workers=workers,
        partitions=ceil(partitions / _PARTITION_STEP) * _PARTITION_STEP,
        ingress_mb_per_second=incoming / 1e6,
        kafka_mb_per_second=written / 1e6,
        disk_gb=written * seconds / 1e9,
    )
