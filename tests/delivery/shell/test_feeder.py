"""A store that others fill, between a core in simulated time and whoever looks after the store."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.core.backlog import ids_of
from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.outcome import DELIVERED, REJECTED
from antinode._delivery.record import Record
from antinode._delivery.shell.feeder import PARK_EVERY_SECONDS, WAIT_SECONDS, Feeder
from antinode._protocol.responses import judge, unreached
from antinode._protocol.status import Status
from tests.delivery.model_server import saying

CONFIG = CoreConfig(max_batch_events=4, connections=2, memory_events=8)


def event(place, user):
    body = b'{"user_id":"%s","insert_id":"i%d"}' % (user.encode(), place)
    return Record(body, hash(user), 0.0, place=place)


class Shelf:
    """A store whose records others have put there."""

    name = "the shelf"
    reads_again_at = float("inf")

    def __init__(self, users=()):
        self.records = [event(place, user) for place, user in enumerate(users)]
        self.ended = Counter()
        self.kinds = Counter()
        self.parked = []
        self.bound = 100
        self.trouble = None

    @property
    def has_unread(self):
        return bool(self.records)

    def read(self, max_events, max_bytes):
        if self.trouble is not None:
            raise self.trouble
        taken, self.records = self.records[:max_events], self.records[max_events:]
        return taken

    def acknowledge(self, places, code):
        places = list(places)
        self.ended.update(places)
        self.kinds[code] += len(places)

    def ring_for_news(self, ring):
        self.ring = ring

    def parks(self, head, waiting):
        return waiting >= self.bound

    def park(self, records):
        self.parked += records


class Scene:
    """A core, a feeder, and a server that answers when it is told to."""

    def __init__(self, shelf, config=CONFIG):
        self.shelf = shelf
        self.now = 1000.0
        self.core = Core(config, random=lambda: 0.5, feed=shelf)
        self.feeder = Feeder(shelf)
        self.feeder.hear_of_ends(self.core.settlement.take_ended)
        self.flying = {}

    def tend(self):
        return self.feeder.tend(self.core, self.now, nullcontext())

    def step(self):
        """Read, and start what is to be started, though a small batch waits a moment for more."""
        self.tend()
        for _ in range(3):
            for upload in self.core.next_uploads(self.now):
                self.flying[upload.number] = upload
            wake_at = self.core.wake_at(self.now)
            if self.flying or wake_at is None or wake_at > self.now + 1:
                return
            self.now = wake_at

    def answer(self, answer=None, *, fails=False):
        number = next(iter(self.flying))
        upload = self.flying.pop(number)
        if fails:
            verdict = unreached(Status.TIMEOUT, "no answer")
        else:
            answer = answer or saying(200, events_ingested=len(upload.records))
            records = upload.records
            verdict = judge(
                answer.status, answer.headers, answer.body, len(records), lambda i: ids_of(records[i])
            )
        self.core.respond(number, verdict, self.now)

    def run(self):
        """Go on until nothing is under way."""
        self.step()
        while self.flying:
            self.answer()
            self.step()
        self.tend()

    def books(self):
        stats = self.core.stats(self.now)
        assert stats.balanced
        return stats


def throttling(user):
    return saying(429, "", throttled_users={user: 99}, eps_threshold=10)


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 10))
def test_everything_ends_once_and_in_order(users, memory):
    """Each record is acknowledged once, and never more of them are in memory than there is room for."""
    shelf = Shelf(users)
    scene = Scene(shelf, CoreConfig(max_batch_events=4, connections=2, memory_events=memory))
    sent = []
    scene.step()
    while scene.flying:
        assert scene.books().pending <= memory + 8
        sent += [record.place for record in next(iter(scene.flying.values())).records]
        scene.answer()
        scene.step()
    scene.tend()
    assert shelf.ended == Counter(range(len(users)))
    assert scene.books().delivered == scene.books().recovered == len(users)
    for user in "abc":
        places = [place for place in sent if users[place] == user]
        assert places == sorted(places)


def test_what_comes_later_is_read_when_the_bell_rings():
    """A store without anything asks for no turn; once it has something, the next turn reads it."""
    shelf = Shelf()
    scene = Scene(shelf)
    assert scene.tend() == float("inf")
    assert scene.core.wake_at(scene.now) is None
    shelf.records.append(event(0, "a"))
    assert scene.core.wake_at(scene.now) == scene.now
    scene.run()
    assert shelf.ended == Counter([0])


def test_a_reject_is_told_with_its_kind():
    """The store hears how a record ended."""
    shelf = Shelf("a")
    scene = Scene(shelf)
    scene.step()
    scene.answer(saying(400, "bad", events_with_invalid_fields={"time": [0]}))
    scene.tend()
    assert shelf.kinds == {REJECTED: 1}


def test_a_throttled_stream_that_is_too_long_goes_back_whole():
    """A lane past the store's bound is parked: all of its records, in order, and none of another stream."""
    shelf = Shelf("aabaab")
    shelf.bound = 3
    scene = Scene(shelf)
    scene.step()
    scene.answer(throttling("a"))
    while scene.flying:
        scene.answer()
    scene.now += PARK_EVERY_SECONDS
    scene.run()
    assert [record.place for record in shelf.parked] == [0, 1, 3, 4]
    assert shelf.ended == Counter([2, 5])
    assert scene.books().pending == 0


