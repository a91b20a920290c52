"""What the core is told once."""

from __future__ import annotations

import msgspec

from antinode._delivery.core.patience import FLUSH_PATIENCE
from antinode._delivery.retry import Backoff, RetryPolicy
from antinode._protocol.endpoints import Endpoint


class CoreConfig(msgspec.Struct, frozen=True):
    """What the core is told once. Sizes in bytes, times in seconds."""

    max_batch_events: int = 2000
    max_batch_bytes: int = 990_000
    """Of the events and the commas between them: the request limit less the envelope."""
    connections: int = 4
    interval: float = 0.0
    rush_events: int = 16_000
    """So many queued events are sent at once, whatever the interval (`max_cached_events`)."""
    max_events: int = 1_000_000
    max_bytes: int = 128 * 1024 * 1024
    max_age: float | None = None
    pace: float | None = None
    policy: RetryPolicy = msgspec.field(default_factory=Backoff)
    memory_events: int = 20_000
    """With a store: when so many events are in memory, new ones are left to the store until their turn comes.
    Some ten large uploads, so that reading them never holds up sending."""
    memory_bytes: int = 16 * 1024 * 1024
    waits_for_room: bool = False
    """Whether new records are refused while a store is full; otherwise the oldest make room for them."""
    flush_patience: float = FLUSH_PATIENCE
    """So long a flush without a timeout waits for a link that fails."""
    endpoint: Endpoint = Endpoint.HTTP_V2
    """Where uploads usually go."""
    backlog_endpoint: Endpoint | None = None
    """Where uploads go while more than a batch waits behind them; None: there too."""
