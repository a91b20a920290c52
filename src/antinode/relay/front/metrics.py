"""The front's metrics, in Prometheus' text format."""

from __future__ import annotations

from antinode.relay.front.meter import KEEP_BUCKETS_S, Meter
from antinode.relay.prometheus import histogram, metric


def front_metrics(meter: Meter, *, is_ready: bool, waiting: int) -> str:
    """What the front counts. `waiting`: requests whose events are being kept."""
    return "".join(
        (
            metric("antinode_relay_ready", "gauge", "1 while events are taken.", [({}, is_ready)]),
            metric(
                "antinode_relay_requests_total",
                "counter",
                "Requests by path and status.",
                [
                    ({"path": path, "status": str(status)}, count)
                    for (path, status), count in sorted(meter.answers.items())
                ],
            ),
            metric(
                "antinode_relay_kept_events_total",
                "counter",
                "Events that were kept, and answered 200.",
                [({"project": name}, count) for name, count in sorted(meter.events.items())],
            ),
            metric(
                "antinode_relay_kept_bytes_total",
                "counter",
                "Bytes of these events.",
                [({"project": name}, count) for name, count in sorted(meter.bytes.items())],
            ),
            metric(
                "antinode_relay_keeping_requests",
                "gauge",
                "Requests whose events are being kept.",
                [({}, waiting)],
            ),
            histogram(
                "antinode_relay_keep_seconds",
                "How long it took to keep a request's events.",
                KEEP_BUCKETS_S,
                meter.keeps,
                meter.keep_seconds,
            ),
        )
    )
