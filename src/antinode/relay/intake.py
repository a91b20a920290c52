"""The seam between the front and what keeps its events: the spool on one machine, Kafka beyond."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from antinode.relay.projects import Project


class KeptEvent(msgspec.Struct, frozen=True, gc=False):
    """One event that was checked and is to be delivered as it is."""

    body: bytes
    """Its final JSON, an object with an `insert_id` and a `time`."""
    user_id: str | None
    device_id: str | None
    stream: int
    """`stream_of` both ids: the unit of order."""

    def __repr__(self) -> str:
        # Bodies and ids say what somebody did.
        return f"<KeptEvent {len(self.body):,} bytes>"


class NotKept(Exception):
    """Events were not kept, or not all of them; the client is to send the request again.

    It may do so although some were kept: their insert_ids are the same then.
    """

    def __init__(self, retry_after: float, why: str) -> None:
        """`retry_after`: in how many seconds a client may try again. `why`: for logs and health checks, with
        nothing of the events or the API key."""
        super().__init__(why)
        self.retry_after = retry_after
        self.why = why


class IntakeHealth(msgspec.Struct, frozen=True):
    """Whether an intake takes events at present."""

    takes: bool
    why: str = ""
    """Why not, in words for an operator."""


class IntakeStats(msgspec.Struct, frozen=True, kw_only=True):
    """What an intake has done since it was opened."""

    kept_events: int
    """Events of calls of `keep` that returned."""
    kept_bytes: int
    """Bytes of their bodies."""
    refused_events: int
    """Events of calls of `keep` that raised `NotKept`."""
    waiting: int
    """Calls of `keep` under way."""


class Intake(Protocol):
    """Keeps events until they are delivered. All methods belong to the thread of one event loop.

    `keep` may run many times at once. What one call is given stays in its order, and so does what one caller
    gives in calls of which each was awaited, stream by stream.
    """

    async def open(self) -> None:
        """Begin to take events. Raises what keeps it from ever doing so; what may pass, `health` tells."""

    async def keep(self, project: Project, events: Sequence[KeptEvent]) -> None:
        """Return once every event is durable, on disk or acknowledged by all replicas that count.

        Raises `NotKept` otherwise, within a bounded time, and also before `open` and after `close`. An event
        may have been kept all the same. Nothing is kept of a call without events, which returns.
        """

    async def close(self, within: float) -> None:
        """Take no more events, and let go of what is open within so many seconds. A second call does nothing.

        Calls of `keep` under way return or raise; what they kept is there for the next process.
        """

    def health(self) -> IntakeHealth:
        """Whether `keep` would keep events now, as far as is known without trying."""

    def stats(self) -> IntakeStats: ...
