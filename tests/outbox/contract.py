"""What a database has to do for a deliverer, whoever does the SQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from antinode.outbox._database import OutboxDatabase
from antinode.outbox._rows import DeadRow
from antinode.outbox._shares import Lease, Share

Write = Callable[[Sequence[tuple[int, str]]], object]
"""Writes rows of these streams, with these bodies, and commits."""

ALL = range(64)


def takes(*shards: int, leaves: Sequence[int] = ()) -> Callable[[Sequence[Lease], int], Share]:
    return lambda leases, now: Share(frozenset(leaves), shards, expects=False)


def rows_are_read_in_order_and_without_the_streams_in_hand(database: OutboxDatabase, write: Write) -> None:
    assert database.look().highest is None
    write([(1, "a"), (2, "b"), (65, "c"), (1, "d")])
    snapshot = database.look()
    assert snapshot.highest is not None
    # With nothing open, nothing is waited for.
    assert database.next_transaction() <= database.look().oldest_open

    def read(
        limit: int = 10, *, reach: int | None = None, shards: Sequence[int] = ALL, **more: set[int]
    ) -> str:
        found = database.read(
            limit,
            reach=snapshot.highest if reach is None else reach,
            shards=shards,
            **{"without": set(), **more},
        )
        assert [row.id for row in found] == sorted(row.id for row in found)
        return "".join(row.body for row in found)

    assert read() == "abcd"
    assert read(2) == "ab"
    assert read(without={2}) == "acd"
    assert read(without={*range(2, 2_000)}) == "ad"
    assert read(shards=[1]) == "acd"
    assert read(shards=[2, 3], without={7}) == "b"
    first = database.read(1, reach=snapshot.highest, shards=ALL, without=set())[0]
    assert read(reach=first.id) == "a"
    assert (first.stream, first.logged_at) == (1, 1_700_000_000_000)


def what_has_ended_is_gone_and_the_dead_are_kept(database: OutboxDatabase, write: Write) -> None:
    write([(number, f"event {number}") for number in range(1_201)])
    found = database.read(2_000, reach=10**9, shards=ALL, without=set())
    dead = [DeadRow(found[1_200], "invalid_event", 400, "no \0 such thing")]
    database.commit([row.id for row in found[:1_199]], dead)
    # Another deliverer, which had the same row in hand.
    database.commit([found[0].id], dead)
    assert [row.body for row in database.read(9, reach=10**9, shards=ALL, without=set())] == ["event 1199"]
    (kept,) = database.dead(0, 10)
    assert (kept.body, kept.reason, kept.code, kept.message) == (
        "event 1200",
        "invalid_event",
        400,
        "no  such thing",
    )
    assert abs(kept.died_at - time.time() * 1_000) < 60_000
    assert database.dead(kept.id, 10) == []
    status = database.status()
    assert (status.waiting, status.dead, status.deliverers) == (1, 1, {})
    assert status.oldest_seconds is not None
    assert status.oldest_seconds > 1_000
    assert (database.revive(10), database.revive(10)) == (1, 0)
    found = database.read(9, reach=10**9, shards=ALL, without=set())
    assert [(row.body, row.stream, row.logged_at) for row in found] == [
        ("event 1199", 1199, 1_700_000_000_000),
        ("event 1200", 1200, 1_700_000_000_000),
    ]


def an_id_is_never_given_twice(database: OutboxDatabase, write: Write) -> None:
    ids: list[int] = []
    for _ in range(3):
        write([(1, "")])
        (row,) = database.read(9, reach=10**9, shards=ALL, without=set())
        database.commit([row.id], [])
        ids.append(row.id)
    assert ids == sorted(set(ids))


def a_shard_has_one_owner_at_a_time(database: OutboxDatabase, write: Write) -> None:
    assert database.hold("one", 60, takes(3, 4)) == {3, 4}
    assert database.hold("two", 60, takes(4, 5)) == {5}
    assert database.status().deliverers == {"one": 2, "two": 1}
    seen: list[Lease] = []

    def look(leases: Sequence[Lease], now: int) -> Share:
        seen.extend(leases)
        assert all(lease.expires_at > now for lease in leases if lease.owner)
        return Share(frozenset(), (), expects=False)

    assert database.hold("one", 60, look) == {3, 4}
    assert len(seen) == 66
    assert {lease.name: lease.owner for lease in seen if lease.owner} == {
        "one": "one",
        "two": "two",
        "shard-03": "one",
        "shard-04": "one",
        "shard-05": "two",
    }
    database.leave("one", {3})
    assert database.hold("two", 60, takes(3)) == {3, 5}
    database.leave("two", None)
    assert database.status().deliverers == {"one": 1}
    database.leave("one", None)


def an_expired_lease_is_anybodys_and_a_renewed_one_is_not(database: OutboxDatabase, write: Write) -> None:
    assert database.hold("dead", 0, takes(7, 8)) == {7, 8}
    assert database.hold("alive", 60, takes(8)) == {8}
    assert database.status().deliverers == {"alive": 1}
    # It was not dead after all: what nobody has taken is still its own.
    assert database.hold("dead", 60, takes(8)) == {7}
    assert database.hold("alive", 60, takes(7)) == {8}
    database.hold("gone", 0, takes())
    for each in ("dead", "alive"):
        database.leave(each, None)
    assert database.hold("last", 60, takes()) == set()
    assert database.status().deliverers == {"last": 0}
    database.leave("last", None)


CHECKS = (
    rows_are_read_in_order_and_without_the_streams_in_hand,
    what_has_ended_is_gone_and_the_dead_are_kept,
    an_id_is_never_given_twice,
    a_shard_has_one_owner_at_a_time,
    an_expired_lease_is_anybodys_and_a_renewed_one_is_not,
)
