"""How uploads get from the server's thread to the output."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from antinode.cli.serve.feed import Feed, FeedBatch, Pace
from antinode.server.models import EventView, Totals
from tests.cli.reading import upload

QUICK = Pace(uploads=2, failed_uploads=1, interval_s=0.001, longest_interval_s=0.001)


def none() -> Sequence[EventView]:
    return ()


class Reader:
    """Collects batches; waits in the first one until told to go on, as a slow terminal does."""

    def __init__(self) -> None:
        self.batches: list[FeedBatch] = []
        self.is_writing = threading.Event()
        self.may_go_on = threading.Event()

    def write(self, batch: FeedBatch) -> None:
        self.batches.append(batch)
        self.is_writing.set()
        assert self.may_go_on.wait(120)


def test_everything_is_shown_or_counted() -> None:
    """What comes while the terminal is busy is shown as the pace allows, or else counted."""
    reader = Reader()
    feed = Feed(reader.write, QUICK)
    feed.start()
    feed.put(upload(id=1), none, Totals())
    assert reader.is_writing.wait(120)
    for number in range(2, 12):
        feed.put(upload(id=number, status=500 if number > 9 else 200, events=7), none, Totals())
    reader.may_go_on.set()
    feed.close()

    first, second = reader.batches
    assert [each.id for each, _ in first.shown] == [1]
    assert [each.id for each, _ in second.shown] == [2, 3, 10]
    assert second.omitted.uploads == 7
    assert second.omitted.events == 49
    assert second.omitted.statuses == {200: 6, 500: 1}
    assert feed.sums.uploads == 11


def test_events_are_asked_for_only_where_shown() -> None:
    """An upload that is only counted costs no views of its events."""
    asked = []
    feed = Feed(lambda batch: None, QUICK)
    for number in range(5):
        feed.put(upload(id=number), lambda number=number: asked.append(number) or (), Totals())  # type: ignore[misc]
    assert asked == [0, 1]


def test_reader_gone() -> None:
    """When the output can be written no more, the feed falls silent and goes on counting."""
    written = threading.Event()

    def write(_: FeedBatch) -> None:
        written.set()
        raise BrokenPipeError

    feed = Feed(write, QUICK)
    feed.start()
    feed.put(upload(), none, Totals())
    assert written.wait(120)
    feed.close()
    feed.put(upload(), none, Totals())
    assert feed.is_broken
    assert feed.sums.uploads == 2


def test_end_shows_what_waits() -> None:
    """What was put before the end is written before the end."""
    batches: list[FeedBatch] = []
    feed = Feed(batches.append, QUICK)
    feed.put(upload(), none, Totals())
    feed.start()
    feed.close()
    assert len(batches) == 1
