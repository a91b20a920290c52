"""The core as a whole: its end, its state, and how many requests its work takes."""

from __future__ import annotations

import pytest

from antinode._delivery.core.batch import Upload
from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.core.link import LinkState
from antinode._delivery.record import Record
from antinode._protocol.responses import Action, Verdict
from antinode._protocol.status import Status
from tests.delivery.core.rules import once
from tests.delivery.model_server import TIMED_OUT
from tests.delivery.simulation import Simulation


def test_abandoning_settles_everything() -> None:
    """`abandon` drops what is queued, waiting and in flight; late answers change nothing."""
    sim = Simulation()
    sim.submit_together(sim.record() for _ in range(10))
    sim.log()
    assert sim.abandon() == 11
    assert sim.core.is_idle
    for number in range(5):
        sim.core.respond(number, Verdict(Action.DELIVERED, Status.SUCCESS, 200, ""), sim.now)
    assert sim.outcomes() == {"dropped: shutdown": 11}
    sim.log()
    sim.settle()
    assert sim.outcomes()["delivered"] == 1


def test_an_upload_given_up_during_a_probe_does_not_block() -> None:
    """After `abandon` during a probe the next event can be sent."""
    sim = Simulation()
    sim.server.accidents.extend(["500", once(TIMED_OUT)])
    sim.log()
    sim.advance(1.0)
    assert sim.core.link.state is LinkState.PROBING
    sim.abandon()
    sim.log()
    sim.settle(1.0)


def test_stats_show_the_state() -> None:
    """`stats` tells where pending events are, since when the oldest waits, and why nothing moves."""
    sim = Simulation()
    sim.server.accidents.append("project")
    sim.submit_together(sim.record() for _ in range(3))
    sim.advance(10.0)
    sim.log()
    stats = sim.core.stats(sim.now)
    assert (stats.queued, stats.waiting, stats.in_flight) == (1, 3, 0)
    assert stats.oldest_age == 10.0
    assert stats.stalled is not None
    assert stats.stalled.startswith("throttle: 429")
    assert (stats.requests, stats.retries) == (1, 0)
    sim.settle()
    stats = sim.core.stats(sim.now)
    assert (stats.pending, stats.oldest_age, stats.stalled) == (0, 0.0, None)
    assert stats.last_error is not None
    assert stats.retries == 1


def work_off(core: Core) -> tuple[float, int]:
    """Answer every upload 200 after 0.1 s until nothing is pending: the time and the uploads it took."""
    now, uploads = 0.0, 0
    under_way: list[tuple[float, Upload]] = []
    while not core.is_idle:
        for upload in core.next_uploads(now):
            under_way.append((now + 0.1, upload))
            uploads += 1
        wake_at = core.wake_at(now)
        now = min(under_way[0][0] if under_way else wake_at or 0.0, now + 1.0 if wake_at is None else wake_at)
        while under_way and under_way[0][0] <= now:
            core.respond(under_way.pop(0)[1].number, Verdict(Action.DELIVERED, Status.SUCCESS, 200, ""), now)
    return now, uploads


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("hot", [0.0, 0.5])
def test_a_large_backlog_takes_as_many_requests_as_batches(connections: int, hot: float) -> None:
    """200,000 events, with or without a hot stream, leave in full batches, side by side where they can."""
    total = 200_000
    core = Core(CoreConfig(connections=connections), random=lambda: 0.0)
    for number in range(total):
        stream = 0 if number < total * hot else number % 20_000
        core.admit(Record(b"{}", stream, 0.0))
    took, uploads = work_off(core)
    assert core.ledger.delivered == total
    assert uploads <= total / 2000 + 10
    in_parallel = connections if hot == 0.0 else min(2, connections)
    assert took <= 0.1 * (total / 2000 / in_parallel + 5)
