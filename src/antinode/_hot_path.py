"""The compiled path of an ordinary event (`native/log.c`, `event.c`, `chain.c`, …), where there is one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from antinode import _speedups
from antinode._context import Context, current
from antinode._lifecycle.fork import page
from antinode._speedups import slot
from antinode._typed_events import TypedEvent

if TYPE_CHECKING:
    from antinode._delivery.outcome import Delivery
    from antinode._delivery.shell.sender import Sender
    from antinode._encoding.encoder import EventEncoder


_SIGNATURE = "log_event($self, event, extra=None, *, once=None)\n--\n\n"


def use_compiled_log_event(client: type[Any]) -> None:
    """Put the compiled method in the place of the Python one, which it calls for what is unusual."""
    if _speedups.native is not None:
        doc = f"{_SIGNATURE}{client.log_event.__doc__}"
        client.log_event = _speedups.native.log_method(client, slot(client, "_hot"), doc)


class CompiledLog(Protocol):
    """What logs an ordinary event of one client: it returns None for others, and nothing has happened."""

    def __call__(self, event: object, extra: object = None, /) -> Delivery | None:
        """Log the event, through the client's middleware."""

    def log_ready(self, event: object, /) -> Delivery | None:
        """Log an event that has been through all of it."""

    def complete(self, event: object, /) -> dict[str, Any] | None:
        """A deep copy of the event with all that it lacks."""

    def encode(self, event: object, /) -> tuple[bytes, int] | None:
        """The event's final bytes and its stream."""


def layout_of(encoder: EventEncoder, sender: Sender, chained: dict[str, Any] | None = None) -> dict[str, Any]:
    """All that the compiled path uses of Python objects: each under the one name by which it knows it.

    `chained` is what events with middleware need beside. Attributes that it reads or writes where they lie
    are given as their descriptors, so that one that is gone is an error here.
    """
    return {
        **encoder.layout(),
        **sender.layout(),
        "typed_class": TypedEvent,
        "typed_event": slot(TypedEvent, "_event"),
        "page": page,
        "context": current,
        "context_type": Context,
        "context_fields": slot(Context, "fields"),
        "time_ns": time.time_ns,
        "monotonic": time.monotonic,
        "chained": chained,
    }


def make_hot(
    encoder: EventEncoder, sender: Sender, chained: dict[str, Any] | None = None
) -> CompiledLog | None:
    """What logs an ordinary event of this client; None if not compiled."""
    if _speedups.native is None:
        return None
    layout = layout_of(encoder, sender, chained)
    try:
        log: CompiledLog = _speedups.native.Log(layout)
    except (TypeError, BufferError) as error:
        # A library may have changed how its objects lie in memory.
        _speedups.give_up(error)
        return None
    return log


def path_in_words(compiled: CompiledLog | None, *, is_off: bool, is_debug: bool) -> str:
    """Which code logs an ordinary event."""
    if compiled is not None:
        return "compiled"
    if is_off:
        return "off"
    return "Python: with debug each event is told of" if is_debug else _speedups.describe()
