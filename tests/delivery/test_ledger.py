"""The books: counts that balance, and what a flush reports."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.core.core import Core, CoreConfig
from antinode._delivery.ledger import Ledger, Report, Stats
from antinode._delivery.record import DELIVERED, DROPPED, REJECTED, SKIPPED, Delivery, Outcome
from antinode._protocol.status import Status


def outcome(kind: str, reason: str = "why") -> Outcome:
    return Outcome(kind, Status.FAILED, reason)


def core() -> Core:
    return Core(CoreConfig(), random=lambda: 0.0)


def admit(core: Core) -> Delivery:
    record = Delivery(b"{}", 1, 0.0)
    assert core.admit(record)
    return record


@given(st.lists(st.sampled_from(["admit", "settle", "refuse", "skip", "flush"]), max_size=40))
def test_the_books_balance_after_every_step(steps: list[str]) -> None:
    """Accepted = delivered + rejected + dropped + pending, overall and over the epochs of flushes."""
    books, pending, index = core(), [], -1
    for number, step in enumerate(steps):
        kind = (DELIVERED, REJECTED, DROPPED)[number % 3]
        if step == "admit":
            pending.append(admit(books))
        elif step == "settle" and pending:
            books.books.settle([pending.pop(0)], outcome(kind))
        elif step == "refuse":
            books.books.refuse(Delivery(b"{}", 1, 0.0), outcome(REJECTED))
        elif step == "skip":
            books.books.skip(Delivery(b"{}", 1, 0.0), outcome(SKIPPED))
        elif step == "flush":
            index = books.flush(0.0)
        ledger = books.ledger
        ended = ledger.delivered + sum(ledger.rejected.values()) + sum(ledger.dropped.values())
        assert ledger.accepted == ended + len(pending)
        assert ledger.pending == len(pending)
        assert ledger.pending_until(1 << 30) == len(pending)
        assert ledger.pending_bytes == 2 * len(pending)
        assert ledger.pending_until(index) <= len(pending)


def test_a_report_covers_what_was_logged_since_the_last_complete_one() -> None:
    """What a flush has reported as settled is not reported again; what was pending is."""
    books = core()
    first, second = admit(books), admit(books)
    books.books.settle([first], outcome(DELIVERED))
    assert books.ledger.report(books.flush(0.0)) == Report(delivered=1, pending=1)
    books.books.settle([second], outcome(DROPPED))
    admit(books)
    assert books.ledger.report(books.flush(0.0)) == Report(delivered=1, dropped=1, pending=1)


def test_what_is_logged_after_a_flush_is_not_its_business() -> None:
    """A flush covers what was logged before it, nothing later."""
    books = core()
    record = admit(books)
    index = books.flush(0.0)
    admit(books)
    assert books.ledger.pending_until(index) == 1
    books.books.settle([record], outcome(DELIVERED))
    assert books.ledger.pending_until(index) == 0


def test_flushes_without_events_cost_nothing() -> None:
    """Any number of flushes of an idle client opens no more than one epoch."""
    ledger = Ledger()
    for _ in range(100):
        ledger.report(ledger.close_epoch())
    assert len(ledger._open) <= 2


def test_an_outcome_is_told_after_it_is_counted() -> None:
    """Whoever sees an outcome finds it in the books; only those who want to hear of it are kept."""
    books = core()
    plain, watched = admit(books), admit(books)
    watched.add_done_callback(lambda record: None)
    books.books.settle([plain, watched], outcome(DELIVERED), sent=1)
    assert books.books.take_settled() == [watched]
    assert books.books.take_settled() == []
    assert (plain.attempts, plain.body) == (1, b"")


def test_stats_tell_whether_they_balance() -> None:
    """`balanced` compares what was accepted with everything that became of it."""
    assert Stats(accepted=3, delivered=1, dropped={"x": 1}, queued=1).balanced
    assert not Stats(accepted=3, delivered=1).balanced
    assert Report().complete
    assert not Report(pending=1).complete
