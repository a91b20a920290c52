"""Prometheus: a client's books as metrics, read whenever they are scraped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

from antinode import Client
from antinode.integrations._measures import MEASURES, Measure, books

__all__ = ["StatsCollector", "register"]

_UNITS: Final = {"By": "bytes", "s": "seconds"}


class StatsCollector(Collector):
    """What `Client.stats()` says, for a registry of prometheus_client; nothing is kept between scrapes.

    `clients` are the ones to tell of; None: every instance of the process that is initialised. The label
    `client` has the instance's name, "default" for the default one.
    """

    def __init__(self, clients: Iterable[Client] | None = None) -> None:
        self._clients = None if clients is None else tuple(clients)

    def collect(self) -> Iterator[Metric]:
        """The metrics of this instant."""
        found = books(self._clients)
        for measure in MEASURES:
            family = _family(measure)
            for name, stats in found:
                for value, labels in measure.points(stats):
                    family.add_metric([name, *labels.values()], value)
            yield family

    def describe(self) -> list[Metric]:
        """The metrics without values."""
        return [_family(measure) for measure in MEASURES]


def register(
    registry: CollectorRegistry = REGISTRY, clients: Iterable[Client] | None = None
) -> StatsCollector:
    """Add a `StatsCollector` to a registry, by default to that of prometheus_client, and return it.

    Raises ValueError if there is one in it already.
    """
    collector = StatsCollector(clients)
    registry.register(collector)
    return collector


def _family(measure: Measure) -> CounterMetricFamily | GaugeMetricFamily:
    name = "antinode_" + measure.name.replace(".", "_")
    unit = _UNITS.get(measure.unit, "")
    make = CounterMetricFamily if measure.is_counter else GaugeMetricFamily
    if unit:
        name = f"{name}_{unit}"
    labels = _LABELS.get(measure.name, ())
    return make(name, measure.description, labels=["client", *labels])


_LABELS: Final = {"events.settled": ("outcome", "reason"), "events.pending": ("state",)}
