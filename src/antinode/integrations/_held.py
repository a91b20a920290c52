"""An event that is logged later than it happened: when the transaction that it is about has committed."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import antinode
from antinode._middleware import own_copy

if TYPE_CHECKING:
    from antinode import Client, Event, EventDict, TypedEvent

_OBJECTS = (antinode.Event, antinode.TypedEvent)
_log = logging.getLogger("antinode")


class HeldEvent:
    """An event as it was at the call: its values, its time, and the context that fills it in."""

    __slots__ = ("_client", "_event", "_moment", "_once")

    def __init__(
        self, event: EventDict | Event | TypedEvent, *, client: Client | None, once: str | None
    ) -> None:
        held: Any = event.to_dict() if isinstance(event, _OBJECTS) else event
        if isinstance(held, Mapping):
            held = own_copy(dict(held))
            if held.get("time") is None:
                held["time"] = time.time_ns() // 1_000_000
        self._event = held
        self._client = client
        self._once = once
        self._moment = copy_context()
        # A context of its own, to which nobody can add until the event is logged.
        self._moment.run(antinode.context().__enter__)

    def log(self) -> None:
        """Log it. Whatever goes wrong costs this event alone: what it tells of has happened already."""
        client = antinode.get_instance() if self._client is None else self._client
        try:
            self._moment.run(client.log_event, self._event, once=self._once)
        except Exception as error:
            # What `strict=True` raises: it names the fault, and never shows the event.
            _log.error("antinode: an event could not be logged at its commit: %s", error)
