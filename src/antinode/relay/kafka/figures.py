"""How far a worker is with its partitions, in figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from antinode.relay.kafka.tenure import Tenure


class PartitionFigures(msgspec.Struct, frozen=True):
    """How far a worker is with one partition."""

    partition: int
    lag: int
    """Events that were read, from the first one on that has not ended."""
    parked: int
    """Events in the parked topic, as far as they are known."""
    lanes: int
    """Streams that are parked."""


def partition_figures(tenure: Tenure) -> PartitionFigures:
    """How far a worker is with a partition."""
    lanes = tenure.parked.lanes if tenure.parked is not None else None
    return PartitionFigures(
        partition=tenure.partition,
        lag=tenure.watermark.lag,
        parked=0 if lanes is None else lanes.pending,
        lanes=0 if lanes is None else len(lanes),
    )
