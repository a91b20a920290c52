"""The metrics of delivery, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from antinode.relay.figures import DeliveryFigures
from antinode.relay.prometheus import metric

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
