"""Events that are logged when Django's transaction commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from antinode.integrations._held import HeldEvent

if TYPE_CHECKING:
    from antinode import Client, Event, EventDict, TypedEvent


def log_on_commit(
    event: EventDict | Event | TypedEvent,
    *,
    using: str | None = None,
    client: Client | None = None,
    once: str | None = None,
) -> None:
    """Log the event when the transaction commits; never if it, or the savepoint it is in, is rolled back.

    It is `django.db.transaction.on_commit`: outside of a transaction the event is logged at once, and of
    savepoints it knows those of nested `atomic` blocks, not of `transaction.savepoint()`. The values of the
    event, its `time` and its context are those of this call. `using` is the database, `client` another than
    the default instance, `once` as for `log_event`. A fault of the event is told in the log, also under
    `strict=True`. Raises Django's `TransactionManagementError` where autocommit is off outside of `atomic`.
    """
    transaction.on_commit(HeldEvent(event, client=client, once=once).log, using=using, robust=True)
