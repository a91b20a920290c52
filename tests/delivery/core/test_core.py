"""The core's rules one by one, in simulated time."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest

from antinode._delivery.core.batch import Upload
from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.core.expiry import EXPIRE_EVERY
from antinode._delivery.core.link import LinkState
from antinode._delivery.core.response_handler import GROW_AFTER, REFUSALS_TO_PAUSE
from antinode._delivery.core.schedule import LINGER, PATIENCE, PROMPT
from antinode._delivery.record import Record
from antinode._delivery.retry import Response, Schedule
from antinode._protocol.endpoints import Endpoint
from antinode._protocol.responses import Action, Verdict
from antinode._protocol.status import Status
from tests.delivery.simulation import (
    NO_ANSWER,
    TIMED_OUT,
    Answer,
    Misbehaviour,
    Server,
    Simulation,
    saying,
)

HOUR = 3600.0


def once(answer: Answer) -> Misbehaviour:
    return lambda server, events, now: answer


def sent(sim: Simulation) -> list[list[int]]:
    return [numbers for _, numbers in sim.uploads]


def reasons(sim: Simulation) -> list[str]:
    return [record.outcome.reason if record.outcome else "pending" for record in sim.records]


# When something is sent.


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
    assert all(later - earlier >= LINGER - 1e-9 for earlier, later in itertools.pairwise(starts))
    assert len(starts) <= 1.0 / LINGER + 2


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
    sim.advance(PROMPT)
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

    sim.server.latency = 2 * PROMPT
    assert uploads_of_a_burst() == 1
    assert uploads_of_a_burst() == 3
    sim.server.latency = PROMPT / 2
    assert uploads_of_a_burst() == 3
    assert uploads_of_a_burst() == 1


def test_a_large_event_behind_small_ones_is_not_slept_over() -> None:
    """It makes the average one larger, and so a full batch smaller, which nobody who logs can see."""
    sim = Simulation(CoreConfig(max_batch_events=3, max_batch_bytes=300, connections=2, rush_events=4))
    sim.server.latency = 2 * PROMPT
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
    sim.advance(PATIENCE - 0.2)
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

    def counted(now: float) -> Any:
        next(looks)
        return next_uploads(now)

    sim.core.next_uploads = counted  # type: ignore[method-assign]
    sim.settle()
    assert next(looks) < 20


# Endpoints.


def test_a_backlog_may_go_to_the_batch_api() -> None:
    """Only if the core is told of it, and only while more than a batch waits."""
    for given in (None, Endpoint.BATCH):
        core = Core(CoreConfig(max_batch_events=2, backlog_endpoint=given), random=lambda: 0.0)
        for number in range(5):
            core.admit(Record(b"{}", number, 0.0))
        uploads = [*core.next_uploads(0.0), *core.next_uploads(PROMPT)]
        assert [upload.endpoint for upload in uploads] == [given or Endpoint.HTTP_V2, Endpoint.HTTP_V2]


# Answers that name events.


def test_a_hundred_bad_and_a_hundred_good_events_take_a_bounded_number_of_requests() -> None:
    """V2 names one bad event a round: every good one is delivered, with about a request for each bad one."""
    sim = Simulation()
    sim.submit_together(
        sim.record(f"user-{number % 9}", kind="invalid" if number % 2 else "good") for number in range(200)
    )
    sim.settle(60.0)
    sim.check_end()
    assert sim.outcomes() == {"delivered": 100, "rejected: refused": 100}
    assert len(sim.uploads) <= 135
    assert sum(map(len, sent(sim))) <= 2200


def test_bad_events_at_the_front_do_not_leave_small_requests_behind() -> None:
    """After a nest of bad events the good ones go in large requests again."""
    sim = Simulation()
    sim.submit_together(
        sim.record(f"user-{number}", kind="invalid" if number < 30 else "good") for number in range(2000)
    )
    sim.settle(60.0)
    assert sim.outcomes() == {"delivered": 1970, "rejected: refused": 30}
    assert len(sim.uploads) <= 30 + 12


def test_what_was_sent_with_a_bad_event_is_not_charged() -> None:
    """The others of a request that a bad event spoiled have used up no attempt of their schedule."""
    sim = Simulation(CoreConfig(policy=Schedule([])))
    sim.submit_together(sim.record(kind=kind) for kind in ("good", "invalid", "silenced", "good"))
    sim.settle()
    assert reasons(sim) == ["delivered", "refused", "refused", "delivered"]
    assert sim.records[0].attempts == 1


# Refusals that name nobody.


def test_a_wall_that_refuses_everything_is_no_storm() -> None:
    """When all is too large by the server's own word, a bounded number of events is lost finding out."""
    weather = "413"
    sim = Simulation()
    sim.server.weather = weather
    sim.submit_together(sim.record(f"user-{number}") for number in range(10_000))
    sim.advance(HOUR)
    assert sim.outcomes()["pending"] >= 10_000 - REFUSALS_TO_PAUSE - 20
    assert len(sim.uploads) <= 160
    assert "refusal" in sim.noted()
    before = len(sim.uploads)
    sim.advance(HOUR)
    assert len(sim.uploads) - before <= 12
    sim.server.weather = None
    sim.settle()
    assert sim.outcomes()["delivered"] >= 10_000 - REFUSALS_TO_PAUSE - 40


