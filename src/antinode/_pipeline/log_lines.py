"""What log lines say of a single event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from antinode._callers import calling_line
from antinode._events import Event
from antinode._protocol.texts import one_line

if TYPE_CHECKING:
    from antinode._delivery.shell.sender import Sender
    from antinode._protocol.remarks import Remark


def tell_notes(sender: Sender, event: object, notes: Iterable[Remark]) -> None:
    """Have the log say what was noted about an event that is sent all the same."""
    which = described(event)
    for note in notes:
        what = "was mended before it was sent" if note.is_change else "was sent as it is"
        sender.say("WARNING", note.subject, f"an event {what} ({which}): {note}")


def described(event: object) -> str:
    """An event in words: its type, and where it was logged."""
    event_type: object = None
    if isinstance(event, dict):
        # By the type's own method: a subclass's may raise.
        event_type = dict.get(event, "event_type")
    elif isinstance(event, Event):
        event_type = event.event_type
    line = calling_line()
    parts = (
        f'"{one_line(event_type)}"' if isinstance(event_type, str) and event_type else "",
        f"logged at {line}" if line else "",
    )
    return ", ".join(part for part in parts if part) or "of no type"
