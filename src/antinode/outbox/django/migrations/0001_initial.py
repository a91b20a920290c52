"""The four tables of the outbox."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Creates them; backwards it drops them, and with them whatever waits."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="OnceKey",
            fields=[
                ("insert_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("logged_at", models.BigIntegerField(db_index=True)),
            ],
            options={
                "verbose_name": "key of once",
                "verbose_name_plural": "keys of once",
                "db_table": "antinode_outbox_once",
            },
        ),
        migrations.CreateModel(
            name="OutboxLease",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("owner", models.CharField(max_length=64)),
                ("expires_at", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "lease",
                "db_table": "antinode_outbox_lease",
            },
        ),
        migrations.CreateModel(
            name="PendingEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("stream", models.BigIntegerField()),
                ("body", models.TextField()),
                ("logged_at", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "pending event",
                "db_table": "antinode_outbox",
            },
        ),
        migrations.CreateModel(
            name="RejectedEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("stream", models.BigIntegerField()),
                ("body", models.TextField()),
                ("logged_at", models.BigIntegerField()),
                ("died_at", models.BigIntegerField()),
                ("reason", models.CharField(max_length=64)),
                ("code", models.IntegerField()),
                ("message", models.TextField()),
            ],
            options={
                "verbose_name": "rejected event",
                "db_table": "antinode_outbox_dead",
            },
        ),
    ]
