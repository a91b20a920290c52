"""What an outbox holds, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

SHARDS: Final = 64
"""Parts into which the streams are divided, so that each has one process that delivers it.

Never to be changed: processes of two versions deliver side by side.
"""
ONCE_SECONDS: Final = 7 * 86_400
"""For how long a key of `once=` is kept: as long as Amplitude recognises an insert_id."""


class OutboxRow(NamedTuple):
    """An event that waits."""

    id: int
    stream: int
    body: str
    logged_at: int
    """In milliseconds since 1970, by the clock of the process that logged it."""


class DeadRow(NamedTuple):
    """An event that will not be delivered, and why: as an `antinode.Outcome` says it."""

    row: OutboxRow
    reason: str
    code: int
    message: str


class DeadEvent(NamedTuple):
    """A dead event, as it is kept."""

    id: int
    body: str
    logged_at: int
    died_at: int
    """When it was given up, in milliseconds since 1970."""
    reason: str
    code: int
    message: str


class Ids(msgspec.Struct):
    """What the outbox reads of an event."""

    user_id: str | None = None
    device_id: str | None = None
    insert_id: str = ""


class OutboxStatus(msgspec.Struct, frozen=True):
    """An outbox at one instant."""

    waiting: int
    """Events that are not delivered yet."""
    oldest_seconds: float | None
    """How long ago the first of them was logged; None while none waits."""
    dead: int
    """Events that were rejected, and are kept with the reason."""
    deliverers: Mapping[str, int]
    """The processes that deliver, each with the number of shards that it has, of 64."""


def stream_of(user_id: str | None, device_id: str | None) -> int:
    """The number of a stream, from 0 to 2**63 - 1: equal in every process and version."""
    texts = [f"{len(each)}:{each}" if each is not None else "-" for each in (user_id, device_id)]
    return int.from_bytes(sha256("".join(texts).encode()).digest()[:8], "big") >> 1


def shard_of(stream: int) -> int:
    """The shard that a stream is in."""
    return stream % SHARDS
