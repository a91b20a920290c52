"""The flights as typed events, each value written by its name, as an application writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.suite.workloads import Spec

import antinode

A_FLIGHT = [1_357_034_400_000, "UA", 1545, "N14228", "EWR", "IAH", 2, 227, 1400]
"""A row as `workloads.flights` takes it."""


class FlightDeparted(antinode.TypedEvent):
    """A flight of New York's, as `antinode codegen` would declare it."""

    row: int
    carrier: str
    flight: int
    origin: str
    destination: str
    departure_delay: int | None
    air_time: int | None
    distance: int


def typed_maker(spec: Spec) -> Callable[[int], FlightDeparted]:
    """As `workloads.maker`, of a workload of flights."""
    return typed_flights(json.loads(Path(spec["rows"]).read_text("utf-8")))


def typed_flights(rows: list[list[Any]]) -> Callable[[int], FlightDeparted]:
    """As `workloads.flights`: the same events from the same rows."""
    count = len(rows)

    def make(i: int) -> FlightDeparted:
        at, carrier, flight, tail, origin, destination, delay, air_time, distance = rows[i % count]
        return FlightDeparted(
            user_id=tail,
            time=at,
            insert_id=f"flight-{i}",
            row=i,
            carrier=carrier,
            flight=flight,
            origin=origin,
            destination=destination,
            departure_delay=delay,
            air_time=air_time,
            distance=distance,
        )

    return make
