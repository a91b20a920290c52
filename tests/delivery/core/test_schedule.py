"""When an upload is made, of what, and to which endpoint."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.core.link import LinkState
from antinode._delivery.core.schedule import LINGER_SECONDS, PATIENCE_SECONDS, PROMPT_SECONDS
from antinode._delivery.record import Record
from antinode._delivery.retry import Schedule
from antinode._protocol.endpoints import Endpoint
from antinode._protocol.status import Status
from tests.delivery.core.rules import once, sent
from tests.delivery.model_server import TIMED_OUT, Answer, saying
from tests.delivery.simulation import Simulation


def test_the_first_event_goes_at_once_and_those_after_it_together() -> None:
    """With interval 0 an event after a pause is sent at once; what comes meanwhile forms one batch."""
    sim = Simulation()
    for _ in range(5):
        sim.log()
    assert sent(sim) == [[0]]
    sim.settle()
    assert sent(sim) == [[0], [1, 2, 3, 4]]


def test_a_trickle_is_gathered() -> None:
    """With quick answers uploads of a trickle start a linger apart, and each carries several events."""
    sim = Simulation()
    sim.server.latency = 0.001
    for _ in range(1000):
        sim.log()
        sim.advance(0.001)
    sim.settle()
    starts = [time for time, _ in sim.uploads]
    assert all(later - earlier >= LINGER_SECONDS - 1e-9 for earlier, later in itertools.pairwise(starts))
    assert len(starts) <= 1.0 / LINGER_SECONDS + 2


def test_in_a_trickle_no_call_rings() -> None:
    """After an answer that finds nothing waiting the shell looks when the next events are due, unasked.

    Once a while brings none, the first event after it rings, and goes at once.
    """
    sim = Simulation()
    sim.server.latency = 0.001
    for _ in range(40):
        sim.log()
        sim.advance(0.003)
    for _ in range(40):
        assert len(sim.core.queued) + 1 < sim.ring_at
        sim.log()
        sim.advance(0.003)
    sim.settle()
    sim.advance(2 * LINGER_SECONDS)
    assert sim.ring_at == 1
    sim.log()
    assert sent(sim)[-1] == [80]


def test_what_is_logged_at_the_time_of_a_flush_does_not_wait_for_company() -> None:
    """Not in a trickle either: by a coarse clock it was logged before."""
    sim = Simulation()
    sim.server.latency = 0.001
    for _ in range(40):
        sim.log()
        sim.advance(0.003)
    while sim.core.queued or sim.flights:
        sim.advance(0.001)
    sim.flush()
    last = sim.log()
    assert sent(sim)[-1] == [sim.number_of(last)]


def test_events_that_come_one_to_an_upload_ring() -> None:
    """There is nothing to foresee: nobody wakes up between them."""
    sim = Simulation()
    sim.server.latency = 0.001
    for _ in range(10):
        sim.log()
        sim.advance(0.01)
        assert sim.ring_at == 1
        assert sim.core.wake_at(sim.now) is None
        sim.advance(2 * LINGER_SECONDS)


def test_the_interval_gathers_events() -> None:
    """With an interval, events wait until the oldest of them is as old as that, and then go together."""
    sim = Simulation(CoreConfig(interval=10.0))
    sim.log()
    sim.advance(4.0)
    sim.log()
    sim.advance(5.9)
    assert sent(sim) == []
    sim.advance(0.2)
    assert sent(sim) == [[0, 1]]


def test_the_rush_size_ends_the_interval_for_all_that_wait() -> None:
    """When `rush_events` are queued everything queued goes now, in as many uploads as it takes."""
    sim = Simulation(CoreConfig(interval=10.0, rush_events=50, max_batch_events=20, connections=1))
    for number in range(50):
        sim.log(f"user-{number}")
    sim.advance(1.0)
    assert [len(numbers) for numbers in sent(sim)] == [20, 20, 10]
    sim.log()
    sim.advance(1.0)
    assert len(sent(sim)) == 3


def test_a_flush_ignores_the_interval_for_what_was_logged_before_it() -> None:
    """A flush sends what waits; what is logged after it waits for the interval again."""
    sim = Simulation(CoreConfig(interval=10.0))
    sim.log()
    sim.flush()
    assert sent(sim) == [[0]]
    sim.advance(1.0)
    sim.log()
    sim.advance(5.0)
    assert sent(sim) == [[0]]
    sim.advance(5.0)
    assert sent(sim) == [[0], [1]]


def test_a_backlog_uses_all_connections_and_little_uses_one() -> None:
    """Full batches go side by side at a server that takes its time; a few events wait for the answer."""
    sim = Simulation(CoreConfig(max_batch_events=10, connections=3))
    sim.server.latency = 1.0
    sim.submit_together(sim.record(f"user-{number}") for number in range(35))
    assert sent(sim) == [list(range(10))]
    sim.advance(PROMPT_SECONDS)
    assert sent(sim) == [list(range(10)), list(range(10, 20)), list(range(20, 30))]
    sim.settle()
    assert len(sent(sim)) == 4


def test_what_a_server_took_last_tells_whether_to_wait_for_it() -> None:
    """One that is known to be far away gets full batches side by side at once; one quick answer ends that."""
    sim = Simulation(CoreConfig(max_batch_events=10, connections=3))

    def uploads_of_a_burst() -> int:
        before = len(sim.uploads)
        sim.submit_together(sim.record(f"user-{number}") for number in range(35))
        begun = len(sim.uploads) - before
        sim.settle()
        return begun

    sim.server.latency = 2 * PROMPT_SECONDS
    assert uploads_of_a_burst() == 1
    assert uploads_of_a_burst() == 3
    sim.server.latency = PROMPT_SECONDS / 2
    assert uploads_of_a_burst() == 3
    assert uploads_of_a_burst() == 1


@pytest.mark.parametrize("is_known", [False, True])
def test_a_server_is_not_far_away_because_this_process_is_late(is_known: bool) -> None:
    """While it is, full batches wait for the one under way, though not for more than a second."""
    sim = Simulation(CoreConfig(max_batch_events=10, connections=3))
    if is_known:
        sim.server.latency = PROMPT_SECONDS / 2
        sim.log()
        sim.settle()
    before = len(sim.uploads)
    sim.server.latency, sim.is_late = 9.0, True
    sim.submit_together(sim.record(f"user-{number}") for number in range(35))
    sim.advance(PATIENCE_SECONDS - 0.01)
    assert len(sim.uploads) - before == 1
    sim.advance(0.02)
    assert len(sim.uploads) - before == 3


def test_once_this_process_is_not_late_any_more_full_batches_go_side_by_side() -> None:
    """They do so soon, though nothing else happens that would have the shell look."""
    sim = Simulation(CoreConfig(max_batch_events=10, connections=3))
    sim.server.latency, sim.is_late = 9.0, True
    sim.submit_together(sim.record(f"user-{number}") for number in range(35))
    sim.advance(0.3)
    sim.is_late = False
    sim.advance(PROMPT_SECONDS)
    assert len(sent(sim)) == 3


def test_a_server_that_is_far_away_is_known_to_be() -> None:
    """Then it does not matter who is late: full batches go side by side at once."""
    sim = Simulation(CoreConfig(max_batch_events=10, connections=3))
    sim.server.latency = 2 * PROMPT_SECONDS
    sim.log()
    sim.settle()
    sim.is_late = True
    sim.submit_together(sim.record(f"user-{number}") for number in range(35))
    assert len(sent(sim)) == 4


def test_a_large_event_behind_small_ones_is_not_slept_over() -> None:
    """It makes the average one larger, and so a full batch smaller, which nobody who logs can see."""
    sim = Simulation(CoreConfig(max_batch_events=3, max_batch_bytes=300, connections=2, rush_events=4))
    sim.server.latency = 2 * PROMPT_SECONDS
    sim.log("user-0")
    sim.settle()
    sim.log("user-1")
    sim.log("user-2", size=100)
    sim.log("user-3", size=500)
    sim.settle()
    sim.check_end()


def test_a_hanging_request_delays_others_by_about_a_second() -> None:
    """Events logged behind a request that hangs, before or after it was found to, go on beside it."""
    sim = Simulation()
    sim.server.accidents.append(once(TIMED_OUT))
    sim.log("user-0")
    sim.advance(0.3)
    early = sim.log("user-1")
    sim.advance(PATIENCE_SECONDS - 0.2)
    assert early.done()
    late = sim.log("user-2")
    sim.advance(0.1)
    assert late.done()
    assert not sim.records[0].done()


def test_an_event_logged_long_after_a_request_began_to_hang_is_not_overlooked() -> None:
    """The shell hears of the first event behind a hanging request although it slept for its answer."""
    sim = Simulation()
    sim.server.accidents.append(once(TIMED_OUT))
    sim.log("user-0")
    sim.advance(5.0)
    record = sim.log("user-1")
    sim.advance(0.06)
    assert record.done()


def test_an_event_logged_while_the_shell_falls_asleep_wakes_it() -> None:
    """An event that comes after the shell's last look, before its sleep, is not left for the next one."""
    sim = Simulation()
    sim.log()
    sim.racing = lambda: sim.core.admit(sim.record())
    sim.advance(0.1)
    sim.settle(1.0)
    assert sim.outcomes() == {"delivered": 2}


