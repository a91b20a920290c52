"""What delivering asks of a database, by Django."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connections, router, transaction
from django.db.models import F, Max, Q

from antinode.outbox._database import Decide, pieces
from antinode.outbox._horizon import Snapshot
from antinode.outbox._rows import SHARDS, DeadEvent, DeadRow, OutboxRow, OutboxStatus
from antinode.outbox._shares import SHARD_NAMES, Lease, numbers_of
from antinode.outbox.django.models import OnceKey, OutboxLease, PendingEvent, RejectedEvent

_CLOCKS = {
    "postgresql": "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    "mysql": "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
}
_SNAPSHOT = "SELECT (SELECT max(id) FROM antinode_outbox), txid_snapshot_xmin(txid_current_snapshot())"


class DjangoDatabase:
    """An `OutboxDatabase`: the tables of the application, at one of the databases of the settings."""

    faults: tuple[type[Exception], ...] = (OperationalError, InterfaceError)

    def __init__(self, using: str | None = None) -> None:
        self._using = using or router.db_for_write(PendingEvent)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        connection = connections[self._using]
        if not connection.in_atomic_block:
            # One that the server has closed is opened anew.
            connection.close_if_unusable_or_obsolete()
        with transaction.atomic(using=self._using):
            yield

    def check(self) -> None:
        with self._transaction():
            for model in (PendingEvent, OnceKey, RejectedEvent, OutboxLease):
                model.objects.using(self._using).first()

    def look(self) -> Snapshot:
        with self._transaction():
            if connections[self._using].vendor == "postgresql":
                with connections[self._using].cursor() as cursor:
                    cursor.execute(_SNAPSHOT)
                    return Snapshot(*cursor.fetchone())
            return Snapshot(PendingEvent.objects.using(self._using).aggregate(highest=Max("id"))["highest"])

    def next_transaction(self) -> int:
        if connections[self._using].vendor != "postgresql":
            return 0
        with self._transaction(), connections[self._using].cursor() as cursor:
            # A snapshot's own end knows only of transactions that have ended.
            cursor.execute("SELECT txid_current()")
            return int(cursor.fetchone()[0])

    def read(
        self, limit: int, *, reach: int, shards: Collection[int], without: Collection[int]
    ) -> Sequence[OutboxRow]:
        asked = PendingEvent.objects.using(self._using).filter(id__lte=reach).order_by("id")
        if without:
            asked = asked.exclude(stream__in=list(without))
        if len(shards) < SHARDS:
            asked = asked.alias(shard=F("stream") % SHARDS).filter(shard__in=list(shards))
        with self._transaction():
            return [OutboxRow(*row) for row in asked.values_list("id", "stream", "body", "logged_at")[:limit]]

    def commit(self, ended: Collection[int], dead: Sequence[DeadRow]) -> None:
        pending = PendingEvent.objects.using(self._using)
        with self._transaction():
            for piece in pieces(ended):
                pending.filter(id__in=piece).delete()
            for each in dead:
                # Another deliverer, which had its shard before, may have moved it.
                if pending.filter(id=each.row.id).delete()[0]:
                    _rejected(each).save(using=self._using, force_insert=True)

    def hold(self, owner: str, seconds: float, decide: Decide) -> set[int]:
        leases = OutboxLease.objects.using(self._using)
        with self._transaction():
            now = self._now()
            expires_at = now + int(seconds * 1_000)
            # First of all, since SQLite gives who has read and then writes no time to wait for others.
            leases.filter(owner=owner).update(expires_at=expires_at)
            found = self._leases()
            if not any(lease.name == owner for lease in found):
                new = [OutboxLease(name=name, owner="", expires_at=0) for name in SHARD_NAMES]
                new.append(OutboxLease(name=owner, owner=owner, expires_at=expires_at))
                leases.bulk_create(new, ignore_conflicts=True)
                found = self._leases()
            decided = decide(found, now)
            self._take(owner, [SHARD_NAMES[each] for each in decided.takes], now, expires_at)
            return numbers_of(set(leases.filter(owner=owner).values_list("name", flat=True)))

    def _leases(self) -> list[Lease]:
        found = OutboxLease.objects.using(self._using).values_list("name", "owner", "expires_at")
        return [Lease(*row) for row in found]

    def _take(self, owner: str, names: list[str], now: int, expires_at: int) -> None:
        free = OutboxLease.objects.using(self._using).filter(Q(owner="") | Q(expires_at__lte=now))
        asked = free.filter(name__in=names)
        if connections[self._using].features.has_select_for_update_skip_locked:
            # What another one is about to take is left to it, rather than waited for.
            asked = asked.select_for_update(skip_locked=True)
        taken = list(asked.values_list("name", flat=True)) if names else []
        if taken:
            free.filter(name__in=taken).update(owner=owner, expires_at=expires_at)

    def leave(self, owner: str, shards: Collection[int] | None) -> None:
        leases = OutboxLease.objects.using(self._using)
        with self._transaction():
            given = leases.filter(owner=owner).exclude(name=owner)
            if shards is not None:
                given = given.filter(name__in=[SHARD_NAMES[each] for each in shards])
            given.update(owner="", expires_at=0)
            if shards is None:
                expired = Q(expires_at__lte=self._now()) & ~Q(name__in=SHARD_NAMES)
                leases.filter(Q(name=owner) | expired).delete()

    def forget_keys(self, before: int, limit: int) -> int:
        keys = OnceKey.objects.using(self._using)
        with self._transaction():
            old = list(keys.filter(logged_at__lt=before).values_list("insert_id", flat=True)[:limit])
            for start in range(0, len(old), 500):
                keys.filter(insert_id__in=old[start : start + 500]).delete()
            return len(old)

    def status(self) -> OutboxStatus:
        pending = PendingEvent.objects.using(self._using)
        with self._transaction():
            first = pending.order_by("id").values_list("logged_at", flat=True).first()
            waiting = pending.count()
            dead = RejectedEvent.objects.using(self._using).count()
            deliverers: dict[str, int] = {}
            now = self._now()
            for lease in self._leases():
                if lease.expires_at > now:
                    deliverers[lease.owner] = deliverers.get(lease.owner, 0) + (lease.name in SHARD_NAMES)
        age = None if first is None else max(0.0, time.time() - first / 1_000)
        return OutboxStatus(waiting, age, dead, deliverers)

    def dead(self, after: int, limit: int) -> Sequence[DeadEvent]:
        asked = RejectedEvent.objects.using(self._using).filter(id__gt=after).order_by("id")
        with self._transaction():
            return [DeadEvent(*row) for row in asked.values_list(*DeadEvent._fields)[:limit]]

    def revive(self, limit: int) -> int:
        dead = RejectedEvent.objects.using(self._using)
        with self._transaction():
            found = list(dead.order_by("id").values_list("id", "stream", "body", "logged_at")[:limit])
            for row_id, stream, body, logged_at in found:
                # Only one of several that do this at once.
                if dead.filter(id=row_id).delete()[0]:
                    PendingEvent(stream=stream, body=body, logged_at=logged_at).save(
                        using=self._using, force_insert=True
                    )
            return len(found)

    def close(self) -> None:
        connections[self._using].close()

    def _now(self) -> int:
        """The time by the clock that all deliverers have in common, in milliseconds."""
        connection = connections[self._using]
        if connection.vendor not in _CLOCKS:
            return time.time_ns() // 1_000_000
        with connection.cursor() as cursor:
            cursor.execute(_CLOCKS[connection.vendor])
            return int(cursor.fetchone()[0])


def _rejected(each: DeadRow) -> RejectedEvent:
    return RejectedEvent(
        stream=each.row.stream,
        body=each.row.body,
        logged_at=each.row.logged_at,
        died_at=time.time_ns() // 1_000_000,
        reason=each.reason[:64],
        code=each.code,
        message=each.message.replace("\0", ""),
    )
