"""What is measured, a module each: `run` measures it, `SECTIONS` lay out its figures as tables."""

from __future__ import annotations

from types import ModuleType

from bench.suite.measures import (
    arrival,
    delivery,
    growth,
    hot,
    latency,
    leaving,
    memory,
    pace,
    parts,
    start,
    threads,
    variants,
)

MEASURES: dict[str, ModuleType] = {
    "variants": variants,
    "parts": parts,
    "delivery": delivery,
    "pace": pace,
    "threads": threads,
    "hot": hot,
    "memory": memory,
    "start": start,
    "exit": leaving,
    "arrival": arrival,
    "latency": latency,
    "growth": growth,
}
"""In the order in which they run and are shown, production first. `growth` has tables of its own kind."""