def test_a_nest_of_poison_costs_no_good_event_even_under_a_flush() -> None:
    """Thirty events in a row that a firewall refuses are a pause, not a fault: nothing good is given up."""
    sim = Simulation()
    sim.submit_together(
        sim.record(f"user-{number}", kind="poison" if 100 <= number < 130 else "good")
        for number in range(300)
    )
    sim.flush()
    sim.settle(10 * HOUR)
    assert sim.outcomes() == {"delivered": 270, "rejected: refused": 30}


@pytest.mark.parametrize("between", ["good", "invalid"])
def test_any_sensible_answer_ends_a_row_of_refusals(between: str) -> None:
    """An answer that accepts events, or names bad ones, shows that the server reads: no pause follows."""
    sim = Simulation()
    sim.acquaint()
    for _ in range(3):
        for kind in [*["poison"] * (REFUSALS_TO_PAUSE - 1), between]:
            sim.log(kind=kind)
            sim.advance(1.0)
    assert "refusal" not in sim.noted()
    assert all(record.done() for record in sim.records)


def test_an_event_from_elsewhere_ends_a_pause_after_refusals() -> None:
    """The probe after many refusals is an event that was not among them, if there is one."""
    sim = Simulation()
    sim.acquaint()
    sim.submit_together(sim.record(f"user-{number}", kind="poison") for number in range(64))
    sim.advance(10.0)
    assert sim.outcomes()["rejected: refused"] == REFUSALS_TO_PAUSE
    sim.log("user-99")
    sim.advance(60.0)
    assert sim.records[-1].done()


# 413.


def test_a_smaller_size_is_learned_and_forgotten() -> None:
    """After a 413 requests stay below the size it taught; successes let them grow back in time."""
    sim = Simulation(CoreConfig(max_batch_bytes=100_000), Server(max_body=20_000))
    sim.submit_together(sim.record(size=1000) for _ in range(200))
    sim.settle()
    learned = sim.core.max_upload_bytes
    assert learned <= 20_000
    assert sim.server.answers[413] <= 4
    sim.server.max_body = 1_000_000
    for _ in range(5 * GROW_AFTER):
        sim.log()
        sim.advance(1.0)
    assert sim.core.max_upload_bytes == 100_000


# 429.


def test_a_throttled_user_waits_alone_and_in_order() -> None:
    """The one who is throttled waits 30 s with all that is logged meanwhile; others are not delayed."""
    sim = Simulation()
    sim.server.accidents.append(once(saying(429, "", throttled_users={"hot": 99}, eps_threshold=1000)))
    sim.submit_together([sim.record("hot"), sim.record("cool"), sim.record("hot", "phone")])
    sim.advance(0.2)
    assert [record.done() for record in sim.records] == [False, True, False]
    for _ in range(20):
        sim.log("hot")
        sim.log("cool")
        sim.advance(1.0)
        assert sim.records[-1].done()
    assert sim.outcomes(sim.records[::2]) == {"pending": 12} or sim.outcomes()["pending"] == 22
    sim.settle(40.0)
    sim.check_end()
    assert sim.server.answers[429] == 1


