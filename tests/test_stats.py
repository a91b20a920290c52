"""The books as an application reads them: `stats()` and the reports of `flush`."""

import pickle

from hypothesis import given, settings
from hypothesis import strategies as st

from antinode import Report, Stats
from tests.examples import examples
from tests.memory import SONG, Memory, logging_client

STEPS = {
    "good": lambda client: client.log_event(SONG),
    "bad": lambda client: client.log_event({}),
    "none": lambda client: client.log_event(None),
    "mended": lambda client: client.log_event({**SONG, "user_id": 20391}),
    "once": lambda client: client.log_event(SONG, once="order-88231"),
    "skipped": lambda client: client.log_event({**SONG, "event_type": "hold"}),
    "broken": lambda client: client.log_event({**SONG, "event_type": "break"}),
    "opt out": lambda client: setattr(client, "opt_out", True),
    "opt in": lambda client: setattr(client, "opt_out", False),
    "flush": lambda client: client.flush(120),
    "try": lambda client: client.flush(0),
    "shutdown": lambda client: client.shutdown(120),
}


def chooser(payload, next):
    if payload.event.get("event_type") == "break":
        raise LookupError
    if payload.event.get("event_type") != "hold":
        next(payload)


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=20))
@settings(max_examples=examples(40), deadline=None)
def test_the_books_balance_at_every_instant(steps):
    """accepted = delivered + rejected + dropped + pending, and what was skipped is beside it."""
    memory = Memory()
    with logging_client(memory, max_queue_events=5, overflow="drop_newest") as client:
        client.add_event_middleware(chooser)
        reports = []
        for step in steps:
            made = STEPS[step](client)
            reports += [made] if isinstance(made, Report) and made.complete else []
            stats = client.stats()
            assert stats.balanced
            ended = stats.delivered + sum(stats.rejected.values()) + sum(stats.dropped.values())
            assert stats.accepted == ended + stats.pending
        client.flush(120)
        stats = client.stats()
        assert stats.pending == 0
        assert stats.delivered == len(memory.events)


def test_reasons_are_told_apart():
    """Each way not to be delivered is counted under its own name."""
    with logging_client(max_queue_events=1, upload_interval_in_sec=3600, overflow="drop_newest") as client:
        client.log_event(SONG)
        client.log_event(SONG)
        client.log_event({})
        client.opt_out = True
        client.log_event(SONG)
        stats = client.stats()
    assert stats.accepted == 3
    assert (stats.queued, stats.waiting, stats.in_flight) == (1, 0, 0)
    assert stats.dropped == {"queue_full": 1}
    assert stats.rejected == {"invalid_event": 1}
    assert stats.skipped == {"opt_out": 1}
    assert stats.pending_bytes > 0
    assert stats.oldest_age >= 0


def test_requests_and_bytes_are_counted():
    """After a delivery: one request, the bytes of its body, no error, not stalled."""
    memory = Memory()
    with logging_client(memory) as client:
        client.log_event(SONG).result(120)
        client.flush()
        stats = client.stats()
    assert (stats.requests, stats.retries, stats.bytes_sent) == (1, 0, len(memory.requests[0].body))
    assert (stats.last_error, stats.stalled, stats.oldest_age) == (None, None, 0)


def test_a_report_covers_what_was_logged_since_the_last_complete_one():
    """A second `flush` reports nothing twice; an incomplete one is reported again."""
    memory = Memory(is_open=False)
    with logging_client(memory) as client:
        client.log_event(SONG)
        assert client.flush(0) == Report(pending=1)
        client.log_event({})
        memory.gate.set()
        assert client.flush(120) == Report(delivered=1, rejected=1)
        assert client.flush(120) == Report()


def test_values_are_frozen_and_show_themselves():
    """Reports and stats can be compared, printed and pickled, and not changed."""
    for value in (Report(delivered=2, pending=1), Stats(accepted=1, queued=1, rejected={"x": 1})):
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own
        assert "=1" in repr(value)
        try:
            value.pending = 5
        except AttributeError:
            continue
        raise AssertionError(f"{value!r} was changed")


def test_before_init_the_books_are_empty():
    """A client that was never initialised has books too."""
    from antinode import Client

    assert Client().stats() == Stats()
