"""Which events are shown: what the server can filter by, and what only we can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from antinode.server.client import Event, EventFilters


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which events are shown: those that meet every condition."""

    filters: EventFilters
    """For the server."""
    properties: Sequence[tuple[str, Any]] = ()
    """Event properties that have these values; where both are numbers or texts, spelled alike is equal."""

    def fits(self, event: Event) -> bool:
        """Whether an event that the server's filters let through is wanted."""
        if not self.properties:
            return True
        found = event.event.get("event_properties")
        return isinstance(found, dict) and all(
            key in found and _is_like(found[key], value) for key, value in self.properties
        )


def _is_like(found: Any, wanted: Any) -> bool:
    return bool(found == wanted) or (isinstance(found, str) and found == _spelled(wanted))


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