def test_a_learned_threshold_is_kept_to() -> None:
    """Once a 429 has named the threshold, a server with the real window never has to name it again."""
    sim = Simulation(checks=False)
    sim.server.eps_threshold = 30.0
    for _ in range(40):
        for _ in range(60):
            sim.log("hot")
        sim.log("cool")
        sim.advance(1.0)
    sim.settle(600.0)
    sim.check_end()
    assert sim.server.answers[429] == 1
    assert sim.outcomes() == {"delivered": 40 * 61}


@pytest.mark.parametrize("connections", [1, 4])
def test_a_pace_keeps_a_user_under_the_threshold_from_the_start(connections: int) -> None:
    """With `pace=30` a server with the real window has no reason for a 429, and order is kept."""
    sim = Simulation(CoreConfig(pace=30.0, connections=connections), checks=False)
    sim.server.eps_threshold = 30.0
    for number in range(3000):
        sim.log("hot", f"device-{number % 2}")
        if not number % 10:
            sim.log(f"cool-{number}")
    sim.settle(600.0)
    sim.check_end()
    assert sim.server.answers[429] == 0
    assert sim.outcomes() == {"delivered": 3300}


def test_successors_in_the_same_batch_wait_uncharged() -> None:
    """Later events of a throttled stream, not sent yet, wait with it and have used no attempt."""
    sim = Simulation(CoreConfig(max_batch_events=2000, policy=Schedule([0])))
    sim.server.accidents.extend(["400 in HTML", once(saying(429, "", throttled_users={"hot": 99}))])
    sim.submit_together(sim.record("hot") for _ in range(4))
    sim.advance(1.0)
    assert [record.attempts for record in sim.records] == [1, 1, 0, 0]
    sim.settle()
    assert sim.outcomes() == {"delivered": 4}
    sim.check_end()


def test_a_project_wide_throttle_stops_everybody_for_its_time() -> None:
    """A 429 for the project stops all uploads for 60 s or the named time, and no flush shortens it."""
    sim = Simulation()
    sim.server.accidents.append("project with a wait")
    sim.log("user-1")
    sim.advance(1.0)
    sim.log("user-2")
    sim.flush()
    sim.advance(88.0)
    sim.flush()
    assert len(sim.uploads) == 1
    sim.settle(5.0)
    assert sim.uploads[1][0] - sim.uploads[0][0] == pytest.approx(90.05)


# Faults of the configuration.


CONFIGURATION_FAULTS = ["invalid key", "404", "redirect", "missing field"]


@pytest.mark.parametrize("weather", CONFIGURATION_FAULTS)
def test_a_wrong_key_is_no_storm(weather: str) -> None:
    """A configuration fault costs no event, is said once, and is probed rarely; mended, all is delivered."""
    sim = Simulation()
    sim.server.weather = weather
    for number in range(1000):
        sim.log(f"user-{number}")
        sim.advance(3.6)
    assert len(sim.uploads) <= 15
    (fault,) = [note for note in sim.notes if note.key == "fault"]
    assert fault.level == "ERROR"
    assert fault.text.endswith("events stay in memory, and are tried again rarely")
    assert sim.outcomes() == {"pending": 1000}
    sim.server.weather = None
    sim.settle(700.0)
    assert sim.outcomes() == {"delivered": 1000}
    assert "recovered" in sim.noted()
    sim.check_end()


@pytest.mark.parametrize("weather", CONFIGURATION_FAULTS)
def test_a_fault_keeps_each_stream_in_order(weather: str) -> None:
    """What met the fault together is probed one by one, and then goes before what was logged since."""
    sim = Simulation()
    sim.server.weather = weather
    sim.submit_together(sim.record(f"user-{number % 3}") for number in range(500))
    sim.advance(HOUR)
    for number in range(500):
        sim.log(f"user-{number % 3}")
    sim.server.weather = None
    sim.settle(700.0)
    assert sim.outcomes() == {"delivered": 1000}
    sim.check_end()


def test_a_fault_that_comes_later_keeps_what_it_meets() -> None:
    """A key that is withdrawn while many requests are under way costs nothing either."""
    sim = Simulation(CoreConfig(connections=4))
    sim.submit_together(sim.record(f"user-{number}") for number in range(6000))
    sim.advance(0.01)
    sim.server.weather = "invalid key"
    sim.submit_together(sim.record(f"user-{number}") for number in range(6000))
    sim.advance(HOUR)
    assert set(sim.outcomes()) <= {"pending", "delivered"}
    sim.server.weather = None
    sim.settle(700.0)
    assert sim.outcomes() == {"delivered": 12_000}


