"""What a deliverer decides, without a database: horizon, shares, and what it has in hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from antinode import Outcome, Status
from antinode.outbox import _queue
from antinode.outbox._horizon import Horizon, Snapshot
from antinode.outbox._queue import OutboxQueue
from antinode.outbox._rows import SHARDS, OutboxRow, shard_of, stream_of
from antinode.outbox._shares import SHARD_NAMES, Lease, share
from tests.examples import examples
from tests.outbox.memory_database import MemoryDatabase

DELIVERED = Outcome("delivered", Status.SUCCESS, "delivered", 200)
REJECTED = Outcome("rejected", Status.INVALID, "invalid_event", 400, "no event_type")
DROPPED = Outcome("dropped", Status.FAILED, "shutdown")
WITHDRAWN = Outcome("dropped", Status.SKIPPED, "consent")


def test_the_number_of_a_stream_never_changes() -> None:
    """Rows that were written by one version are delivered by another."""
    assert stream_of("user-1", None) == 9_096_206_654_957_303_278
    assert stream_of(None, "user-1") != stream_of("user-1", None)
    assert stream_of(None, None) != stream_of("", "") != stream_of("-", None)


@given(*[st.none() | st.text(max_size=6)] * 2)
def test_a_stream_fits_into_a_signed_column(user_id: str | None, device_id: str | None) -> None:
    """And its shard is one that there is."""
    assert 0 <= stream_of(user_id, device_id) < 2**63
    assert 0 <= shard_of(stream_of(user_id, device_id)) < SHARDS


def seen(horizon: Horizon, highest: int | None, *, oldest_open: int, next: int, now: float) -> int:
    """How far it reaches after the database has said so."""
    snapshot = Snapshot(highest, oldest_open)
    if horizon.is_news(snapshot):
        horizon.mark(snapshot, next, now)
    horizon.advance(oldest_open, now)
    return horizon.reach


def test_a_row_waits_for_the_transactions_that_were_open_when_it_came() -> None:
    """One that begins later is not waited for."""
    horizon = Horizon(60)
    assert seen(horizon, 5, oldest_open=7, next=9, now=0) == 0
    assert seen(horizon, 6, oldest_open=8, next=12, now=1) == 0
    assert horizon.is_waiting
    assert seen(horizon, 6, oldest_open=9, next=12, now=2) == 5
    assert horizon.is_waiting
    assert seen(horizon, None, oldest_open=12, next=12, now=3) == 6
    assert not horizon.is_waiting


def test_patience_has_an_end() -> None:
    """A transaction that stays open for hours holds nothing back for longer than that."""
    horizon = Horizon(60)
    assert seen(horizon, 5, oldest_open=7, next=9, now=100) == 0
    assert seen(horizon, 8, oldest_open=7, next=9, now=130) == 0
    assert seen(horizon, 8, oldest_open=7, next=9, now=159.9) == 0
    assert seen(horizon, 8, oldest_open=7, next=9, now=160) == 5


@settings(max_examples=examples(30))
@given(st.integers(1, 9), st.lists(st.integers(-2, 8), min_size=SHARDS, max_size=SHARDS))
def test_shares_even_out(count: int, beginning: list[int]) -> None:
    """Whoever had which, after a few rounds each shard has one owner and all have about as many."""
    names = [f"deliverer-{number}" for number in range(count)]
    leases = {}
    for name, owner in zip(SHARD_NAMES, beginning, strict=True):
        is_alive = 0 <= owner < count
        leases[name] = Lease(name, names[owner] if is_alive else "dead", 100 if is_alive else 1)
    leases.update((name, Lease(name, name, 100)) for name in names)
    for _ in range(3):
        for me in names:
            decided = share(list(leases.values()), me, 50)
            for number in decided.leaves:
                leases[SHARD_NAMES[number]] = Lease(SHARD_NAMES[number], "", 0)
            for number in decided.takes:
                lease = leases[SHARD_NAMES[number]]
                assert lease.expires_at <= 50
                leases[lease.name] = Lease(lease.name, me, 100)
    held = {me: sum(leases[name].owner == me for name in SHARD_NAMES) for me in names}
    assert sum(held.values()) == SHARDS
    assert max(held.values()) <= -(-SHARDS // count)
    assert not any(share(list(leases.values()), me, 50).expects for me in names)


def test_what_is_busy_is_given_back_last() -> None:
    """A newcomer gets first what is idle."""
    leases = [Lease(name, "me", 9) for name in SHARD_NAMES] + [Lease("me", "me", 9), Lease("new", "new", 9)]
    decided = share(leases, "me", 0, busy=range(32, 64))
    assert decided.leaves == frozenset(range(32))
    assert share(leases, "new", 0).expects


class Deliveries:
    """A queue whose events end as the test says."""

    def __init__(self, database: MemoryDatabase, name: str = "me") -> None:
        self.database = database
        self.queue = OutboxQueue(database, name, lease=30, patience=60)
        self.taken: list[OutboxRow] = []

    def renew(self) -> bool:
        return self.queue.renew(self.database.now)

    def read(self) -> list[OutboxRow]:
        found = self.queue.read(self.database.now)
        self.taken += found
        return found

    def end(self, outcome: Outcome, count: int | None = None) -> None:
        ended, self.taken = self.taken[:count], self.taken[len(self.taken[:count]) :]
        for row in ended:
            self.queue.end(row, outcome, self.database.now)
        self.queue.commit()


def written(database: MemoryDatabase, *streams: int, body: str = "") -> None:
    transaction = database.begin()
    for stream in streams:
        database.write(transaction, stream, body)
    database.end(transaction)


def deliveries(*streams: int) -> Deliveries:
    made = Deliveries(MemoryDatabase())
    written(made.database, *streams)
    assert made.renew()
    return made


def test_what_is_rejected_is_kept_and_what_is_dropped_stays() -> None:
    """A dropped one is given again after a rest, an unwanted one is deleted."""
    made = deliveries(1, 2, 3, 4)
    assert [row.stream for row in made.read()] == [1, 2, 3, 4]
    made.end(REJECTED, 1)
    made.end(DROPPED, 1)
    made.end(WITHDRAWN, 1)
    made.end(DELIVERED)
    assert [each.row.stream for each in made.database.graves] == [1]
    assert [row.stream for row in made.database.rows.values()] == [2]
    assert made.read() == []
    made.database.now += _queue.RESTS_FOR
    assert [row.stream for row in made.read()] == [2]


def test_a_stream_in_hand_is_not_read_and_takes_only_so_much_room() -> None:
    """So a throttled user, with thousands of events, holds up nobody else."""
    made = deliveries(*[7] * 1_500, 8)
    assert [row.stream for row in made.read()] == [7] * _queue.MOST_OF_ONE
    assert [row.stream for row in made.read()] == [8]
    written(made.database, *range(100, 400))
    assert len(made.read()) == 300
    assert made.read() == []


def test_room_is_bounded_in_rows_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond half of it each stream gets less; when there is none, nothing is read."""
    monkeypatch.setattr(_queue, "MOST_IN_HAND", 250)
    made = deliveries(*[1] * 100, *[2] * 100, *[3] * 100)
    assert len(made.read()) == 250
    assert made.read() == []
    made.end(DELIVERED)
    monkeypatch.setattr(_queue, "MOST_BYTES", 1_000)
    written(made.database, *range(10, 20), body="x" * 300)
    made.read()
    assert [len(row.body) for row in made.taken] == [0] * 50 + [300] * 4
    assert made.read() == []


