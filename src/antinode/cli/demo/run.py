"""The clickstream on its way, and the accidents it meets."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import antinode
    import antinode.server
    from antinode.cli.demo.clickstream import Event

LOGGING_TIME: Final = 25.0
"""Seconds over which the events are spread, unless all is to be fast."""
DEADLINE: Final = 120.0
"""Seconds after which the demo stops waiting and shows what is missing."""
REFRESH: Final = 0.25

ACCIDENTS: Final = {
    0.10: "500",
    0.20: "drop-before",
    0.30: "drop-after",
    0.40: "503",
    0.50: "413:events=10",
    0.60: "500-after",
    0.70: "down:2s",
    0.85: "delay:1s",
}
"""Each happens once, when so much of the clickstream has been logged; logged fast, some fall together."""
BAD_LUCK: Final = ("500@1%", "503@0.5%", "drop-before@1%", "drop-after@1%")
"""And these, at random, all the time."""


class Waits:
    """How long each user's slowest event took from its logging to its delivery, and who still waits."""

    # Guarded by _lock, since deliveries settle on the sender's threads.

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.slowest: defaultdict[str, float] = defaultdict(float)
        self.pending: Counter[str] = Counter()

    def watch(self, user: str, delivery: antinode.Delivery) -> None:
        """Start the clock of one event; its delivery stops it."""
        started = time.monotonic()
        with self._lock:
            self.pending[user] += 1

        def settled(_: object) -> None:
            with self._lock:
                self.pending[user] -= 1
                self.slowest[user] = max(self.slowest[user], time.monotonic() - started)

        delivery.add_done_callback(settled)


@dataclass(frozen=True)
class DemoProgress:
    """One look at the client's books and at the server's."""

    elapsed: float
    total: int
    stats: antinode.Stats
    answers: dict[str, int]
    throttled: str | None
    held: int
    """Events of the throttled user that are not delivered yet."""

    @property
    def answers_text(self) -> str:
        """What the server answered, the frequent first."""
        named = ((("connection cut" if name == "0" else name), count) for name, count in self.answers.items())
        return " · ".join(f"{name}: {count:,}" for name, count in named) or "none yet"


class Run:
    """The clickstream on its way: a client, the server, and what is known of both."""

    def __init__(
        self,
        events: list[Event],
        amplitude: antinode.server.Running,
        client: antinode.Client,
        throttled: str | None,
        accidents: Mapping[float, str],
    ) -> None:
        self.events = events
        self.waits = Waits()
        self._amplitude, self._client, self._throttled = amplitude, client, throttled
        self._accidents = {int(share * len(events)): fault for share, fault in accidents.items()}
        self._started = time.monotonic()

    def steps(self, duration: float) -> Iterator[DemoProgress]:
        """Log every event, spread over `duration` seconds, wait for the last, and look up now and then."""
        looked = self._started
        for number, event in enumerate(self.events):
            due = self._started + duration * number / len(self.events)
            while (now := time.monotonic()) < due or now - looked > REFRESH:
                if now - looked > REFRESH:
                    looked = now
                    yield self.progress()
                time.sleep(max(0.0, min(due - time.monotonic(), REFRESH)))
            if number in self._accidents:
                self._amplitude.api.add_faults(self._accidents[number])
            self.waits.watch(event["user_id"], self._client.log_event(event))
        while self._client.flush(timeout=REFRESH).pending and time.monotonic() < self._started + DEADLINE:
            yield self.progress()
        yield self.progress()

    def progress(self) -> DemoProgress:
        """The progress of the demo so far."""
        return DemoProgress(
            elapsed=time.monotonic() - self._started,
            total=len(self.events),
            stats=self._client.stats(),
            answers={each.name: each.count for each in self._amplitude.api.stats().statuses},
            throttled=self._throttled,
            held=self.waits.pending[self._throttled] if self._throttled else 0,
        )