def test_a_flush_under_a_fault_probes_once_and_waits_no_longer() -> None:
    """While a fault stands, nobody waits after one probe of their own; what is pending goes on."""
    sim = Simulation()
    sim.server.weather = "404"
    sim.log()
    sim.advance(5.0)
    for _ in range(9):
        sim.log()
    index = sim.flush()
    assert not sim.core.is_hopeless(sim.now)
    sim.advance(1.0)
    assert len(sim.uploads) == 2
    assert sim.core.is_hopeless(sim.now)
    assert sim.core.ledger.pending_until(index) == 10
    sim.server.weather = None
    sim.settle(700.0)
    assert sim.outcomes() == {"delivered": 10}


def test_flushes_under_a_fault_do_not_probe_more_than_once_a_second() -> None:
    """A flush that follows a failed probe within a second waits for nothing, and makes no request."""
    sim = Simulation()
    sim.server.weather = "invalid key"
    sim.log()
    sim.advance(0.06)
    for _ in range(20):
        sim.log()
        sim.flush()
        assert sim.core.is_hopeless(sim.now)
    assert len(sim.uploads) == 1


def test_whoever_waits_for_an_event_that_meets_a_fault_is_answered() -> None:
    """`result()` and `await` end with the reason, where only the user can help; others are kept."""
    sim = Simulation()
    sim.server.weather = "invalid key"
    awaited, other = sim.record("user-1"), sim.record("user-2")
    awaited.add_done_callback(lambda delivery: None)
    sim.submit_together([awaited, other])
    sim.advance(1.0)
    assert awaited.outcome is not None
    assert (awaited.outcome.reason, awaited.outcome.code) == ("configuration", 400)
    assert not other.done()


def test_events_expire_under_a_fault() -> None:
    """What `max_event_age` says holds for them too."""
    sim = Simulation(CoreConfig(max_age=100.0))
    sim.server.weather = "404"
    sim.submit_together(sim.record(f"user-{number}") for number in range(50))
    sim.advance(200.0)
    assert sim.outcomes() == {"dropped: expired": 50}


# Outages.


def test_an_outage_is_probed_gently_and_with_little() -> None:
    """During an outage requests are at most some hundreds an hour, small, and nothing is dropped."""
    sim = Simulation(checks=False)
    sim.server.weather = "down"
    sim.submit_together(sim.record(f"user-{number}") for number in range(5000))
    sim.advance(HOUR)
    assert len(sim.uploads) <= 490
    assert all(len(numbers) <= 10 for numbers in sent(sim)[10:])
    sim.server.weather = None
    assert sim.settle() <= 20.0
    assert sim.outcomes() == {"delivered": 5000}
    assert sim.uploads


def test_a_broken_connection_costs_a_moment() -> None:
    """A single failure is repeated with the same events within 0.2 s."""
    sim = Simulation()
    sim.server.accidents.append(once(NO_ANSWER))
    sim.submit_together(sim.record() for _ in range(100))
    assert sim.settle() <= 0.3
    assert sent(sim) == [list(range(100))] * 2


def test_a_retry_carries_the_same_bytes() -> None:
    """What the server stored before its answer was lost is sent again as it was, and stored once."""
    sim = Simulation()
    sim.server.accidents.extend(["drop after", "500 after", "hang after"])
    sim.submit_together(sim.record() for _ in range(10))
    sim.settle()
    sim.check_end()
    assert len(sim.server.stored) == 10
    assert [record.attempts for record in sim.records] == [4] * 10


def test_a_flush_does_not_shorten_a_wait_that_a_503_named() -> None:
    """`Retry-After` holds for flushes; without one a flush brings the probe forward."""
    sim = Simulation()
    sim.server.accidents.append("503 with a wait")
    sim.log()
    sim.advance(5.0)
    sim.flush()
    assert len(sim.uploads) == 1
    sim.settle(16.0)


# Retry policies.


