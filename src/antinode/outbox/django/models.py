"""The tables. Those of SQLAlchemy are the same, column by column."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class PendingEvent(models.Model):
    """An event that waits."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    stream: models.BigIntegerField[int, int] = models.BigIntegerField()
    body: models.TextField[str, str] = models.TextField()
    logged_at: models.BigIntegerField[int, int] = models.BigIntegerField()

    objects: ClassVar[models.Manager[PendingEvent]] = models.Manager()

    class Meta:
        """Where it is."""

        db_table = "antinode_outbox"
        verbose_name = "pending event"

    def __str__(self) -> str:
        return f"event {self.pk}"


class OnceKey(models.Model):
    """A key of `once=`."""

    insert_id: models.CharField[str, str] = models.CharField(max_length=64, primary_key=True)
    logged_at: models.BigIntegerField[int, int] = models.BigIntegerField(db_index=True)

    objects: ClassVar[models.Manager[OnceKey]] = models.Manager()

    class Meta:
        """Where it is."""

        db_table = "antinode_outbox_once"
        verbose_name = "key of once"
        verbose_name_plural = "keys of once"

    def __str__(self) -> str:
        return self.insert_id


class RejectedEvent(models.Model):
    """A dead event, and why it is dead."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    stream: models.BigIntegerField[int, int] = models.BigIntegerField()
    body: models.TextField[str, str] = models.TextField()
    logged_at: models.BigIntegerField[int, int] = models.BigIntegerField()
    died_at: models.BigIntegerField[int, int] = models.BigIntegerField()
    reason: models.CharField[str, str] = models.CharField(max_length=64)
    code: models.IntegerField[int, int] = models.IntegerField()
    message: models.TextField[str, str] = models.TextField()

    objects: ClassVar[models.Manager[RejectedEvent]] = models.Manager()

    class Meta:
        """Where it is."""

        db_table = "antinode_outbox_dead"
        verbose_name = "rejected event"

    def __str__(self) -> str:
        return f"event {self.pk}: {self.reason}"


class OutboxLease(models.Model):
    """Who delivers a shard, or that a deliverer is there."""

    name: models.CharField[str, str] = models.CharField(max_length=64, primary_key=True)
    owner: models.CharField[str, str] = models.CharField(max_length=64)
    expires_at: models.BigIntegerField[int, int] = models.BigIntegerField()

    objects: ClassVar[models.Manager[OutboxLease]] = models.Manager()

    class Meta:
        """Where it is."""

        db_table = "antinode_outbox_lease"
        verbose_name = "lease"

    def __str__(self) -> str:
        return self.name