def test_what_was_lost_is_neither_read_nor_deleted_by_mistake() -> None:
    """After a lease has expired nothing is read before it is renewed; what was delivered is deleted still."""
    made = deliveries(1, 2)
    rows = made.read()
    made.database.now += 30
    assert made.queue.has_lost(made.database.now)
    made.queue.let_go()
    other = Deliveries(made.database, "other")
    assert other.renew()
    assert made.read() == []
    again = other.read()
    assert [row.stream for row in again] == [1, 2]
    made.queue.end(rows[0], DELIVERED, made.database.now)
    made.queue.end(rows[1], DROPPED, made.database.now)
    made.queue.commit()
    assert list(made.database.rows) == [2]
    other.end(DELIVERED)
    assert made.database.rows == {}


def test_a_late_drop_does_not_touch_what_was_read_again() -> None:
    """The row is in hand once more; its first delivery is history."""
    made = deliveries(1)
    (first,) = made.read()
    made.queue.let_go()
    made.renew()
    (again,) = made.read()
    made.queue.end(first, DROPPED, made.database.now)
    assert made.queue.in_hand == 1
    made.queue.end(again, DELIVERED, made.database.now)
    made.queue.commit()
    assert (made.queue.in_hand, made.database.rows) == (0, {})


def test_what_could_not_be_committed_is_committed_later_and_not_read_before() -> None:
    """The database may be away in between."""
    made = deliveries(1)
    (row,) = made.read()
    made.queue.end(row, DELIVERED, made.database.now)
    made.database.is_down = True
    with pytest.raises(made.database.faults):
        made.queue.commit()
    made.database.is_down = False
    assert made.read() == []
    made.queue.commit()
    assert made.database.rows == {}


