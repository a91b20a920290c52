"""Events that are too old, or for which there is no room."""

from __future__ import annotations

import threading
from collections import deque
from typing import SupportsIndex

from antinode._delivery.core.backlog import Backlog
from antinode._delivery.core.batch import Batch
from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.core.expiry import EXPIRE_EVERY_SECONDS
from antinode._delivery.core.pending import Pending
from antinode._delivery.record import NOT_STORED, Record, SpooledRecord
from antinode._protocol.endpoints import Endpoint
from tests.delivery.core.rules import once, reasons
from tests.delivery.model_server import saying
from tests.delivery.model_store import ModelStore
from tests.delivery.simulation import Simulation


def test_events_expire_while_they_wait() -> None:
    """What is older than `max_age` is dropped soon after, whatever it waits for; the younger stays."""
    sim = Simulation(CoreConfig(max_age=100.0, interval=1000.0))
    old = sim.log()
    sim.advance(50.0)
    young = sim.log()
    sim.advance(50.0 + EXPIRE_EVERY_SECONDS)
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
    sim.advance(25.0 + EXPIRE_EVERY_SECONDS)
    assert reasons(sim) == ["expired", "pending"]


def test_what_waits_for_an_upload_takes_no_more_memory_than_the_queue() -> None:
    """However many of its users' events the store has: they are read when the server has answered."""
    sim = Simulation(CoreConfig(memory_events=20, max_batch_events=5), store=ModelStore())
    sim.server.weather = "hang"
    for number in range(300):
        sim.log(f"user-{number % 3}")
    sim.advance(2.0)
    ledger = sim.core.ledger
    assert ledger.pending == 300
    assert ledger.pending - ledger.on_disk <= 2 * 20 + 5
    sim.server.weather = None
    sim.settle()
    sim.check_end()


def test_the_oldest_events_make_room() -> None:
    """With the queue full, room is made by dropping the oldest that waits, never what is in a request."""
    sim = Simulation(CoreConfig(max_events=3))
    sim.server.latency = 5.0
    for _ in range(5):
        sim.log()
    assert reasons(sim) == ["pending", "queue_full", "queue_full", "pending", "pending"]
    sim.settle()
    sim.check_end()


def test_what_the_store_did_not_take_is_not_stored_while_it_is_dropped() -> None:
    """Between the look at the record to drop and its end, no other thread gets to what it stands in."""
    store, guard, others = ModelStore(), threading.RLock(), []
    config = CoreConfig(max_events=1, memory_events=1)
    core = Core(config, random=lambda: 0.5, store=store, guard=guard)
    assert core.spooled is not None

    def come_between() -> None:
        others.append(guard.acquire(blocking=False))
        if others[-1]:
            guard.release()

    class Watched(deque[Record]):
        def __getitem__(self, at: SupportsIndex) -> Record:  # type: ignore[override]
            other = threading.Thread(target=come_between)
            other.start()
            other.join()
            return super().__getitem__(at)

    store.trouble = "broken"
    core.spooled.is_behind = True
    core.spooled.rear = Watched()
    assert core.admit(SpooledRecord(b"{}", 1, 0.0))
    assert core.shedding.make_room(2)
    assert others == [False]
    assert not core.spooled.rear


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


def test_stored_events_are_found_behind_others() -> None:
    """What makes room in a store is taken out wherever it waits, the oldest of each queue first."""
    backlog = Backlog()
    pending = Pending(backlog)

    def make(seq: int, *, is_stored: bool) -> Record:
        return Record(b"%d" % seq, stream=seq % 2, logged_at=0.0, place=seq if is_stored else NOT_STORED)

    records = [make(seq, is_stored=seq % 3 == 0) for seq in range(24)]
    pending.batches[1] = Batch(records[:8], Endpoint.HTTP_V2)
    backlog.occupy({0})
    backlog.hold(0, records[8:16:2], 60.0)
    backlog.fresh.extend(records[16:])
    assert [record.place for record in pending.take_stored(3)] == [12, 18, 21]
    assert [record.place for record in pending.take_stored(2)] == [0, 3]
    assert [record.place for record in pending.take_stored(2)] == [6]
    assert {record.place for record in pending.records()} == {NOT_STORED}
    assert backlog.stream_queues.count == 3
