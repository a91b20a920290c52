"""Events that are not sent: skipped, since nobody wants them now, or refused, and told of."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import msgspec

from antinode._delivery.outcome import DROPPED, REJECTED, SKIPPED, Outcome
from antinode._delivery.record import Record
from antinode._delivery.shell.log_limiter import write
from antinode._encoding.inert import reserve
from antinode._encoding.refusal import Refused, invalid
from antinode._errors import EventError, MiddlewareError
from antinode._events import Event, as_event_dict
from antinode._interruptions import is_interruption
from antinode._pipeline.log_lines import described
from antinode._pipeline.stages import MIDDLEWARE_ERROR
from antinode._protocol.repair import repair
from antinode._protocol.status import Status

if TYPE_CHECKING:
    from antinode._delivery.shell.sender import Sender


def _skipped(reason: str, message: str) -> Outcome:
    return Outcome(SKIPPED, Status.SKIPPED, reason, message=message)


OPTED_OUT: Final = _skipped("opt_out", "the client is opted out")
DISABLED: Final = _skipped("disabled", "the client was initialised with enabled=False")
NOT_INITIALISED: Final = _skipped("not_initialised", "logged before init() was called on this instance")
HELD_BACK: Final = _skipped("middleware", "a middleware did not pass the event on")


def refuse(sender: Sender, event: object, error: Exception, *, is_strict: bool) -> Record:
    """Settle an event that `error` keeps from being sent, and say why.

    Raises `EventError`, or `MiddlewareError`, under `strict`.
    """
    if not isinstance(error, Refused):
        error = invalid(f"the event could not be encoded: {type(error).__name__}")
    is_ours = error.reason == MIDDLEWARE_ERROR
    outcome = Outcome(DROPPED if is_ours else REJECTED, error.status, error.reason, message=error.message)
    record = Record(_remains(event), 0, time.monotonic())
    note = f"an event was refused ({described(event)}): {error.message}"
    if is_ours and error.__cause__ is not None:
        write(logging.DEBUG, "a middleware raised", exc_info=error.__cause__)
    sender.refuse(record, outcome, note)
    if is_strict:
        if is_ours:
            raise MiddlewareError(error.message) from error.__cause__
        raise EventError(error.message) from None
    return record


def _remains(event: object) -> bytes:
    """What of a refused event can be kept for whoever asks why."""
    try:
        given = as_event_dict(event)  # type: ignore[arg-type]  # whatever it is
        # A field of an object that is not set says nothing.
        kept = {key: value for key, value in given.items() if value is not None}
        reserve(kept)
        return msgspec.json.encode(kept)
    except MemoryError:
        raise
    except Exception as error:
        if is_interruption(error):
            raise
        # Most often it is one value that cannot be encoded.
        return _readable_part(event)


def _readable_part(event: object) -> bytes:
    try:
        if isinstance(event, str):
            # The refusal says that this was meant.
            event = {"event_type": event}
        found = repair(event.to_dict() if isinstance(event, Event) else event, 1, time.time_ns() // 1_000_000)
        reserve(found.event)
        return msgspec.json.encode(found.event) if found.event else b""
    except MemoryError:
        raise
    except Exception as error:
        if is_interruption(error):
            raise
        return b""