def test_no_retries_means_one_request_each() -> None:
    """`retry_timeouts=[]`: what an upload carried when it failed is given up, the rest is tried."""
    sim = Simulation(CoreConfig(policy=Schedule([]), max_batch_events=10))
    sim.server.weather = "500"
    sim.submit_together(sim.record() for _ in range(40))
    sim.settle(60.0)
    assert sim.outcomes() == {"dropped: retries_exhausted": 40}
    assert len(sim.uploads) == 4
    assert sim.retried == []


def test_a_schedule_is_kept_and_told() -> None:
    """[100, 200]: two repetitions after these waits; on_retry hears of each, 0 and 1, the last as such."""
    sim = Simulation(CoreConfig(policy=Schedule([100, 200])))
    sim.server.weather = "500"
    sim.submit_together(sim.record() for _ in range(30))
    sim.settle()
    starts = [time for time, _ in sim.uploads]
    assert starts == pytest.approx([1000.0, 1000.15, 1000.4])
    assert sent(sim) == [list(range(30))] * 3
    assert [(again.attempt, again.is_last) for again in sim.retried] == [(0, False), (1, True)]
    assert [again.response.code for again in sim.retried] == [500, 500]
    assert sim.outcomes() == {"dropped: retries_exhausted": 30}
    assert [record.outcome.attempts for record in sim.records if record.outcome] == [3] * 30


def test_a_repetition_that_succeeds_is_told_too() -> None:
    """on_retry hears of a repeated request that was accepted."""
    sim = Simulation(CoreConfig(policy=Schedule([100, 200])))
    sim.server.accidents.append("hang")
    sim.log()
    sim.settle()
    assert [(again.response.status, again.attempt) for again in sim.retried] == [(Status.SUCCESS, 0)]


class Picky:
    """A policy of the user's: gives up what times out, waits 2 s for the rest."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, Status]] = []

    def next_delay(self, attempt: int, response: Response) -> float | None:
        self.asked.append((attempt, response.status))
        return None if response.status is Status.TIMEOUT else 2.0


def test_a_policy_of_the_users_decides() -> None:
    """A policy sees the attempt and the response; its wait is kept under a flush, and its end is final."""
    policy = Picky()
    sim = Simulation(CoreConfig(policy=policy))
    sim.server.accidents.extend(["500", "hang"])
    sim.log()
    sim.advance(1.5)
    sim.flush()
    assert len(sim.uploads) == 1
    sim.settle()
    assert sim.uploads[1][0] == pytest.approx(1002.05)
    assert reasons(sim) == ["retries_exhausted"]
    assert policy.asked[0] == (1, Status.FAILED)


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), -1.0, "soon", ValueError("x")])
def test_a_broken_policy_breaks_nothing(answer: object) -> None:
    """A policy that raises, or answers nonsense, leaves the wait to the backoff."""

    class Broken:
        def next_delay(self, attempt: int, response: Response) -> float | None:
            if isinstance(answer, Exception):
                raise answer
            return answer  # type: ignore[return-value]

    sim = Simulation(CoreConfig(policy=Broken()))
    sim.server.accidents.extend(["500", "500"])
    sim.log()
    sim.settle(5.0)
    assert sim.outcomes() == {"delivered": 1}


# Bounds.


def test_events_expire_while_they_wait() -> None:
    """What is older than `max_age` is dropped soon after, whatever it waits for; the younger stays."""
    sim = Simulation(CoreConfig(max_age=100.0, interval=1000.0))
    old = sim.log()
    sim.advance(50.0)
    young = sim.log()
    sim.advance(50.0 + EXPIRE_EVERY)
    assert (old.done(), young.done()) == (True, False)
    assert reasons(sim) == ["expired", "pending"]
    sim.advance(51.0)
    assert reasons(sim) == ["expired", "expired"]
    assert sim.uploads == []


def test_events_expire_behind_younger_ones_of_their_batch() -> None:
    """An old event expires also in a batch whose first event is younger, and after a request it was in."""
    sim = Simulation(CoreConfig(max_age=40.0))
    sim.server.accidents.append(once(saying(429, "", throttled_users={"hot": 99})))
    sim.log("hot")
    sim.advance(1.0)
    sim.server.weather = "hang"
    sim.advance(25.0)
    sim.log("cool")
    sim.advance(25.0 + EXPIRE_EVERY)
    assert reasons(sim) == ["expired", "pending"]


def test_the_oldest_events_make_room() -> None:
    """With the queue full, room is made by dropping the oldest that waits, never what is in a request."""
    sim = Simulation(CoreConfig(max_events=3))
    sim.server.latency = 5.0
    for _ in range(5):
        sim.log()
    assert reasons(sim) == ["pending", "queue_full", "queue_full", "pending", "pending"]
    sim.settle()
    sim.check_end()


def test_an_event_larger_than_the_queue_makes_no_room() -> None:
    """An event that could never fit drops nobody else's."""
    sim = Simulation(CoreConfig(max_bytes=1000))
    sim.log()
    sim.log(size=2000)
    assert reasons(sim) == ["pending", "queue_full"]


