"""The application that brings the tables."""

from __future__ import annotations

from django.apps import AppConfig


class AntinodeOutboxConfig(AppConfig):
    """`antinode.outbox.django` in INSTALLED_APPS."""

    name = "antinode.outbox.django"
    label = "antinode_outbox"
    verbose_name = "antinode outbox"
    default_auto_field = "django.db.models.BigAutoField"
