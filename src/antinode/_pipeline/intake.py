"""The way in: whatever is logged becomes a dict of the API's keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from antinode._encoding.insert_ids import from_business_key
from antinode._encoding.refusal import invalid
from antinode._events import Event, as_event_dict
from antinode._interruptions import is_interruption
from antinode._protocol.foreign import fields_of
from antinode._typed_events import TypedEvent

_LONGEST_NAME: Final = 60
"""Characters of a string that may be an event type, and not an event that was written as JSON."""


def as_dict(event: Any) -> dict[str, Any]:
    """The event as a dict: the very same one if it is one. Raises `Refused` for what is no event."""
    if type(event) is dict:
        return event
    if isinstance(event, TypedEvent):
        return event._event
    try:
        fields = None if isinstance(event, (Mapping, Event)) else fields_of(event)
        return as_event_dict(event if fields is None else dict(fields.items))
    except MemoryError:
        raise
    except Exception as error:
        if is_interruption(error):
            raise
        is_name = isinstance(event, str) and len(event) <= _LONGEST_NAME and "{" not in event
        shown = repr(event) if is_name else "'Song Played'"
        raise invalid(
            f"an event must be a dict or an antinode.Event, not {type(event).__name__}: "
            f"write log_event({{'event_type': {shown}, 'user_id': …}})"
        ) from None


def with_business_key(event: dict[str, Any], once: object) -> dict[str, Any]:
    """A new dict: the event with the insert_id that `once` stands for. Raises `Refused` if it cannot be."""
    if not isinstance(once, (str, int)) or isinstance(once, bool) or not str(once).strip():
        raise invalid(f"`once` must be a string such as 'order-88231', not {once!r:.60}")
    if event.get("insert_id") is not None:
        raise invalid("`once` makes the insert_id, but the event has one: give one of them")
    return {**event, "insert_id": from_business_key(str(event.get("event_type")), str(once))}