def test_looks_become_rarer_while_there_is_nothing() -> None:
    """And quick again with the first row."""
    made = deliveries()
    waits = [made.queue.looks_after(made.read()) for _ in range(12)]
    assert waits[0] == _queue.LOOKS_AFTER
    assert waits[-1] == _queue.LOOKS_AFTER_AT_MOST
    written(made.database, 1)
    assert made.queue.looks_after(made.read()) == _queue.LOOKS_AFTER
    made.end(DELIVERED)
    assert made.queue.looks_after(made.read()) == _queue.LOOKS_AFTER


class Machine(RuleBasedStateMachine):
    """Applications write, with transactions that overlap; deliverers come, stall, die and are followed."""

    def __init__(self) -> None:
        super().__init__()
        self.database = MemoryDatabase()
        self.deliverers: list[Deliveries] = []
        self.count = 0
        self.sent: dict[int, list[int]] = {}
        self.overtaken: set[int] = set()

    @rule(streams=st.lists(st.integers(0, 5), min_size=1, max_size=4))
    def write(self, streams: list[int]) -> None:
        written(self.database, *streams)

    @rule()
    def begin(self) -> None:
        self.database.begin()

    @precondition(lambda self: self.database.open)
    @rule(data=st.data(), stream=st.integers(0, 5))
    def write_more(self, data: st.DataObject, stream: int) -> None:
        self.database.write(data.draw(st.sampled_from(self.database.open)), stream)

    @precondition(lambda self: self.database.open)
    @rule(data=st.data(), commits=st.booleans())
    def end_one(self, data: st.DataObject, commits: bool) -> None:
        self.database.end(data.draw(st.sampled_from(self.database.open)), commits=commits)

    @precondition(lambda self: len(self.deliverers) < 3)
    @rule()
    def come(self) -> None:
        self.count += 1
        self.deliverers.append(Deliveries(self.database, f"deliverer-{self.count}"))

    @precondition(lambda self: self.deliverers)
    @rule(data=st.data(), outcomes=st.lists(st.sampled_from([DELIVERED, REJECTED]), max_size=3))
    def work(self, data: st.DataObject, outcomes: list[Outcome]) -> None:
        self._work(data.draw(st.sampled_from(self.deliverers)), outcomes)

    def _work(self, made: Deliveries, outcomes: list[Outcome]) -> None:
        now = self.database.now
        if made.queue.has_lost(now):
            made.queue.let_go()
            made.taken.clear()
        if now >= made.queue.renews_at and not made.renew():
            made.queue.let_go()
            made.taken.clear()
            made.renew()
        for outcome in outcomes:
            if made.taken:
                row = made.taken[0]
                self.sent.setdefault(row.stream, []).append(row.id)
                made.end(outcome, 1)
        made.read()

    @precondition(lambda self: self.deliverers)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        self.deliverers.remove(data.draw(st.sampled_from(self.deliverers)))

    @precondition(lambda self: self.deliverers)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        made = data.draw(st.sampled_from(self.deliverers))
        made.queue.leave()
        self.deliverers.remove(made)

    @rule(seconds=st.sampled_from([0.1, 1, 11, 29]))
    def pass_time(self, seconds: float) -> None:
        # What waits for its patience to end may be overtaken by then, which is another test's.
        if not self.database.open:
            self.database.now += seconds

    @invariant()
    def no_stream_is_in_two_hands(self) -> None:
        now = self.database.now
        hands: list[Any] = [
            {row.stream for row in made.taken} for made in self.deliverers if not made.queue.has_lost(now)
        ]
        assert sum(map(len, hands)) == len(set().union(*hands))

    @invariant()
    def each_stream_is_in_order_and_nothing_twice(self) -> None:
        for ids in self.sent.values():
            assert ids == sorted(set(ids))

    def teardown(self) -> None:
        for transaction in self.database.open:
            self.database.end(transaction)
        self.database.now += 100
        last = Deliveries(self.database, "last")
        for _ in range(40):
            self.database.now += 1
            self._work(last, [DELIVERED] * 50)
        assert self.database.rows == {}
        self.each_stream_is_in_order_and_nothing_twice()


Machine.TestCase.settings = settings(max_examples=examples(25), stateful_step_count=40)
TestMachine = Machine.TestCase
