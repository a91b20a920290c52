"""What the front counts of its requests."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

from antinode.relay.projects import Project

KEEP_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the times that it takes to keep a request's events; one bucket more is beyond them."""


class Meter:
    """Counts since the front was started. It belongs to the event loop's thread."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        """Requests by path and status."""
        self.events: Counter[str] = Counter()
        """Events that were kept, by the project's name."""
        self.bytes: Counter[str] = Counter()
        """Bytes of their bodies."""
        self.keeps = [0] * (len(KEEP_BUCKETS_S) + 1)
        """Requests whose events were kept, by how long that took."""
        self.keep_seconds = 0.0

    def kept(self, project: Project, events: int, size: int, seconds: float) -> None:
        """Count a request whose events were kept."""
        self.events[project.name] += events
        self.bytes[project.name] += size
        self.keeps[bisect_left(KEEP_BUCKETS_S, seconds)] += 1
        self.keep_seconds += seconds
