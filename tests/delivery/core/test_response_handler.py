"""What is done about answers that name events, that name nobody, and that are odd."""

from __future__ import annotations

import pytest

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.core.response_handler import GROW_AFTER_SUCCESSES, REFUSALS_TO_PAUSE
from antinode._delivery.record import Record
from antinode._delivery.retry import Schedule
from antinode._protocol.responses import Action, Verdict
from antinode._protocol.status import Status
from tests.delivery.core.rules import HOUR, once, reasons, sent
from tests.delivery.model_server import Answer, Server
from tests.delivery.simulation import Simulation


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


def test_a_smaller_size_is_learned_and_forgotten() -> None:
    """After a 413 requests stay below the size it taught; successes let them grow back in time."""
    sim = Simulation(CoreConfig(max_batch_bytes=100_000), Server(max_body=20_000))
    sim.submit_together(sim.record(size=1000) for _ in range(200))
    sim.settle()
    learned = sim.core.max_upload_bytes
    assert learned <= 20_000
    assert sim.server.answers[413] <= 4
    sim.server.max_body = 1_000_000
    for _ in range(5 * GROW_AFTER_SUCCESSES):
        sim.log()
        sim.advance(1.0)
    assert sim.core.max_upload_bytes == 100_000


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


def test_a_verdict_that_names_nobody_is_bisected() -> None:
    """An answer that was to sort events but concerns none is not a reason to send the same again."""
    core = Core(CoreConfig(), random=lambda: 0.0)
    for number in range(2):
        core.admit(Record(b"{}", number, 0.0))
    (upload,) = core.next_uploads(0.0)
    core.respond(upload.number, Verdict(Action.SORT, Status.INVALID, 400, "?"), 0.1)
    assert [len(upload.records) for upload in core.next_uploads(0.1)] == [1]
