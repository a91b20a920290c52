"""Rows that an application writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from django.db import IntegrityError, router, transaction

from antinode.outbox.django.models import OnceKey, PendingEvent

if TYPE_CHECKING:
    from antinode.outbox._writing import WrittenEvent


def write(ready: WrittenEvent, using: str | None) -> bool:
    """Insert the row, in the transaction that is open; False if its key is there already."""
    alias = using or router.db_for_write(PendingEvent)
    if ready.once_key is None:
        PendingEvent(**ready.row).save(using=alias, force_insert=True)
        return True
    # Outside of a transaction key and row come together, or not at all.
    with transaction.atomic(using=alias):
        try:
            with transaction.atomic(using=alias):
                OnceKey(insert_id=ready.once_key, logged_at=ready.logged_at).save(
                    using=alias, force_insert=True
                )
        except IntegrityError:
            return False
        PendingEvent(**ready.row).save(using=alias, force_insert=True)
    return True


def pending_events(using: str | None) -> list[dict[str, Any]]:
    """The events that wait, in their order."""
    alias = using or router.db_for_write(PendingEvent)
    found = PendingEvent.objects.using(alias).order_by("id").values_list("body", flat=True)
    return [msgspec.json.decode(body, type=dict[str, Any]) for body in found]
