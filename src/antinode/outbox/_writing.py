"""An event becomes what the outbox keeps of it."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

import antinode
from antinode.outbox._rows import Ids, stream_of

if TYPE_CHECKING:
    from antinode import Client, Event, EventDict, TypedEvent

_LONGEST_KEY: Final = 64
"""Characters of the column that holds the keys of `once=`."""


class WrittenEvent(NamedTuple):
    """An event as it is to be written."""

    body: str
    stream: int
    logged_at: int
    once_key: str | None
    """What must not be there yet; None where nothing was said of it."""

    @property
    def row(self) -> dict[str, Any]:
        """The columns of the row."""
        return {"stream": self.stream, "body": self.body, "logged_at": self.logged_at}


def written(
    event: EventDict | Event | TypedEvent, *, client: Client | None, once: str | None
) -> WrittenEvent | None:
    """The event as it is to be written; None for one that `log_event` would not send, which has been told.

    Raises `ConfigurationError` for a client without `init`, and `EventError` under `strict=True`.
    """
    client = antinode.get_instance() if client is None else client
    encoded = client.encode_event(event, once=once)
    if isinstance(encoded, antinode.Outcome):
        if encoded.reason == "not_initialised":
            raise antinode.ConfigurationError(
                "an event for the outbox would be lost: call antinode.init(API_KEY) first. Where events are "
                "only written, any key does"
            )
        if encoded.reason == "out_of_memory":
            raise MemoryError(encoded.message)
        return None
    ids = msgspec.json.decode(encoded, type=Ids)
    return WrittenEvent(
        body=encoded.decode(),
        stream=stream_of(ids.user_id, ids.device_id),
        logged_at=time.time_ns() // 1_000_000,
        once_key=None if once is None else _key(ids.insert_id),
    )


def _key(insert_id: str) -> str:
    # A middleware may have given it another one, of any length.
    return insert_id if len(insert_id) <= _LONGEST_KEY else sha256(insert_id.encode()).hexdigest()
