"""The relay's metrics, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from antinode.relay.figures import DeliveryFigures
from antinode.relay.front.meter import KEEP_BUCKETS_S, Meter
from antinode.relay.prometheus import histogram, metric

_DELIVERY: Final[tuple[tuple[str, str, Callable[[DeliveryFigures], float]], ...]] = (
    ("pending_events", "Events that are kept and have not ended.", lambda each: each.pending),
    ("pending_bytes", "Bytes of these events.", lambda each: each.pending_bytes),
    (
        "unread_files",
        "Files of ended relays that are not read yet, whose events are pending too.",
        lambda each: each.unread_files,
    ),
    ("delivered_events_total", "Events that Amplitude has taken.", lambda each: each.delivered),
    (
        "rejected_events_total",
        "Events that Amplitude has refused for what they are.",
        lambda each: each.rejected,
    ),
    ("dropped_events_total", "Events that were given up.", lambda each: each.dropped),
    (
        "throttled_streams",
        "Users and devices that wait since they are throttled.",
        lambda each: each.throttled,
    ),
    ("oldest_event_age_seconds", "Age of the oldest pending event.", lambda each: each.oldest_age_s),
    ("reachable", "1 while uploads go on, 0 while they are paused.", lambda each: each.is_reachable),
)


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


def delivery_metrics(figures: Mapping[str, DeliveryFigures]) -> str:
    """How delivery stands, by project."""
    return "".join(
        metric(
            f"antinode_relay_{name}",
            "counter" if name.endswith("_total") else "gauge",
            what,
            [({"project": project}, float(read(each))) for project, each in sorted(figures.items())],
        )
        for name, what, read in _DELIVERY
    )
