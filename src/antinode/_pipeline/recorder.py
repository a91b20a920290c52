"""Where an event's way ends: it becomes a record and is handed to the sender, or is settled without."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from antinode._delivery.record import Record
from antinode._delivery.shell.log_limiter import write
from antinode._interruptions import is_interruption
from antinode._middleware import Broken, MiddlewarePayload, chain_of
from antinode._pipeline.intake import as_dict
from antinode._pipeline.log_lines import described, tell_notes
from antinode._pipeline.stages import refused_for
from antinode._pipeline.unsent import HELD_BACK, refuse
from antinode._protocol.words import size
from antinode._speedups import slot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from antinode._delivery.outcome import Delivery, Outcome
    from antinode._delivery.shell.sender import Sender
    from antinode._encoding.encoder import EventEncoder
    from antinode._middleware import Middleware

_monotonic = time.monotonic


class Recorder:
    """Makes records of one client's events. All its methods return the event's handle.

    Under `is_strict` those that refuse an event raise instead.
    """

    def __init__(
        self, encoder: EventEncoder, sender: Sender, *, is_strict: bool = False, is_debug: bool = False
    ) -> None:
        self._encoder = encoder
        self._sender = sender
        self._is_strict = is_strict
        self._is_debug = is_debug

    def layout(self, middleware: Sequence[Middleware]) -> dict[str, Any]:
        """What the compiled path uses of this, and of the middleware."""
        return {
            "chain": chain_of(middleware),
            "payload_type": MiddlewarePayload,
            "broken_type": Broken,
            "payload_event": slot(MiddlewarePayload, "event"),
            "record_passed": self.record_passed,
            "refuse_broken": self.refuse_broken,
            "skip_held_back": self.skip_held_back,
        }

    def record(self, event: dict[str, Any]) -> Delivery:
        """Encode an event and have it sent."""
        sender = self._sender
        try:
            body, stream, notes = self._encoder.encode(event)
            record = sender.make_record(body, stream, _monotonic())
        except MemoryError:
            return self.drop_unmade()
        except Exception as error:
            if is_interruption(error):
                raise
            return self.refuse(event, error)
        sender.submit(record)
        if self._is_debug:
            write(logging.DEBUG, f"an event was accepted ({described(event)}): {size(len(body))}")
        if notes:
            tell_notes(sender, event, notes)
        return record

    def encode(self, event: dict[str, Any]) -> Delivery:
        """Encode an event that is not to be sent from here: a record that nobody delivers."""
        try:
            body, stream, notes = self._encoder.encode(event)
        except MemoryError:
            return self.drop_unmade()
        except Exception as error:
            if is_interruption(error):
                raise
            return self.refuse(event, error)
        if notes:
            tell_notes(self._sender, event, notes)
        return Record(body, stream, _monotonic())

    def record_passed(self, payload: MiddlewarePayload) -> Delivery:
        """Have sent what the middleware passed on."""
        try:
            event = as_dict(payload.event)
        except MemoryError:
            return self.drop_unmade()
        except Exception as error:
            if is_interruption(error):
                raise
            return self.refuse(None, error)
        return self.record(event)

    def refuse(self, event: object, error: Exception) -> Delivery:
        """Settle an event that cannot be sent, and say why."""
        try:
            return refuse(self._sender, event, error, is_strict=self._is_strict)
        except MemoryError:
            return self.drop_unmade()

    def refuse_broken(self, broken: Broken) -> Delivery:
        """Settle an event whose middleware has raised; raises what is not about the event."""
        try:
            refused = refused_for(broken)
        except MemoryError:
            return self.drop_unmade()
        # Nothing is kept of it: the one that broke may have been the one that redacts.
        return self.refuse(None, refused)

    def skip_held_back(self) -> Delivery:
        """Settle an event that a middleware did not pass on."""
        return self.skip(HELD_BACK)

    def skip(self, outcome: Outcome) -> Delivery:
        """Settle an event that was never meant to be sent."""
        record = Record(b"", 0, _monotonic(), outcome=outcome)
        self._sender.skip(record, outcome)
        return record

    def drop_unmade(self) -> Delivery:
        """Settle an event for which there is no memory."""
        return self._sender.drop_unmade()
