"""What a client's books say as measurements: the one list that Prometheus and OpenTelemetry are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import antinode
from antinode import Client, Stats

DEFAULT_NAME: Final = "default"
"""What the default instance is called where a name is needed."""

REASONS: Final = {
    "rejected": ("invalid_event", "refused", "too_large", "daily_quota"),
    "dropped": (
        *("queue_full", "expired", "retries_exhausted", "configuration", "middleware_error", "consent"),
        *("forgotten", "out_of_memory", "shutdown"),
    ),
    "skipped": (),
}
"""Why events may not arrive, as docs/delivery.md has it."""

Points = Iterable[tuple[float, Mapping[str, str]]]


class Measure(NamedTuple):
    """One quantity of a client's books."""

    name: str
    """Words joined by dots: `events.settled`."""
    unit: str
    """In UCUM: "By", "s", or what is counted in braces."""
    description: str
    is_counter: bool
    """Whether it only grows, but for a new `init` and a fork."""
    points: Callable[[Stats], Points]


def _one(read: Callable[[Stats], float]) -> Callable[[Stats], Points]:
    return lambda stats: ((read(stats), {}),)


def _settled(stats: Stats) -> Iterator[tuple[float, Mapping[str, str]]]:
    yield stats.delivered, {"outcome": "delivered", "reason": ""}
    if stats.spooled:
        yield stats.spooled, {"outcome": "spooled", "reason": ""}
    for outcome, usual in REASONS.items():
        # Those that have not come, too: whoever watches increases would not see the first of one.
        for reason, count in {**dict.fromkeys(usual, 0), **getattr(stats, outcome)}.items():
            yield count, {"outcome": outcome, "reason": reason}


def _pending(stats: Stats) -> Points:
    return [(getattr(stats, state), {"state": state}) for state in ("queued", "waiting", "in_flight")]


MEASURES: Final = (
    Measure(
        "events.accepted",
        "{event}",
        "Events logged, or taken over from a process that died.",
        True,
        _one(lambda stats: stats.accepted),
    ),
    Measure("events.settled", "{event}", "Events by how they ended, and why.", True, _settled),
    Measure("events.pending", "{event}", "Events that have not ended.", False, _pending),
    Measure(
        "events.on_disk",
        "{event}",
        "Pending events that are in the spool alone.",
        False,
        _one(lambda stats: stats.on_disk),
    ),
    Measure(
        "events.recovered",
        "{event}",
        "Accepted events that another process had left in the spool.",
        True,
        _one(lambda stats: stats.recovered),
    ),
    Measure(
        "events.discrepant",
        "{event}",
        "Events that the answer of a request did not vouch for.",
        True,
        _one(lambda stats: stats.discrepancies),
    ),
    Measure(
        "pending.size",
        "By",
        "Encoded size of all pending events.",
        False,
        _one(lambda stats: stats.pending_bytes),
    ),
    Measure(
        "pending.oldest_age",
        "s",
        "Time since the oldest pending event was logged.",
        False,
        _one(lambda stats: stats.oldest_age),
    ),
    Measure("requests", "{request}", "Requests made.", True, _one(lambda stats: stats.requests)),
    Measure(
        "requests.repeated",
        "{request}",
        "Requests with events that had been sent before.",
        True,
        _one(lambda stats: stats.retries),
    ),
    Measure(
        "requests.size",
        "By",
        "Request bodies before compression.",
        True,
        _one(lambda stats: stats.bytes_sent),
    ),
    Measure(
        "stalled",
        "1",
        "1 while uploading is paused: an outage, a throttled project, a configuration fault.",
        False,
        _one(lambda stats: float(stats.stalled is not None)),
    ),
)


def books(clients: Iterable[Client] | None) -> list[tuple[str, Stats]]:
    """The name and the books of each client: of those given, or of every instance that is initialised."""
    if clients is None:
        # Before its first event, too: a counter that begins at zero shows its first increase.
        clients = [each for each in antinode.get_instances() if each.is_initialised]
    return [(each.name or DEFAULT_NAME, each.stats()) for each in clients]
