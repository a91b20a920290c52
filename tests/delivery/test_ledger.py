"""The ledger: counts that balance, and what a flush reports."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.ledger import Ledger, Report, Stats
from antinode._delivery.outcome import DELIVERED, DROPPED, REJECTED, SKIPPED, Outcome
from antinode._delivery.record import Record
from antinode._protocol.status import Status


def outcome(kind: str, reason: str = "why") -> Outcome:
    return Outcome(kind, Status.FAILED, reason)


def core() -> Core:
    return Core(CoreConfig(), random=lambda: 0.0)


def admit(core: Core) -> Record:
    record = Record(b"{}", 1, 0.0)
    assert core.admit(record)
    return record


@given(st.lists(st.sampled_from(["admit", "settle", "refuse", "skip", "flush"]), max_size=40))
def test_the_books_balance_after_every_step(steps: list[str]) -> None:
    """Accepted = delivered + rejected + dropped + pending, overall and over the epochs of flushes."""
    made, pending, index = core(), [], -1
    for number, step in enumerate(steps):
        kind = (DELIVERED, REJECTED, DROPPED)[number % 3]
        if step == "admit":
            pending.append(admit(made))
        elif step == "settle" and pending:
            made.settlement.settle([pending.pop(0)], outcome(kind))
        elif step == "refuse":
            made.settlement.refuse(Record(b"{}", 1, 0.0), outcome(REJECTED))
        elif step == "skip":
            made.settlement.skip(Record(b"{}", 1, 0.0), outcome(SKIPPED))
        elif step == "flush":
            index = made.flush(0.0)
        ledger = made.ledger
        ended = ledger.delivered + sum(ledger.rejected.values()) + sum(ledger.dropped.values())
        assert ledger.accepted == ended + len(pending)
        assert ledger.pending == len(pending)
        assert ledger.pending_until(1 << 30) == len(pending)
        assert ledger.pending_bytes == 2 * len(pending)
        assert ledger.pending_until(index) <= len(pending)


def test_a_report_covers_what_was_logged_since_the_last_complete_one() -> None:
    """What a flush has reported as settled is not reported again; what was pending is."""
    made = core()
    first, second = admit(made), admit(made)
    made.settlement.settle([first], outcome(DELIVERED))
    assert made.ledger.report(made.flush(0.0)) == Report(delivered=1, pending=1)
    made.settlement.settle([second], outcome(DROPPED))
    admit(made)
    assert made.ledger.report(made.flush(0.0)) == Report(delivered=1, dropped=1, pending=1)


def test_what_is_logged_after_a_flush_is_not_its_business() -> None:
    """A flush covers what was logged before it, nothing later."""
    made = core()
    record = admit(made)
    index = made.flush(0.0)
    admit(made)
    assert made.ledger.pending_until(index) == 1
    made.settlement.settle([record], outcome(DELIVERED))
    assert made.ledger.pending_until(index) == 0


def test_flushes_without_events_cost_nothing() -> None:
    """Any number of flushes of an idle client opens no more than one epoch."""
    ledger = Ledger()
    for _ in range(100):
        ledger.report(ledger.close_epoch())
    assert len(ledger._open) <= 2


def test_an_outcome_is_told_after_it_is_counted() -> None:
    """Whoever sees an outcome finds it in the ledger; only those who want to hear of it are kept."""
    made = core()
    plain, watched = admit(made), admit(made)
    watched.add_done_callback(lambda record: None)
    made.settlement.settle([plain, watched], outcome(DELIVERED), sent=1)
    assert made.settlement.take_settled() == [watched]
    assert made.settlement.take_settled() == []
    assert (plain.attempts, plain.body) == (1, b"")


def test_stats_tell_whether_they_balance() -> None:
    """`balanced` compares what was accepted with everything that became of it."""
    assert Stats(accepted=3, delivered=1, dropped={"x": 1}, queued=1).balanced
    assert not Stats(accepted=3, delivered=1).balanced
    assert Report().complete
    assert not Report(pending=1).complete