def test_a_short_lane_stays_in_memory():
    """Below the bound a throttled stream waits, and is sent when its rate limit opens."""
    shelf = Shelf("aab")
    scene = Scene(shelf)
    scene.step()
    scene.answer(throttling("a"))
    scene.now += PARK_EVERY_SECONDS
    scene.run()
    assert shelf.ended == Counter([2])
    scene.now += 60
    scene.run()
    assert shelf.ended == Counter([0, 1, 2])
    assert shelf.parked == []


def test_a_stream_in_a_request_is_not_parked():
    """Older records of a stream may come back: what waits behind them stays."""
    shelf = Shelf("aaaaaa")
    shelf.bound = 1
    scene = Scene(shelf)
    scene.step()
    scene.now += PARK_EVERY_SECONDS
    scene.tend()
    assert shelf.parked == []


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_given_back_is_left_to_others(fails):
    """Waiting records go at once; those in requests end as these do, or go when they come back unsent."""
    shelf = Shelf("abcdefgh")
    scene = Scene(shelf, CoreConfig(max_batch_events=2, connections=1, memory_events=8))
    scene.step()
    assert scene.core.forgetting.give_back(lambda record: record.place < 4) == 2
    assert scene.core.count_pending(lambda record: record.place < 4) == 2
    scene.answer(fails=fails)
    assert scene.core.count_pending(lambda record: record.place < 4) == 0
    scene.now += 60
    scene.run()
    assert shelf.ended == Counter([4, 5, 6, 7] if fails else [0, 1, 4, 5, 6, 7])
    stats = scene.books()
    assert stats.spooled == (4 if fails else 2)
    assert shelf.kinds == {DELIVERED: len(shelf.ended)}


def test_a_store_that_fails_is_told_of_and_tried_again():
    """Uploads go on, the log has a line, and the next try is a moment later."""
    shelf = Shelf("a")
    shelf.trouble = RuntimeError("broken")
    scene = Scene(shelf)
    assert scene.tend() == scene.now + WAIT_SECONDS
    (note,) = scene.feeder.notes
    assert note.text == "the shelf failed: RuntimeError"
    shelf.trouble = None
    scene.run()
    assert shelf.ended == Counter([0])


def test_what_is_pending_at_the_end_stays_there():
    """At a shutdown what was read and not sent is left in the store, and said to be there."""
    shelf = Shelf("ab")
    scene = Scene(shelf)
    scene.step()
    assert scene.core.abandon("shutdown", "no time") == 0
    assert scene.books().spooled == 2
    assert shelf.ended == Counter()