@pytest.mark.parametrize("later", [0.01, 60.0])
def test_an_event_logged_during_an_outage_with_nothing_pending_is_sent(later: float) -> None:
    """An outage that ended with an empty queue does not make the client deaf to the next event."""
    sim = Simulation(CoreConfig(policy=Schedule([])))
    sim.server.accidents.append("500")
    sim.log()
    sim.advance(0.06)
    assert sim.core.is_idle
    sim.advance(later)
    sim.log()
    assert sim.settle() < 1.0


def test_a_slow_connections_hang_does_not_hold_up_recovery() -> None:
    """After an outage the way back goes on although an older request still hangs."""
    sim = Simulation(CoreConfig(max_batch_events=10, connections=2))
    sim.server.accidents.extend([once(Answer(lost=Status.TIMEOUT, latency=60.0)), "500"])
    sim.submit_together(sim.record(f"user-{number}") for number in range(40))
    sim.advance(5.0)
    assert sim.outcomes() == {"delivered": 30, "pending": 10}


def test_a_hanging_probe_is_passed_by_once_another_answer_shows_that_all_is_well() -> None:
    """The success of an older request ends the wait for a probe that hangs."""
    sim = Simulation(CoreConfig(max_batch_events=1, connections=3))
    well = Answer(200, b'{"code": 200}', latency=0.5)
    sim.server.accidents.extend([once(well), "500", once(TIMED_OUT)])
    sim.submit_together([sim.record("user-0"), sim.record("user-1")])
    sim.advance(0.3)
    assert sim.core.link.state is LinkState.PROBING
    sim.log("user-2")
    sim.advance(0.26)
    assert sim.records[2].done()
    assert not sim.records[1].done()


def test_waiting_costs_no_wake_ups() -> None:
    """While everything waits for a time or an answer, the shell looks only when something is due."""
    sim = Simulation()
    sim.server.accidents.append(once(saying(429, "", throttled_users={"user-1": 99})))
    sim.log("user-1")
    sim.advance(0.06)
    looks = itertools.count()
    next_uploads = sim.core.next_uploads

    def counted(now: float, **options: Any) -> Any:
        next(looks)
        return next_uploads(now, **options)

    sim.core.next_uploads = counted  # type: ignore[method-assign]
    sim.settle()
    assert next(looks) < 20


def test_a_backlog_may_go_to_the_batch_api() -> None:
    """Only if the core is told of it, and only while more than a batch waits."""
    for given in (None, Endpoint.BATCH):
        core = Core(CoreConfig(max_batch_events=2, backlog_endpoint=given), random=lambda: 0.0)
        for number in range(5):
            core.admit(Record(b"{}", number, 0.0))
        uploads = [*core.next_uploads(0.0), *core.next_uploads(PROMPT_SECONDS)]
        assert [upload.endpoint for upload in uploads] == [given or Endpoint.HTTP_V2, Endpoint.HTTP_V2]
