"""What a worker says of itself: its health, its figures by project and by partition."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from antinode.relay.delivery_metrics import delivery_metrics
from antinode.relay.figures import DeliveryFigures
from antinode.relay.kafka.figures import PartitionFigures
from antinode.relay.kafka.worker import KafkaWorker
from antinode.relay.projects import Projects
from antinode.relay.prometheus import metric

LONGEST_ROUND_SECONDS: Final = 300.0
"""A worker that has not looked for news for so long is out of its group already."""

_PARTITIONS: Final[tuple[tuple[str, str, Callable[[PartitionFigures], float]], ...]] = (
    (
        "partition_lag_events",
        "Events that were read, from the first one on that has not ended.",
        lambda each: each.lag,
    ),
    ("parked_events", "Events of throttled streams that wait in the parked topic.", lambda each: each.parked),
    ("parked_streams", "Throttled streams that wait in the parked topic.", lambda each: each.lanes),
)


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker stands: the answer of `/status`."""

    is_ready: bool
    why: str
    """Why it is not ready."""
    topic: str
    fingerprints: dict[str, str]
    """Of the projects' keys, by the projects' names."""
    delivery: dict[str, DeliveryFigures]
    partitions: Sequence[PartitionFigures]
    buffered_bytes: int
    """Of events that are fetched and not given to delivery."""


class WorkerReport:
    """A worker as it is reported on, for any thread."""

    def __init__(
        self,
        worker: Callable[[], KafkaWorker],
        projects: Projects,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`worker` is asked for the one that works at the moment; `clock` is that worker's."""
        self._worker = worker
        self._projects = projects
        self._clock = clock

    def why_unhealthy(self) -> str:
        """Why it is to be restarted: it has not looked for news for minutes."""
        worker = self._worker()
        at = worker.went_round_at
        if not worker.is_running or at is None:
            return ""
        seconds = self._clock() - at
        return f"it has not looked for news for {seconds:.0f} s" if seconds > LONGEST_ROUND_SECONDS else ""

    def why_not_ready(self) -> str:
        """Why it delivers nothing at present; "" for a worker with its partitions, and for a spare one."""
        worker = self._worker()
        if worker.is_stopping:
            return "it is ending"
        if not worker.is_running:
            return "it does not run"
        return "" if worker.has_joined else "it is not in its group yet"

    def status(self) -> WorkerStatus:
        """How it stands."""
        why, worker = self.why_not_ready(), self._worker()
        return WorkerStatus(
            is_ready=not why,
            why=why,
            topic=worker.topic,
            fingerprints={each.name: each.fingerprint for each in self._projects},
            delivery=dict(worker.figures()),
            partitions=worker.partitions(),
            buffered_bytes=worker.buffered_bytes,
        )

    def metrics(self) -> str:
        """Its figures in Prometheus' text format."""
        status = self.status()
        return "".join(
            (
                metric("antinode_relay_ready", "gauge", "1 while it delivers.", [({}, status.is_ready)]),
                metric(
                    "antinode_relay_buffered_bytes",
                    "gauge",
                    "Bytes of events that are fetched and wait for delivery.",
                    [({}, status.buffered_bytes)],
                ),
                *(
                    metric(
                        f"antinode_relay_{name}",
                        "gauge",
                        what,
                        [({"partition": str(each.partition)}, read(each)) for each in status.partitions],
                    )
                    for name, what, read in _PARTITIONS
                ),
                delivery_metrics(status.delivery),
            )
        )