def test_what_is_in_a_request_is_not_dropped_for_room() -> None:
    """When everything pending is in requests there is no room to make."""
    sim = Simulation(CoreConfig(max_events=1))
    sim.log()
    sim.log()
    assert reasons(sim) == ["pending", "queue_full"]


def test_a_batch_emptied_for_room_lets_its_streams_go() -> None:
    """Dropping the last waiting events of a batch frees their streams for what comes after them."""
    sim = Simulation(CoreConfig(max_events=1, connections=2))
    sim.server.weather = "down"
    sim.log()
    sim.advance(0.02)
    for _ in range(4):
        sim.log()
    assert reasons(sim) == ["queue_full"] * 4 + ["pending"]
    sim.server.weather = None
    sim.settle()
    sim.check_end()


# Endings and the rest.


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


@pytest.mark.parametrize(("said", "missing"), [(3, 2), (9, 0)])
def test_a_difference_in_what_was_ingested_is_told(said: int, missing: int) -> None:
    """An answer that counts other than was sent is noted; what it left out is counted, more is not."""
    sim = Simulation()
    body = b'{"code": 200, "events_ingested": %d}' % said
    sim.server.accidents.append(once(Answer(200, body)))
    sim.submit_together(sim.record() for _ in range(5))
    sim.advance(1.0)
    assert sim.core.stats(sim.now).discrepancies == missing
    assert sim.noted() == {"ingested"}
    assert sim.outcomes() == {"delivered": 5}


@pytest.mark.parametrize("body", [b"", b"{}", b"success"])
def test_a_success_that_is_not_amplitudes_is_told_once_and_counted(body: bytes) -> None:
    """An empty or other answer under a 2xx delivers, and each event of it is a discrepancy."""
    sim = Simulation()
    sim.server.weather = lambda server, events, now: Answer(200, body)
    for _ in range(3):
        sim.submit_together(sim.record() for _ in range(5))
        sim.advance(1000.0)
    assert sim.outcomes() == {"delivered": 15}
    assert reasons(sim) == ["unconfirmed"] * 15
    assert sim.core.stats(sim.now).discrepancies == 15
    assert [note.key for note in sim.notes] == ["unconfirmed"]


def test_a_page_under_a_success_is_a_configuration_fault() -> None:
    """A web page delivers nothing and is said once, with no storm; all is well when Amplitude answers."""
    sim = Simulation()
    sim.server.weather = lambda server, events, now: Answer(200, b"<!doctype html><title>Log in</title>")
    sim.log()
    sim.advance(1.0)
    for number in range(99):
        sim.log(f"user-{number}")
    sim.advance(HOUR)
    assert sim.outcomes() == {"pending": 100}
    assert Counter(note.key for note in sim.notes)["fault"] == 1
    assert sim.core.stats(sim.now).discrepancies > 0
    sim.server.weather = None
    sim.settle(700.0)
    assert sim.outcomes() == {"delivered": 100}


def test_a_verdict_that_names_nobody_is_bisected() -> None:
    """An answer that was to sort events but concerns none is not a reason to send the same again."""
    core = Core(CoreConfig(), random=lambda: 0.0)
    for number in range(2):
        core.admit(Record(b"{}", number, 0.0))
    (upload,) = core.next_uploads(0.0)
    core.respond(upload.number, Verdict(Action.SORT, Status.INVALID, 400, "?"), 0.1)
    assert [len(upload.records) for upload in core.next_uploads(0.1)] == [1]


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
