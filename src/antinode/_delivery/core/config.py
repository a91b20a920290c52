"""The configuration of the core."""

from __future__ import annotations

import msgspec

from antinode._delivery.core.patience import FLUSH_PATIENCE_SECONDS
from antinode._delivery.retry import Backoff, RetryPolicy
from antinode._protocol.endpoints import Endpoint


class CoreConfig(msgspec.Struct, frozen=True):
    """The core's configuration. Sizes in bytes, times in seconds."""

    max_batch_events: int = 2000
    max_batch_bytes: int = 990_000
    """Of the events and the commas between them: the limit of a request without the envelope."""
    connections: int = 4
    interval: float = 0.0
    rush_events: int = 16_000
    """A queue of this length is sent at once, whatever the interval (the option `max_cached_events`)."""
    max_events: int = 1_000_000
    max_bytes: int = 128 * 1024 * 1024
    max_age: float | None = None
    pace: float | None = None
    policy: RetryPolicy = msgspec.field(default_factory=Backoff)
    memory_events: int = 20_000
    """With a store: events that are in memory at most; later ones stay in the store until their turn comes.
    About ten large uploads, so that reading never holds up sending."""
    memory_bytes: int = 16 * 1024 * 1024
    waits_for_room: bool = False
    """Whether new records are refused while a store is full; otherwise the oldest make room for them."""
    needs_store: bool = False
    """Whether new records are refused while the store takes none, rather than kept in memory alone."""
    flush_patience: float = FLUSH_PATIENCE_SECONDS
    """How long a flush without a timeout waits while the link fails."""
    endpoint: Endpoint = Endpoint.HTTP_V2
    """Where uploads usually go."""
    backlog_endpoint: Endpoint | None = None
    """Where uploads go while more than a batch waits behind them; None: to `endpoint`, too."""
