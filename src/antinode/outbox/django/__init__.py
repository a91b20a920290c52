"""Django: events that are written as rows of the transaction.

INSTALLED_APPS = [..., "antinode.integrations.django", "antinode.outbox.django"]

`log_event` writes one, and `manage.py antinode_outbox deliver` sends them. Needs nothing but Django.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antinode.outbox._rows import OutboxStatus
from antinode.outbox._writing import written

if TYPE_CHECKING:
    from antinode import Client, Event, EventDict, TypedEvent

__all__ = ["OutboxStatus", "alog_event", "log_event", "pending_events", "status"]


def log_event(
    event: EventDict | Event | TypedEvent,
    *,
    using: str | None = None,
    client: Client | None = None,
    once: str | None = None,
) -> bool:
    """Write the event into the transaction that is open; True if there is a row.

    Outside of a transaction the row is written by itself. The event has the values, the `time` and the
    context of this call, and has gone through the client's middleware. One that is refused or skipped is
    told as by `Client.log_event`, and writes no row. `using` is the database: the one that the routers
    name, unless given. `client` is another than the default instance. `once` is a business key such as
    "order-88231": for an event type it is written once in seven days; the insert_id is made from it.

    Raises `ConfigurationError` for a client without `init`, under `strict=True` also `EventError`, and
    whatever the database raises.
    """
    ready = written(event, client=client, once=once)
    if ready is None:
        return False
    from antinode.outbox.django import _writing  # noqa: PLC0415 - models can be imported once Django is set up

    return _writing.write(ready, using)


async def alog_event(
    event: EventDict | Event | TypedEvent,
    *,
    using: str | None = None,
    client: Client | None = None,
    once: str | None = None,
) -> bool:
    """`log_event` for async code, where there is no transaction."""
    from asgiref.sync import sync_to_async  # noqa: PLC0415 - Django brings it

    return await sync_to_async(log_event)(event, using=using, client=client, once=once)


def pending_events(using: str | None = None) -> list[dict[str, Any]]:
    """The events that wait, in their order, as the transaction sees them: for tests."""
    from antinode.outbox.django import _writing  # noqa: PLC0415 - as above

    return _writing.pending_events(using)


def status(using: str | None = None) -> OutboxStatus:
    """How many wait, since when, how many are dead, and who delivers."""
    from antinode.outbox.django._store import DjangoDatabase  # noqa: PLC0415 - as above

    return DjangoDatabase(using).status()
