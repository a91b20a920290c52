"""What is known of delivery, whatever the events are kept in: for metrics and `antinode relay status`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class DeliveryFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How delivery stands for one project, in this process."""

    pending: int = 0
    """Events that were kept and have not ended, as far as this process knows."""
    pending_bytes: int = 0
    unread_files: int = 0
    """Files of ended processes that are not read to their end, whose events come on top."""
    delivered: int = 0
    """Events since the start, as are the next two."""
    rejected: int = 0
    dropped: int = 0
    throttled: int = 0
    """Streams that wait because their user or device is throttled."""
    oldest_age_s: float = 0.0
    """Seconds for which the oldest of the pending events has been kept."""
    is_reachable: bool = True
    """Whether the last upload got an answer that lets uploads go on."""


class Delivering(Protocol):
    """Whoever delivers kept events in this process."""

    def figures(self) -> Mapping[str, DeliveryFigures]:
        """How delivery stands, by the project's name. Cheap enough to be asked every second."""
